"""Gaps that are closed, and gaps that are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_roads import draw_roads, extract_roads, read_layer
from terraspore.engine.protocol.options import RoadOptions

Writer = Callable[..., Path]


@pytest.mark.parametrize("across", [16, 24])
def test_two_ends_that_pass_each_other_are_joined_once(tmp_path: Path, write_raster: Writer, across: int) -> None:
    """Each end is nearest to the other road just beside its end: closing both gaps would enclose a sliver."""
    lines = [[(20, 60), (100, 140)], [(100 + across, 134), (180 + across, 214)]]
    summary = extract_roads(write_raster(draw_roads(lines, 300)), tmp_path / "roads.gpkg", RoadOptions(areas=False))
    assert (summary.edges, summary.nodes, summary.pieces) == (1, 2, 1)
    assert summary.bridged > 0


def test_gaps_are_closed_end_to_end_and_end_to_middle(tmp_path: Path, write_raster: Writer) -> None:
    lines = [[(-10, 100), (150, 100)], [(180, 100), (410, 100)], [(300, 130), (300, 410)]]
    raster = write_raster(draw_roads(lines))
    summary = extract_roads(raster, tmp_path / "closed.gpkg")
    assert (summary.pieces, summary.edges) == (1, 3)
    assert summary.bridged == pytest.approx(60, abs=10)  # lines end half a width before the road does
    _, fields = read_layer(tmp_path / "closed.gpkg", "roads")
    assert fields["bridged"].sum() == 2
    assert extract_roads(raster, tmp_path / "short.gpkg", RoadOptions(gap=10.0)).pieces == 3
    assert extract_roads(raster, tmp_path / "none.gpkg", RoadOptions(gap=0.0)).bridged == 0.0


def test_the_angle_between_a_dead_end_and_a_gap_has_a_limit(tmp_path: Path, write_raster: Writer) -> None:
    """A gap of 28 m and 8 m to the side, and one of 6 m between two ends at a right angle."""
    aside = write_raster(draw_roads([[(-10, 100), (150, 100)], [(178, 108), (410, 108)]]), "aside.tif")
    corner = write_raster(draw_roads([[(-10, 100), (150, 100)], [(158, 106), (158, 410)]]), "corner.tif")
    for raster, narrow, wide in ((aside, 5.0, 20.0), (corner, 20.0, 40.0)):
        for angle, pieces in ((narrow, 2), (wide, 1)):
            options = RoadOptions(areas=False, gap_angle=angle)
            assert extract_roads(raster, tmp_path / f"{angle:g}.gpkg", options).pieces == pieces, (raster, angle)


def test_the_roads_of_an_occluded_crossing_are_joined(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(200, -10), (200, 410)], [(-10, 190), (410, 210)]])
    cv2.circle(mask, (200, 200), 14, 0, -1)
    summary = extract_roads(write_raster(mask), tmp_path / "roads.gpkg")
    assert (summary.pieces, summary.dead_ends) == (1, 0)
    _, fields = read_layer(tmp_path / "roads.gpkg", "road_nodes")
    assert sorted(fields["degree"].tolist())[-1] == 4


def test_roads_that_only_end_near_each_other_stay_apart(tmp_path: Path, write_raster: Writer) -> None:
    # Parallel ends, 40 m apart: the gap is at right angles to both.
    lines = [[(-10, 100), (200, 100)], [(-10, 140), (200, 140)]]
    assert extract_roads(write_raster(draw_roads(lines)), tmp_path / "roads.gpkg").pieces == 2


def test_a_dead_end_opposite_a_road_stays_one_unless_the_gap_is_seen(tmp_path: Path, write_raster: Writer) -> None:
    """A lane ends 34 m before a street: a dead end on a mask, a road below trees where some probability is left."""
    probability = (draw_roads([[(-10, 100), (410, 100)], [(200, 138), (200, 410)]]) > 0) * np.uint8(240)
    raster = write_raster(probability.astype(np.uint8), "end.tif", scale=0.004, nodata=255)
    assert extract_roads(raster, tmp_path / "end.gpkg", RoadOptions(areas=False)).bridged == 0.0
    probability[104:138, 196:205] = 40  # 0.16
    raster = write_raster(probability.astype(np.uint8), "seen.tif", scale=0.004, nodata=255)
    summary = extract_roads(raster, tmp_path / "seen.gpkg", RoadOptions(areas=False))
    assert (summary.pieces, summary.edges, summary.dead_ends) == (1, 3, 0)


def test_a_short_gap_before_a_road_is_closed_and_a_stub_is_none(tmp_path: Path, write_raster: Writer) -> None:
    """From a road of 150 m to a street over 18 m; from the end of a drive of 18 m the same way to nothing."""
    streets = [[(-10, 100), (410, 100)], [(-10, 250), (410, 250)]]
    raster = write_raster(draw_roads([*streets, [(100, 121), (100, 410)], [(300, 100), (300, 122)]]), "drive.tif")
    summary = extract_roads(raster, tmp_path / "drive.gpkg", RoadOptions(areas=False))
    assert (summary.pieces, summary.dead_ends, summary.edges) == (1, 0, 6)
    kept = extract_roads(raster, tmp_path / "kept.gpkg", RoadOptions(areas=False, spur=6.0))
    assert (kept.dead_ends, kept.edges) == (1, 8)


def test_nothing_seen_before_a_road_is_a_reason_where_the_raster_could_show_it(
    tmp_path: Path, write_raster: Writer
) -> None:
    """A gap of 20 m before a street is closed in a mask, and where probabilities have a trace of a road in it."""
    mask = draw_roads([[(-10, 100), (410, 100)], [(200, 128), (200, 410)]]) > 0
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5) * 230
    traced = soft.copy()
    traced[104:126, 196:205] = np.maximum(traced[104:126, 196:205], 30)  # 0.12
    pieces = [
        extract_roads(
            write_raster(values.astype(np.uint8), f"{name}.tif", scale=0.004, nodata=255),
            tmp_path / f"{name}.gpkg",
            RoadOptions(areas=False),
        ).pieces
        for name, values in (("mask", mask * 240), ("soft", soft), ("traced", traced))
    ]
    assert pieces == [1, 2, 1]


def test_a_road_that_ends_beside_another_one_is_not_led_into_it(tmp_path: Path, write_raster: Writer) -> None:
    """A lane runs 14 m beside a street and ends: a link would leave it sideways."""
    lines = [[(-10, 200), (410, 200)], [(60, 186), (220, 186)]]
    raster = write_raster(draw_roads(lines))
    summary = extract_roads(raster, tmp_path / "beside.gpkg", RoadOptions(areas=False))
    assert (summary.pieces, summary.bridged) == (2, 0.0)


@pytest.mark.parametrize(("gap", "pieces"), [(12, 1), (44, 2)])
def test_a_road_that_turns_off_at_a_gap_is_joined_across_it(
    tmp_path: Path, write_raster: Writer, gap: int, pieces: int
) -> None:
    """Trees hide a junction: the roads left and right of it have no dead end there, they turn into a side road."""
    left = [[(-10, 200), (200 - gap // 2, 200)], [(200 - gap // 2, 200), (200 - gap // 2, -10)]]
    right = [[(200 + gap // 2 + 8, 205), (410, 205)], [(200 + gap // 2 + 8, 205), (200 + gap // 2 + 8, 410)]]
    raster = write_raster(draw_roads(left + right))
    assert extract_roads(raster, tmp_path / "roads.gpkg", RoadOptions(areas=False)).pieces == pieces


def test_roads_side_by_side_are_not_joined(tmp_path: Path, write_raster: Writer) -> None:
    lines = [[(-10, 200), (410, 200)], [(-10, 222), (410, 222)]]
    summary = extract_roads(write_raster(draw_roads(lines)), tmp_path / "roads.gpkg", RoadOptions(areas=False))
    assert (summary.pieces, summary.bridged) == (2, 0.0)


def test_a_short_piece_between_two_gaps_is_road_and_at_the_end_of_a_road_none(
    tmp_path: Path, write_raster: Writer
) -> None:
    between = [[(-10, 200), (120, 200)], [(140, 200), (158, 200)], [(178, 200), (410, 200)]]
    summary = extract_roads(write_raster(draw_roads(between), "between.tif"), tmp_path / "between.gpkg")
    assert (summary.pieces, summary.dead_ends) == (1, 0)
    at_end = draw_roads(between[:2])
    summary = extract_roads(write_raster(at_end, "end.tif"), tmp_path / "end.gpkg", RoadOptions(areas=False))
    assert (summary.edges, summary.bridged) == (1, 0.0)
    assert summary.length == pytest.approx(120, abs=6)


def test_the_road_in_short_pieces_is_long_enough_without_its_gaps(tmp_path: Path, write_raster: Writer) -> None:
    pieces = [[(100, 200), (130, 200)], [(150, 200), (180, 200)], [(200, 200), (230, 200)]]
    raster = write_raster(draw_roads(pieces))
    assert extract_roads(raster, tmp_path / "a.gpkg", RoadOptions(areas=False, min_length=100.0)).edges == 0
    assert extract_roads(raster, tmp_path / "b.gpkg", RoadOptions(areas=False, min_length=60.0)).edges == 1


@pytest.mark.parametrize(("across", "bridged"), [(60, 0.0), (-10, 18.0)])
def test_roads_with_a_short_way_between_them_are_not_joined(
    tmp_path: Path, write_raster: Writer, across: int, bridged: float
) -> None:
    """Two roads that turn off at a gap are connected by a way of 580 m, which may leave the raster instead."""
    left, right = (
        [[(-10, 200), (194, 200)], [(194, 200), (194, across)]],
        [[(214, 205), (410, 205)], [(214, 205), (214, 410)]],
    )
    way = [[(194, across), (350, across)], [(350, across), (350, 205)]]
    raster = write_raster(draw_roads([*left, *right, *way]))
    assert extract_roads(raster, tmp_path / "roads.gpkg").bridged == pytest.approx(bridged, abs=6.0)
