"""Roads that run along the border of the raster, next to roads that leave it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.roads.extract import vectorize_roads
from terraspore.engine.vector.roads.mask import PixelBounds, clear_padding

Writer = Callable[..., Path]
PIXELS = Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def lines_of(raster: Path, output: Path, **options: object) -> np.ndarray:
    vectorize_roads(
        raster,
        output,
        RoadOptions(areas=False, blur=0.0, **options),
        metadata={},
        context=RunContext(),
    )
    return shapely.from_wkb(pyogrio.raw.read(output, layer="roads")[2])


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("tile", [2048, 97])
def test_the_line_of_a_road_along_the_border_is_the_middle_of_its_visible_part(
    tmp_path: Path, write_raster: Writer, turns: int, tile: int
) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[:11, 40:260] = 1  # along the border, 11 m wide
    mask[:, 145:154] = 1  # and one that leaves at both borders
    raster = write_raster(np.rot90(mask, turns), transform=PIXELS, crs=None)
    lines = shapely.multilinestrings(lines_of(raster, tmp_path / "roads.gpkg", tile=tile))
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
