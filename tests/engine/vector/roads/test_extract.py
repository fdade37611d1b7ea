"""Road networks from drawn masks: topology, lengths, options, the same for every tile."""

from __future__ import annotations

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
from drawn_roads import CROSS, draw_roads, extract_roads, read_layer, read_network
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import Cancelled, ParameterError
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.dataset import open_raster
from terraspore.engine.vector.conflation import read_existing_roads
from terraspore.engine.vector.io.reader import make_reference

Writer = Callable[..., Path]


def test_a_router_runs_on_the_lines_as_they_are(tmp_path: Path, write_raster: Writer) -> None:
    extract_roads(write_raster(draw_roads(CROSS)), tmp_path / "roads.gpkg")
    graph, ids = read_network(tmp_path / "roads.gpkg")
    nodes, fields = read_layer(tmp_path / "roads.gpkg", "road_nodes")
    assert {tuple(point.coords[0]) for point in nodes} == set(ids)
    assert dict(zip([ids[p.coords[0]] for p in nodes], fields["degree"].tolist(), strict=True)) == dict(graph.degree)
    assert sorted(fields["kind"]) == ["border"] * 4 + ["end"] + ["junction"] * 2
    ends = {kind: [ids[p.coords[0]] for p, k in zip(nodes, fields["kind"], strict=True) if k == kind] for kind in
            ("end", "border")}  # fmt: skip
    # From the dead end in the east to the north edge: 120 m west and 300 m north.
    north = max(ends["border"], key=lambda n: next(xy[1] for xy, k in ids.items() if k == n))
    assert nx.shortest_path_length(graph, ends["end"][0], north, "weight") == pytest.approx(420, abs=8)


def test_lines_refer_to_their_nodes(tmp_path: Path, write_raster: Writer) -> None:
    extract_roads(write_raster(draw_roads(CROSS)), tmp_path / "roads.gpkg")
    lines, fields = read_layer(tmp_path / "roads.gpkg", "roads")
    nodes, node_fields = read_layer(tmp_path / "roads.gpkg", "road_nodes")
    at = dict(zip(node_fields["node_id"].tolist(), [p.coords[0] for p in nodes], strict=True))
    for line, first, last in zip(lines, fields["from_node"].tolist(), fields["to_node"].tolist(), strict=True):
        assert (line.coords[0], line.coords[-1]) == (at[first], at[last])


def test_width_length_and_confidence_are_measured(tmp_path: Path, write_raster: Writer) -> None:
    values = np.zeros((120, 400), np.uint8)
    values[50:59, :] = 200  # 9 m wide, probability 0.8
    raster = write_raster(values, scale=0.004, nodata=255)
    summary = extract_roads(raster, tmp_path / "roads.gpkg", RoadOptions(blur=0.0, area_simplify=0.0))
    _, fields = read_layer(tmp_path / "roads.gpkg", "roads")
    assert summary.length == pytest.approx(399, rel=0.003)
    assert fields["width"].tolist() == pytest.approx([9.0], rel=0.01)
    assert fields["width_sd"].tolist() == pytest.approx([0.0], abs=0.05)
    assert fields["confidence"].tolist() == pytest.approx([0.8], abs=0.002)
    _, fields = read_layer(tmp_path / "roads.gpkg", "road_areas")
    assert fields["area"].tolist() == pytest.approx([9 * 400], rel=0.001)


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
    summary = extract_roads(raster, tmp_path / "roads.gpkg", RoadOptions(blur=0.0, area_simplify=0.0))
    _, fields = read_layer(tmp_path / "roads.gpkg", "roads")
    assert summary.length == pytest.approx(299, rel=0.005)
    assert fields["width"].tolist() == pytest.approx([10.0], rel=0.01)
    assert summary.area == pytest.approx(3000, rel=0.005)


def test_rotated_rasters_keep_their_place(tmp_path: Path, write_raster: Writer) -> None:
    transform = Affine.translation(200_000, 900_000) @ Affine.rotation(30) @ Affine.scale(1, -1)
    extract_roads(write_raster(draw_roads(CROSS), transform=transform), tmp_path / "roads.gpkg")
    lines, _ = read_layer(tmp_path / "roads.gpkg", "roads")
    truth = shapely.MultiLineString([[transform @ (x + 0.5, y + 0.5) for x, y in line] for line in CROSS])
    assert shapely.hausdorff_distance(shapely.union_all(lines), truth) < 12  # the drawing goes 10 m over the edge
    assert shapely.distance(shapely.points(shapely.get_coordinates(lines)), truth).max() < 1.5


@settings(max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([64, 97, 150]))
def test_tiles_do_not_change_the_result(tmp_path: Path, write_raster: Writer, seed: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    mask = draw_roads([rng.integers(-20, 420, (4, 2)).tolist() for _ in range(6)], width=int(rng.integers(3, 12)))
    cv2.circle(mask, tuple(rng.integers(50, 350, 2).tolist()), 45, 255, -1)  # a paved area
    noise = cv2.GaussianBlur(rng.normal(0, 400, mask.shape).astype(np.float32), (0, 0), 3)
    raster = write_raster(np.clip(mask * 0.8 + noise, 0, 255).astype(np.uint8))
    keys = []
    for number, side in enumerate((4096, tile)):
        output = tmp_path / f"{number}.gpkg"
        extract_roads(raster, output, RoadOptions(tile=side, threads=1 + number, min_length=20.0))
        rows = []
        for layer in ("roads", "road_nodes", "road_areas"):
            geometry, fields = read_layer(output, layer)
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
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.roads.extract import vectorize_roads
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.dataset import open_raster
reporter = RecordingReporter()
vectorize_roads(Path(sys.argv[1]), VectorTarget(Path(sys.argv[2])), RoadOptions(), context=RunContext(reporter))
assert any("numba" in event.text for event in reporter.events if event.type == "message")
"""


def test_without_numba_the_result_is_the_same(tmp_path: Path, write_raster: Writer) -> None:
    mask = draw_roads([[(-10, 60), (70, 70)], [(90, 72), (170, 80)], [(110, 100), (110, 170)]], 160)
    mask[20:23, 20:40] = mask[100:104, 30:32] = 200  # noise that goes
    raster = write_raster(mask)
    summary = extract_roads(raster, tmp_path / "with.gpkg")
    assert summary.bridged > 0
    subprocess.run([sys.executable, "-c", WITHOUT_NUMBA, str(raster), str(tmp_path / "without.gpkg")], check=True)
    for layer in ("roads", "road_nodes", "road_areas"):
        (one, columns), (other, others) = (read_layer(tmp_path / f"{name}.gpkg", layer) for name in ("with", "without"))
        assert [g.wkb for g in one] == [g.wkb for g in other]
        # As text, because no NaN (a road without a closed gap) equals another.
        assert [str(c.tolist()) for c in columns.values()] == [str(c.tolist()) for c in others.values()]


@pytest.mark.parametrize("fill", [0, 255])
def test_rasters_without_roads_or_full_of_them_give_all_layers(tmp_path: Path, write_raster: Writer, fill: int) -> None:
    mask = np.full((90, 70), fill, np.uint8)
    mask[0, 0] = 255 - fill
    summary = extract_roads(write_raster(mask), tmp_path / "roads.gpkg", RoadOptions(min_length=1e5))
    assert summary.edges == 0
    assert pyogrio.list_layers(tmp_path / "roads.gpkg")[:3, 0].tolist() == ["roads", "road_nodes", "road_areas"]


def test_a_cancelled_run_leaves_nothing(tmp_path: Path, write_raster: Writer) -> None:
    raster = write_raster(draw_roads(CROSS))
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        extract_roads(raster, tmp_path / "roads.gpkg", context=RunContext(cancellation=cancellation))
    assert list(tmp_path.iterdir()) == [raster]


def test_an_update_tells_what_changed(tmp_path: Path, write_raster: Writer) -> None:
    extract_roads(write_raster(draw_roads(CROSS), "old.tif"), tmp_path / "old.gpkg")
    now = [[(206, -10), (206, 410)], [(-10, 150), (410, 150)], [(40, 150), (40, 410)]]
    raster = write_raster(draw_roads(now), "new.tif")
    with open_raster(raster) as dataset:
        reference = make_reference("new.tif", dataset.crs, dataset.transform, dataset.shape)
    existing = read_existing_roads(tmp_path / "old.gpkg", None, 10.0, reference, RunContext())
    summary = extract_roads(raster, tmp_path / "new.gpkg", existing=existing)
    assert summary.changes["moved_m"] == pytest.approx(390, abs=40)
    assert summary.changes["kept_m"] == pytest.approx(400, abs=30)
    assert summary.changes["new_m"] == pytest.approx(245, abs=15)
    assert summary.changes["gone_m"] == pytest.approx(105, abs=15)
    parts, fields = read_layer(tmp_path / "new.gpkg", "road_changes")
    assert set(fields["change"]) == {"kept", "moved", "new", "gone"}
    moved = (fields["change"] == "moved") & (shapely.length(parts) > 20.0)  # not where the road that is gone began
    assert fields["distance"][moved].tolist() == pytest.approx([6.0] * int(moved.sum()), abs=1.0)


def test_foreign_values_are_announced(tmp_path: Path, write_raster: Writer) -> None:
    reporter = RecordingReporter()
    extract_roads(write_raster(draw_roads(CROSS), crs=None), tmp_path / "roads.gpkg", context=RunContext(reporter))
    texts = [event.text for event in reporter.events if event.type == "message"]
    assert any("a mask: it holds only 0 and 255" in text for text in texts)
    assert any("no CRS" in text for text in texts)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0.0}, {"threshold": 0.5, "strong": 0.4}, {"gap": -1.0}, {"tile": 10}, {"gap_angle": 200.0},
     {"simplify": float("nan")}, {"threads": 0}, {"max_width": 0.0}],
)  # fmt: skip
def test_wrong_options_are_refused_in_one_sentence(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError):
        RoadOptions(**wrong)
