"""Attributes of road lines: kinds of their ends, classes of width, places of closed gaps, dual roads, tags."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from drawn_roads import CROSS, draw_roads, extract_roads, read_layer
from terraspore.engine.protocol.options import RoadOptions

Writer = Callable[..., Path]


def read_roads(mask: np.ndarray, folder: Path, write_raster: Writer, **options: object) -> dict[str, np.ndarray]:
    raster = write_raster(mask)
    extract_roads(raster, folder / "roads.gpkg", RoadOptions(areas=False, **options))
    geometry, fields = read_layer(folder / "roads.gpkg", "roads")
    return {**fields, "geometry": geometry}


def test_kinds_of_ends_are_those_of_their_nodes(tmp_path: Path, write_raster: Writer) -> None:
    roads = read_roads(draw_roads(CROSS), tmp_path, write_raster)
    _, nodes = read_layer(tmp_path / "roads.gpkg", "road_nodes")
    kind = dict(zip(nodes["node_id"].tolist(), nodes["kind"], strict=True))
    for end in ("from", "to"):
        assert roads[f"{end}_kind"].tolist() == [kind[node] for node in roads[f"{end}_node"].tolist()]
    assert sorted([*roads["from_kind"], *roads["to_kind"]]) == ["border"] * 4 + ["end"] + ["junction"] * 7


@pytest.mark.parametrize("unseen", [(150, 180), (60, 72)])
def test_place_of_a_closed_gap(tmp_path: Path, write_raster: Writer, unseen: tuple[int, int]) -> None:
    mask = draw_roads([[(-10, 100), (410, 100)]])
    mask[:, unseen[0] : unseen[1]] = 0
    mask[:, 300:310] = 0  # a shorter one
    roads = read_roads(mask, tmp_path, write_raster)
    (line,), (place,) = roads["geometry"], roads["gap_at"]
    assert line.interpolate(place).x == pytest.approx(200_000 + sum(unseen) / 2, abs=3)


def test_roads_without_a_gap_have_no_place_of_one(tmp_path: Path, write_raster: Writer) -> None:
    assert np.isnan(read_roads(draw_roads(CROSS), tmp_path, write_raster)["gap_at"]).all()


@pytest.mark.parametrize(("width", "name"), [(4, "narrow"), (7, "medium"), (14, "wide")])
def test_class_of_a_width(tmp_path: Path, write_raster: Writer, width: int, name: str) -> None:
    mask = np.zeros((200, 400), np.uint8)
    mask[90 : 90 + width] = 255
    assert read_roads(mask, tmp_path, write_raster, blur=0.0)["class"].tolist() == [name]


def test_no_class_where_the_width_is_not_well_known(tmp_path: Path, write_raster: Writer) -> None:
    mask = np.zeros((200, 400), np.uint8)
    mask[98:102] = 255
    for x in range(40, 400, 80):  # beads on a thread
        cv2.circle(mask, (x, 100), 16, 255, -1)
    roads = read_roads(mask, tmp_path, write_raster, blur=0.0)
    assert roads["width_sd"].max() > 0.5 * roads["width"].max()
    assert roads["class"].tolist() == [None] * len(roads["width"])


def draw_dual_road(distance: float, widths: tuple[int, int] = (7, 7), length: int = 400) -> np.ndarray:
    """Two straight roads, slanting, and a crossing that divides both."""
    mask = np.zeros((400, 400), np.uint8)
    for side, width in zip((-0.5, 0.5), widths, strict=True):
        y = 200 + side * distance
        ends = (
            (round(-10 if length == 400 else 200 - length / 2), round(y - 20)),
            (
                round(410 if length == 400 else 200 + length / 2),
                round(y + 20),
            ),
        )
        cv2.line(mask, *ends, 255, width)
    cv2.line(mask, (130, -10), (130, 410), 255, 7)
    return mask


def test_carriageways_of_a_dual_road_share_a_number(tmp_path: Path, write_raster: Writer) -> None:
    roads = read_roads(draw_dual_road(18), tmp_path, write_raster)
    for line, pair in zip(roads["geometry"], roads["pair"], strict=True):
        west_east = abs(line.coords[0][0] - line.coords[-1][0]) > 60
        assert pair == (1 if west_east else 0), line.wkt
    assert (roads["pair"] == 1).sum() == 4


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_dual_roads_in_any_direction(tmp_path: Path, write_raster: Writer, degrees: int) -> None:
    mask = np.zeros((600, 600), np.uint8)
    place = Affine.translation(300, 300) @ Affine.rotation(degrees)
    for aside in (-9, 9):
        points = [tuple(map(round, place @ (x, aside + 0.0005 * x * x))) for x in range(-250, 251, 10)]  # a bend
        cv2.polylines(mask, [np.array(points, np.int32)], False, 255, 7)
    assert set(read_roads(mask, tmp_path, write_raster)["pair"].tolist()) == {1}


def test_two_dual_roads_have_two_numbers(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, y), (410, y)] for y in (60, 80, 300, 320)])
    roads = read_roads(mask, tmp_path, write_raster)
    by_row = sorted((round(line.centroid.y), pair) for line, pair in zip(roads["geometry"], roads["pair"], strict=True))
    pairs = [pair for _, pair in by_row]
    assert pairs[0] == pairs[1] != pairs[2] == pairs[3]
    assert set(pairs) == {1, 2}


@pytest.mark.parametrize(
    "mask",
    [
        draw_dual_road(40),  # too far apart
        draw_dual_road(18, (6, 14)),  # a road and its service road
        draw_dual_road(18, length=50),  # too short
        draw_roads([[(-10, y), (410, y)] for y in (100, 120, 140, 160)]),  # a row of parallel streets
        draw_roads([[(-10, 100), (410, 260)], [(-10, 220), (410, 140)]]),  # an acute crossing
        draw_roads([[(-10, 200), (410, 200)]]),
    ],
    ids=["far", "unequal", "short", "row", "crossing", "single"],
)
def test_what_is_no_dual_road(tmp_path: Path, write_raster: Writer, mask: np.ndarray) -> None:
    assert set(read_roads(mask, tmp_path, write_raster)["pair"].tolist()) == {0}


def test_distance_of_pairs_is_an_option(tmp_path: Path, write_raster: Writer) -> None:
    assert read_roads(draw_dual_road(40), tmp_path, write_raster, pair_distance=45.0)["pair"].max() == 1
    assert read_roads(draw_dual_road(18), tmp_path, write_raster, pair_distance=0.0)["pair"].max() == 0


def test_empty_networks_have_all_columns(tmp_path: Path, write_raster: Writer) -> None:
    full = read_roads(draw_roads(CROSS), tmp_path, write_raster, osm_tags=True)
    (tmp_path / "roads.gpkg").unlink()
    assert read_roads(np.zeros((50, 50), np.uint8), tmp_path, write_raster, osm_tags=True).keys() == full.keys()


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".shp"])
def test_tags_of_openstreetmap(tmp_path: Path, write_raster: Writer, suffix: str) -> None:
    raster = write_raster(draw_roads(CROSS))
    output = tmp_path / f"roads{suffix}"
    extract_roads(raster, output, RoadOptions(areas=False, osm_tags=True))
    _, fields = read_layer(output, "roads")
    assert set(fields["highway"]) == {"road"}
    assert set(fields["surface"]) == {None}
    assert set(fields["source"]) == {f"TerraSpore: {raster.name}"}
    assert "lanes" not in fields
    extract_roads(raster, tmp_path / f"plain{suffix}", RoadOptions(areas=False))
    assert "highway" not in read_layer(tmp_path / f"plain{suffix}", "plain" if suffix != ".gpkg" else "roads")[1]


def test_lengths_of_gaps_are_within_the_line(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 100), (150, 100)], [(180, 100), (410, 100)], [(300, 130), (300, 410)]])
    roads = read_roads(mask, tmp_path, write_raster)
    for bridged, place, length in zip(roads["bridged_m"], roads["gap_at"], roads["length"], strict=True):
        assert math.isnan(place) == (bridged == 0)
        assert not place > length
