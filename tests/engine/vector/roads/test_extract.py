"""Road networks from drawn masks: topology, lengths, options, the same for every tile."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import networkx as nx
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, ParameterError
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.vector.conflation import read_existing_roads
from terraspore.engine.vector.roads.extract import RoadSummary, vectorize_roads
from terraspore.engine.vector.roads.mask import apply_threshold, fill_small_holes, thin_to_centerline

Writer = Callable[..., Path]


def drawing(lines: list[list[tuple[float, float]]], size: int = 400, width: int = 7) -> np.ndarray:
    """Lines (x, y) drawn on a mask of 0 and 255."""
    mask = np.zeros((size, size), np.uint8)
    for line in lines:
        cv2.polylines(mask, [np.array(line, np.int32).reshape(-1, 1, 2)], False, 255, thickness=width)
    return mask


CROSS = [[(200, -10), (200, 410)], [(-10, 150), (410, 150)], [(200, 300), (320, 300)]]


def run(raster: Path, output: Path, options: RoadOptions | None = None, **more: object) -> RoadSummary:
    return vectorize_roads(
        raster,
        output,
        options or RoadOptions(),
        metadata={"model": "test"},
        context=more.pop("context", RunContext()),
        **more,
    )


def read(path: Path, layer: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    meta, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], fields, strict=True))


def route(path: Path) -> tuple[nx.MultiGraph, dict[tuple[float, float], int]]:
    """The graph that a router makes of lines: nodes are equal end coordinates, nothing else."""
    graph, ids = nx.MultiGraph(), {}
    lines, fields = read(path, "roads")
    for line, length in zip(lines, fields["length"], strict=True):
        ends = [ids.setdefault(line.coords[k], len(ids)) for k in (0, -1)]
        graph.add_edge(*ends, weight=length)
    return graph, ids


def test_a_router_runs_on_the_lines_as_they_are(tmp_path: Path, write_raster: Writer) -> None:
    run(write_raster(drawing(CROSS)), tmp_path / "roads.gpkg")
    graph, ids = route(tmp_path / "roads.gpkg")
    nodes, fields = read(tmp_path / "roads.gpkg", "road_nodes")
    assert {tuple(point.coords[0]) for point in nodes} == set(ids)
    assert dict(zip([ids[p.coords[0]] for p in nodes], fields["degree"].tolist(), strict=True)) == dict(graph.degree)
    assert sorted(fields["kind"]) == ["border"] * 4 + ["end"] + ["junction"] * 2
    ends = {kind: [ids[p.coords[0]] for p, k in zip(nodes, fields["kind"], strict=True) if k == kind] for kind in
            ("end", "border")}  # fmt: skip
    # From the dead end in the east to the north edge: 120 m west and 300 m north.
    north = max(ends["border"], key=lambda n: next(xy[1] for xy, k in ids.items() if k == n))
    assert nx.shortest_path_length(graph, ends["end"][0], north, "weight") == pytest.approx(420, abs=8)


def test_lines_refer_to_their_nodes(tmp_path: Path, write_raster: Writer) -> None:
    run(write_raster(drawing(CROSS)), tmp_path / "roads.gpkg")
    lines, fields = read(tmp_path / "roads.gpkg", "roads")
    nodes, node_fields = read(tmp_path / "roads.gpkg", "road_nodes")
    at = dict(zip(node_fields["node_id"].tolist(), [p.coords[0] for p in nodes], strict=True))
    for line, first, last in zip(lines, fields["from_node"].tolist(), fields["to_node"].tolist(), strict=True):
        assert (line.coords[0], line.coords[-1]) == (at[first], at[last])


def test_width_length_and_confidence_are_measured(tmp_path: Path, write_raster: Writer) -> None:
    levels = np.zeros((120, 400), np.uint8)
    levels[50:59, :] = 200  # 9 m wide, probability 0.8
    raster = write_raster(levels, scale=0.004, nodata=255)
    summary = run(raster, tmp_path / "roads.gpkg", RoadOptions(blur=0.0, area_simplify=0.0))
    _, fields = read(tmp_path / "roads.gpkg", "roads")
    assert summary.length == pytest.approx(399, rel=0.003)
    assert fields["width"].tolist() == pytest.approx([9.0], rel=0.01)
    assert fields["width_sd"].tolist() == pytest.approx([0.0], abs=0.05)
    assert fields["confidence"].tolist() == pytest.approx([0.8], abs=0.002)
    _, fields = read(tmp_path / "roads.gpkg", "road_areas")
    assert fields["area"].tolist() == pytest.approx([9 * 400], rel=0.001)


@pytest.mark.parametrize("width", [4, 5, 6, 7, 8, 13])
@pytest.mark.parametrize("angle", [0, 27, 45])
def test_width_is_right_for_odd_even_and_slanting_roads(width: int, angle: int) -> None:
    row, col = np.mgrid[:160, :160]
    a = math.radians(angle)
    across = (row - 80.25) * math.cos(a) - (col - 80.25) * math.sin(a)
    line = thin_to_centerline(apply_threshold((np.abs(across) <= width / 2).astype(np.uint8), 1), 40)
    inner = (line.row > 40) & (line.row < 120) & (line.col > 40) & (line.col < 120)
    assert line.width[inner].mean() == pytest.approx(width, abs=0.75)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:26986", "EPSG:2249"])
def test_lengths_widths_and_areas_are_true_metres_in_any_crs(tmp_path: Path, write_raster: Writer, crs: str) -> None:
    """The same 300 m of road, 10 m wide, on rasters with pixels of about a metre in four CRSs (2249 is in feet)."""
    from pyproj import Geod, Transformer

    origin = (-71.5, 42.3)
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    geod = Geod(ellps="WGS84")
    x0, y0 = to_crs.transform(*origin)
    east = to_crs.transform(*geod.fwd(*origin, 90, 100)[:2])[0] - x0
    south = y0 - to_crs.transform(*geod.fwd(*origin, 180, 100)[:2])[1]
    transform = Affine(east / 100, 0, x0, 0, -south / 100, y0)
    mask = np.zeros((200, 300), np.uint8)
    mask[95:105, :] = 1
    raster = write_raster(mask, crs=crs, transform=transform)
    summary = run(raster, tmp_path / "roads.gpkg", RoadOptions(blur=0.0, area_simplify=0.0))
    _, fields = read(tmp_path / "roads.gpkg", "roads")
    assert summary.length == pytest.approx(299, rel=0.005)
    assert fields["width"].tolist() == pytest.approx([10.0], rel=0.01)
    assert summary.area == pytest.approx(3000, rel=0.005)


def test_rotated_rasters_keep_their_place(tmp_path: Path, write_raster: Writer) -> None:
    transform = Affine.translation(200_000, 900_000) @ Affine.rotation(30) @ Affine.scale(1, -1)
    run(write_raster(drawing(CROSS), transform=transform), tmp_path / "roads.gpkg")
    lines, _ = read(tmp_path / "roads.gpkg", "roads")
    truth = shapely.MultiLineString([[transform @ (x + 0.5, y + 0.5) for x, y in line] for line in CROSS])
    assert shapely.hausdorff_distance(shapely.union_all(lines), truth) < 12  # the drawing goes 10 m over the edge
    assert shapely.distance(shapely.points(shapely.get_coordinates(lines)), truth).max() < 1.5


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([64, 97, 150]))
def test_tiles_do_not_change_the_result(tmp_path: Path, write_raster: Writer, seed: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    mask = drawing([rng.integers(-20, 420, (4, 2)).tolist() for _ in range(6)], width=int(rng.integers(3, 12)))
    cv2.circle(mask, tuple(rng.integers(50, 350, 2).tolist()), 45, 255, -1)  # a paved area
    noise = cv2.GaussianBlur(rng.normal(0, 400, mask.shape).astype(np.float32), (0, 0), 3)
    raster = write_raster(np.clip(mask * 0.8 + noise, 0, 255).astype(np.uint8))
    keys = []
    for number, side in enumerate((4096, tile)):
        output = tmp_path / f"{number}.gpkg"
        run(raster, output, RoadOptions(tile=side, threads=1 + number, min_length=20.0))
        rows = []
        for layer in ("roads", "road_nodes", "road_areas"):
            geometry, fields = read(output, layer)
            values = [column.tolist() for column in fields.values()]
            rows.append([(g.wkb, *map(repr, row)) for g, *row in zip(geometry, *values, strict=True)])
        keys.append(rows)
    assert keys[0] == keys[1]


WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None
warnings.simplefilter("error", RuntimeWarning)  # NumPy's, where whole numbers are too large for their type
from pathlib import Path
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.vector.roads.extract import vectorize_roads
from terraspore.engine.protocol.options import RoadOptions
reporter = RecordingReporter()
vectorize_roads(Path(sys.argv[1]), Path(sys.argv[2]), RoadOptions(), metadata={}, context=RunContext(reporter))
assert any("numba" in event.text for event in reporter.events if event.type == "message")
"""


def test_without_numba_the_result_is_the_same(tmp_path: Path, write_raster: Writer) -> None:
    mask = drawing([[(-10, 60), (70, 70)], [(90, 72), (170, 80)], [(110, 100), (110, 170)]], 160)
    mask[20:23, 20:40] = mask[100:104, 30:32] = 200  # noise that goes
    raster = write_raster(mask)
    summary = run(raster, tmp_path / "with.gpkg")
    assert summary.bridged > 0
    subprocess.run([sys.executable, "-c", WITHOUT_NUMBA, str(raster), str(tmp_path / "without.gpkg")], check=True)
    for layer in ("roads", "road_nodes", "road_areas"):
        (one, columns), (other, others) = (read(tmp_path / f"{name}.gpkg", layer) for name in ("with", "without"))
        assert [g.wkb for g in one] == [g.wkb for g in other]
        assert [c.tolist() for c in columns.values()] == [c.tolist() for c in others.values()]


def test_gaps_are_bridged_end_to_end_and_end_to_middle(tmp_path: Path, write_raster: Writer) -> None:
    lines = [[(-10, 100), (150, 100)], [(180, 100), (410, 100)], [(300, 130), (300, 410)]]
    raster = write_raster(drawing(lines))
    summary = run(raster, tmp_path / "bridged.gpkg")
    assert (summary.pieces, summary.edges) == (1, 3)
    assert summary.bridged == pytest.approx(60, abs=10)  # lines end half a width before the road does
    _, fields = read(tmp_path / "bridged.gpkg", "roads")
    assert fields["bridged"].sum() == 2
    assert run(raster, tmp_path / "short.gpkg", RoadOptions(gap=10.0)).pieces == 3
    assert run(raster, tmp_path / "none.gpkg", RoadOptions(gap=0.0)).bridged == 0.0


def test_a_crossing_that_is_occluded_is_put_together_again(tmp_path: Path, write_raster: Writer) -> None:
    mask = drawing([[(200, -10), (200, 410)], [(-10, 190), (410, 210)]])
    cv2.circle(mask, (200, 200), 14, 0, -1)
    summary = run(write_raster(mask), tmp_path / "roads.gpkg")
    assert (summary.pieces, summary.dead_ends) == (1, 0)
    _, fields = read(tmp_path / "roads.gpkg", "road_nodes")
    assert sorted(fields["degree"].tolist())[-1] == 4


def test_roads_that_only_end_near_each_other_stay_apart(tmp_path: Path, write_raster: Writer) -> None:
    # Parallel ends, 40 m apart: the way from one to the other is at right angles to both.
    lines = [[(-10, 100), (200, 100)], [(-10, 140), (200, 140)]]
    assert run(write_raster(drawing(lines)), tmp_path / "roads.gpkg").pieces == 2


def test_spurs_go_and_roads_to_the_edge_stay(tmp_path: Path, write_raster: Writer) -> None:
    lines = [[(-10, 200), (410, 200)], [(100, 200), (100, 192)], [(370, 200), (370, 150)]]
    raster = write_raster(drawing(lines))
    plain = run(raster, tmp_path / "roads.gpkg", RoadOptions(min_length=0.0))
    assert plain.edges == 3  # the bump of 8 m is no road; the branch near the edge is, and so is the end at the edge
    assert run(raster, tmp_path / "long.gpkg", RoadOptions(spur=60.0)).edges == 1


def test_short_pieces_and_weak_ones_are_dropped(tmp_path: Path, write_raster: Writer) -> None:
    levels = (drawing([[(-10, 100), (410, 100)], [(50, 200), (110, 200)]]) > 0) * np.uint8(240)
    levels[drawing([[(-10, 320), (410, 320)]]) > 0] = 140  # probability 0.56 all along
    raster = write_raster(levels.astype(np.uint8), scale=0.004, nodata=255)
    assert run(raster, tmp_path / "a.gpkg", RoadOptions(blur=0.0)).pieces == 1
    assert run(raster, tmp_path / "b.gpkg", RoadOptions(blur=0.0, strong=0.5)).pieces == 2
    assert run(raster, tmp_path / "c.gpkg", RoadOptions(blur=0.0, strong=0.5, min_length=20.0)).pieces == 3


def test_parallel_carriageways_become_one_line_where_asked(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(drawing([[(-10, 195), (410, 195)], [(-10, 215), (410, 215)]], width=9))
    assert run(raster, tmp_path / "two.gpkg").edges == 2
    merged = run(raster, tmp_path / "one.gpkg", RoadOptions(merge_parallel=14.0))
    assert merged.edges == 1
    assert merged.length == pytest.approx(399, rel=0.02)


def test_loops_and_roundabouts_stay(tmp_path: Path, write_raster: Writer) -> None:
    mask = drawing([[(-10, 200), (150, 200)], [(250, 200), (410, 200)]])
    cv2.circle(mask, (200, 200), 50, 255, 7)
    cv2.circle(mask, (90, 70), 25, 255, 6)
    summary = run(write_raster(mask), tmp_path / "roads.gpkg")
    graph, _ = route(tmp_path / "roads.gpkg")
    assert summary.pieces == 2
    assert graph.number_of_edges() - graph.number_of_nodes() + 2 == 2  # two independent cycles


def test_lines_are_routed_around_a_paved_area(tmp_path: Path, write_raster: Writer) -> None:
    mask = drawing([[(-10, 200), (410, 200)]])
    cv2.circle(mask, (200, 200), 60, 255, -1)
    summary = run(write_raster(mask), tmp_path / "roads.gpkg")
    assert (summary.pieces, summary.dead_ends) == (1, 0)


def test_holes_are_filled_by_area() -> None:
    mask = np.ones((40, 40), np.uint8)
    mask[5:8, 5:8] = mask[20:30, 20:30] = 0
    closed = fill_small_holes(apply_threshold(mask, 1), 20, 10).values
    assert closed[5:8, 5:8].all()
    assert not closed[20:30, 20:30].any()


@pytest.mark.parametrize("fill", [0, 255])
def test_rasters_without_roads_or_full_of_them_give_all_layers(tmp_path: Path, write_raster: Writer, fill: int) -> None:
    mask = np.full((90, 70), fill, np.uint8)
    mask[0, 0] = 255 - fill
    summary = run(write_raster(mask), tmp_path / "roads.gpkg", RoadOptions(min_length=1e6))
    assert summary.edges == 0
    assert pyogrio.list_layers(tmp_path / "roads.gpkg")[:3, 0].tolist() == ["roads", "road_nodes", "road_areas"]


def test_a_cancelled_run_leaves_nothing(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(drawing(CROSS))
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        run(raster, tmp_path / "roads.gpkg", context=RunContext(cancellation=cancellation))
    assert list(tmp_path.iterdir()) == [raster]


def test_an_update_tells_what_changed(tmp_path: Path, write_raster: Writer) -> None:
    run(write_raster(drawing(CROSS), "old.tif"), tmp_path / "old.gpkg")
    now = [[(206, -10), (206, 410)], [(-10, 150), (410, 150)], [(40, 150), (40, 410)]]
    raster = write_raster(drawing(now), "new.tif")
    existing = read_existing_roads(tmp_path / "old.gpkg", 10.0)
    summary = run(raster, tmp_path / "new.gpkg", existing=existing)
    assert summary.changes["moved_m"] == pytest.approx(390, abs=40)
    assert summary.changes["kept_m"] == pytest.approx(400, abs=30)
    assert summary.changes["new_m"] == pytest.approx(245, abs=15)
    assert summary.changes["gone_m"] == pytest.approx(105, abs=15)
    _, fields = read(tmp_path / "new.gpkg", "road_changes")
    assert set(fields["change"]) == {"kept", "moved", "new", "gone"}
    moved = fields["change"] == "moved"
    assert fields["distance"][moved].tolist() == pytest.approx([6.0] * int(moved.sum()), abs=1.0)


def test_foreign_values_are_announced(tmp_path: Path, write_raster: Writer) -> None:
    reporter = RecordingReporter()
    run(write_raster(drawing(CROSS), crs=None), tmp_path / "roads.gpkg", context=RunContext(reporter))
    texts = [event.text for event in reporter.events if event.type == "message"]
    assert any("values from 0 to 255" in text for text in texts)
    assert any("no CRS" in text for text in texts)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0.0}, {"threshold": 0.5, "strong": 0.4}, {"gap": -1.0}, {"tile": 10}, {"gap_angle": 200.0},
     {"simplify": float("nan")}, {"threads": 0}, {"max_width": 0.0}],
)  # fmt: skip
def test_wrong_options_are_refused_in_one_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError):
        RoadOptions(**wrong)
