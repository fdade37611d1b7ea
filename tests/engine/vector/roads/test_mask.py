"""Mask and centre line: width, holes, paved areas, roads along the border of the raster."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from affine import Affine
from drawn_roads import draw_roads, extract_roads, read_layer
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.roads.mask import (
    PixelBounds,
    apply_threshold,
    clear_padding,
    fill_small_holes,
    thin_to_centerline,
)

Writer = Callable[..., Path]
PIXELS = Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("tile", [2048, 97])
def test_the_line_of_a_road_along_the_border_is_the_middle_of_its_visible_part(
    tmp_path: Path, write_raster: Writer, turns: int, tile: int
) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[:11, 40:260] = 1  # along the border, 11 m wide
    mask[:, 145:154] = 1  # and one that leaves at both borders
    raster = write_raster(np.rot90(mask, turns), transform=PIXELS, crs=None)
    extract_roads(raster, tmp_path / "roads.gpkg", RoadOptions(areas=False, blur=0.0, tile=tile))
    lines = shapely.multilinestrings(read_layer(tmp_path / "roads.gpkg", "roads")[0])
    seen = shapely.affinity.rotate(lines, -90 * turns, origin=(150, -150))
    along = shapely.intersection(seen, shapely.box(50, -40, 130, 0))
    assert along.length == pytest.approx(80, abs=1)
    assert np.abs(shapely.get_coordinates(along)[:, 1] + 5.5).max() < 1.1
    down = shapely.intersection(seen, shapely.box(130, -300, 170, -30))
    assert down.bounds[1] == pytest.approx(-299.5, abs=0.6)  # it ends at the other border


def test_short_runs_are_roads_that_leave_and_adjacent_runs_are_merged() -> None:
    mask = np.ones((20, 60), np.uint8)
    mask[5, [*range(10), *range(20, 30), 38, 39, *range(45, 60)]] = 0
    clear_padding(mask, PixelBounds(5, 0, 20, 60), 15, 8)
    assert mask[:5].any(axis=0).tolist() == [not 28 <= column <= 46 for column in range(60)]
    assert mask[6:].all()


@pytest.mark.parametrize("width", [4, 5, 6, 7, 8, 13])
@pytest.mark.parametrize("angle", [0, 27, 45])
def test_width_is_right_for_odd_even_and_slanting_roads(width: int, angle: int) -> None:
    row, col = np.mgrid[:160, :160]
    a = math.radians(angle)
    across = (row - 80.25) * math.cos(a) - (col - 80.25) * math.sin(a)
    line = thin_to_centerline(apply_threshold((np.abs(across) <= width / 2).astype(np.uint8), 1), 40)
    inner = (line.row > 40) & (line.row < 120) & (line.col > 40) & (line.col < 120)
    assert line.width[inner].mean() == pytest.approx(width, abs=0.75)


def test_parallel_carriageways_become_one_line_where_asked(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(draw_roads([[(-10, 195), (410, 195)], [(-10, 215), (410, 215)]], width=9))
    assert extract_roads(raster, tmp_path / "two.gpkg").edges == 2
    merged = extract_roads(raster, tmp_path / "one.gpkg", RoadOptions(merge_parallel=14.0))
    assert merged.edges == 1
    assert merged.length == pytest.approx(399, rel=0.02)


def test_lines_are_routed_around_a_paved_area(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 200), (410, 200)]])
    cv2.circle(mask, (200, 200), 60, 255, -1)
    summary = extract_roads(write_raster(mask), tmp_path / "roads.gpkg")
    assert (summary.pieces, summary.dead_ends) == (1, 0)


def test_holes_are_filled_by_area() -> None:
    mask = np.ones((40, 40), np.uint8)
    mask[5:8, 5:8] = mask[20:30, 20:30] = 0
    filled = fill_small_holes(apply_threshold(mask, 1), 20, 10).values
    assert filled[5:8, 5:8].all()
    assert not filled[20:30, 20:30].any()
