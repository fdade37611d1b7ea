"""Spurs, weak components and loops of networks that are extracted from drawn masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from drawn_roads import draw_roads, extract_roads, read_network
from terraspore.engine.protocol.options import RoadOptions

Writer = Callable[..., Path]


def test_spurs_are_pruned_and_roads_to_the_border_stay(tmp_path: Path, write_raster: Writer) -> None:
    lines = [[(-10, 200), (410, 200)], [(100, 200), (100, 192)], [(370, 200), (370, 150)]]
    raster = write_raster(draw_roads(lines))
    plain = extract_roads(raster, tmp_path / "roads.gpkg", RoadOptions(min_length=0.0))
    assert plain.edges == 3  # the bump of 8 m is no road, but the branch near the border is
    assert extract_roads(raster, tmp_path / "long.gpkg", RoadOptions(spur=60.0)).edges == 1


def test_short_and_weak_components_are_dropped(tmp_path: Path, write_raster: Writer) -> None:
    values = (draw_roads([[(-10, 100), (410, 100)], [(50, 200), (110, 200)]]) > 0) * np.uint8(240)
    values[draw_roads([[(-10, 320), (410, 320)]]) > 0] = 140  # probability 0.56 all along
    raster = write_raster(values.astype(np.uint8), scale=0.004, nodata=255)
    assert extract_roads(raster, tmp_path / "a.gpkg", RoadOptions(blur=0.0)).pieces == 1
    assert extract_roads(raster, tmp_path / "b.gpkg", RoadOptions(blur=0.0, strong=0.5)).pieces == 2
    assert extract_roads(raster, tmp_path / "c.gpkg", RoadOptions(blur=0.0, strong=0.5, min_length=20.0)).pieces == 3


def test_a_piece_at_the_border_is_kept_from_half_the_length_on(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 100), (60, 100)], [(100, 200), (160, 200)]])
    summary = extract_roads(write_raster(mask), tmp_path / "roads.gpkg", RoadOptions(areas=False))
    assert (summary.pieces, summary.dead_ends) == (1, 1)


def test_loops_and_roundabouts_stay(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 200), (150, 200)], [(250, 200), (410, 200)]])
    cv2.circle(mask, (200, 200), 50, 255, 7)
    cv2.circle(mask, (90, 70), 25, 255, 6)
    summary = extract_roads(write_raster(mask), tmp_path / "roads.gpkg")
    graph, _ = read_network(tmp_path / "roads.gpkg")
    assert summary.pieces == 2
    assert graph.number_of_edges() - graph.number_of_nodes() + 2 == 2  # two independent cycles
