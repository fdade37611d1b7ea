"""Networks of partitions, joined, are those of one run: every feature, number, vertex and attribute."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from terraspore.engine.context import Cancellation, RunContext
from terraspore.engine.errors import Cancelled, SourceError
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.probability import ProbabilityRaster
from terraspore.engine.vector.io import writer
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.partitions import vectorize
from terraspore.engine.vector.partitions.join import join_road_partitions
from terraspore.engine.vector.partitions.layout import grow, network_halo, reading_margin, split_raster
from terraspore.engine.vector.partitions.storage import open_tables
from terraspore.engine.vector.partitions.tables import PieceTable, read_frame
from terraspore.engine.vector.partitions.vectorize import vectorize_road_partition
from terraspore.engine.vector.roads.centerlines import Tile
from terraspore.engine.vector.roads.extract import vectorize_probability

#: A raster of 700 pixels would lie in the halo of each of its partitions.
HALO = 110
OPTIONS = RoadOptions(threads=1, areas=False, tile=512, osm_tags=True)


class Pixels(ProbabilityRaster):
    """An array as a raster; ``reads`` are the windows that were read."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__(values.shape, Affine(1.0, 0.0, 200_000.0, 0.0, -1.0, 900_000.0), "EPSG:26986")
        self.values, self.reads = values, list[Tile]()

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        self.reads.append(Tile(row, col, height, width))
        return self.values[row : row + height, col : col + width].copy()


@pytest.fixture(autouse=True)
def small_halo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectorize, "network_halo", lambda *_: HALO)


def draw(*lines: list[tuple[float, float]], width: int = 9, size: int = 700) -> np.ndarray:
    values = np.zeros((size, size), np.uint8)
    for line in lines:
        cv2.polylines(values, [np.rint(line).astype(np.int32)], False, 235, width)
    return values


def circle(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    return [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in np.linspace(0.0, 2.0 * np.pi, 90)]


def borders() -> np.ndarray:
    """Every kind of place on the borders of partitions of 200 pixels."""
    values = draw(
        [(-10, 100), (710, 100)], [(200, -10), (200, 100)], [(400, 100), (400, 30)],  # junctions on borders
        [(-10, 197), (330, 203)],  # a road along a border, and back over it
        circle(400, 400, 18), [(400, 382), (400, 250)], [(400, 418), (400, 560)],  # a roundabout of four partitions
        [(382, 400), (250, 400)], [(418, 400), (560, 400)],
        [(-10, 650), (384, 650)], [(414, 650), (710, 650)],  # a gap across a border
        [(620, 250), (620, 290)], [(560, 330), (700, 330)], [(620, 306), (620, 330)],
        [(100, 600), (-10, 600)], [(200, 490), (200, 560)], [(300, 600), (236, 600)],
        [(590, 500), (640, 500)], [(605, 470), (605, 540)],  # short pieces near a border
    )  # fmt: skip
    cv2.rectangle(values, (170, 570), (232, 632), 235, cv2.FILLED)  # a square on the corner of four partitions
    return values


def rings() -> np.ndarray:
    """A ring without a junction, and a spiral that goes through all partitions several times."""
    angle = np.linspace(0.0, 10.0 * np.pi, 600)
    radius = 15.0 + 7.0 * angle
    spiral = list(zip(350 + radius * np.cos(angle), 350 + radius * np.sin(angle), strict=True))
    return draw(spiral, circle(350, 350, 300), circle(60, 60, 40))


def faint() -> np.ndarray:
    """Faint roads across all partitions, one of which reaches the strong threshold at its end; dead ends face them."""
    values = draw([(-10, 120), (710, 120)], [(-10, 320), (710, 320)], [(-10, 520), (710, 520)])
    values[values > 0] = 140
    values[300:340, 650:][values[300:340, 650:] > 0] = 240
    strong = draw([(300, 100), (300, 20)], [(290, 337), (290, 430)])
    values = np.maximum(values, strong)
    values[480:560][values[480:560] > 0] = 140
    return values


def dual() -> np.ndarray:
    """Dual roads across partitions: one whose carriageways a border divides, a slanting one, and a crossing road."""
    return draw(
        [(-10, 191), (710, 191)], [(-10, 211), (710, 211)], [(100, -10), (100, 710)], [(300, 211), (300, 420)],
        [(-10, 388), (500, 710)], [(20, 380), (530, 700)], [(560, 191), (560, 330)], [(578, 211), (578, 330)],
    )  # fmt: skip


def turns() -> np.ndarray:
    """Trees hide crossings near borders: the roads on both sides turn off; short pieces, and tails of them."""
    return draw(
        [(-10, 200), (192, 200)], [(192, 200), (192, -10)], [(212, 205), (710, 205)], [(212, 205), (212, 710)],
        [(400, 205), (400, -10)], [(-10, 420), (180, 420)], [(180, 420), (180, 710)],
        [(250, 584), (384, 584)], [(384, 584), (384, 330)], [(404, 580), (710, 580)], [(404, 580), (404, 710)],
        [(480, 400), (560, 400)], [(574, 400), (588, 400)], [(602, 400), (710, 400)],
        [(480, 300), (560, 300)], [(574, 300), (588, 300)], [(480, 300), (480, 400)],
    )  # fmt: skip


def noisy() -> np.ndarray:
    """The places on borders with ragged sides, holes, gaps and blobs."""
    rng = np.random.default_rng(11)
    values = borders().astype(np.float32)
    for y, x in rng.integers(0, 700, (250, 2)):
        level = rng.choice([0.0, 20.0, 200.0], p=[0.5, 0.3, 0.2])
        axes, angle = rng.integers(3, 13, 2), rng.integers(0, 180)
        cv2.ellipse(values, (int(x), int(y)), axes.tolist(), float(angle), 0, 360, level, cv2.FILLED)
    noise = cv2.resize(rng.normal(0.0, 40.0, (175, 175)).astype(np.float32), (700, 700))
    return np.clip(cv2.GaussianBlur(values, (0, 0), 1.5) + noise, 0, 250).astype(np.uint8)


def run_whole(values: np.ndarray, path: Path) -> Any:
    source = Pixels(values)
    return vectorize_probability(
        lambda: nullcontext(source), VectorTarget(path), OPTIONS, name="scene.tif", context=RunContext()
    )


def write_partitions(values: np.ndarray, folder: Path, size: int) -> list[Path]:
    source, paths = Pixels(values), []
    for number, window in enumerate(split_raster(source.shape, size)):
        partition = vectorize_road_partition(source, window, OPTIONS, name="scene.tif", context=RunContext())
        paths.append(folder / f"{number}.npz")
        partition.write(paths[-1])
    return paths


def read_features(path: Path, layer: str, key: str) -> dict[int, tuple[Any, ...]]:
    """The geometry (WKB) and all attributes of features by number; None where an attribute is not known."""
    meta, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
    names = list(meta["fields"])
    rows = zip(geometry.tolist(), *(column.tolist() for column in columns), strict=True)
    clean = [tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row) for row in rows]
    found = {row[1 + names.index(key)]: row for row in clean}
    assert len(found) == len(clean)
    return found


def assert_equal(one: Path, other: Path) -> None:
    for layer, key in (("roads", "road_id"), ("road_nodes", "node_id")):
        expected = read_features(one, layer, key)
        assert len(expected) >= 3
        assert read_features(other, layer, key) == expected


@pytest.mark.parametrize("make", [borders, rings, faint, dual, turns, noisy])
def test_partitions_of_any_size_join_to_the_network_of_one_run(tmp_path: Path, make: Callable[[], np.ndarray]) -> None:
    values = make()
    expected = run_whole(values, tmp_path / "whole.gpkg")
    for size in (200, 290):
        (tmp_path / str(size)).mkdir()
        paths = write_partitions(values, tmp_path / str(size), size)
        context = RunContext()
        summary = join_road_partitions(paths[::-1], VectorTarget(tmp_path / f"{size}.gpkg"), context=context)
        assert context.warnings == []
        assert_equal(tmp_path / "whole.gpkg", tmp_path / f"{size}.gpkg")
        infos = [pyogrio.read_info(tmp_path / name, layer="roads") for name in ("whole.gpkg", f"{size}.gpkg")]
        for name in ("layer_metadata", "crs", "fields", "dtypes"):
            np.testing.assert_array_equal(infos[1][name], infos[0][name])
        same = ("edges", "nodes", "pieces", "dead_ends")
        assert {name: getattr(summary, name) for name in same} == {name: getattr(expected, name) for name in same}
        assert (summary.length, summary.bridged) == pytest.approx((expected.length, expected.bridged))


def test_the_cases_are_what_they_stand_for(tmp_path: Path) -> None:
    assert run_whole(borders(), tmp_path / "a.gpkg").bridged > 50.0
    assert run_whole(rings(), tmp_path / "b.gpkg").pieces == 3
    degrees = [node[-2] for node in read_features(tmp_path / "b.gpkg", "road_nodes", "node_id").values()]
    assert degrees.count(2) == 2  # rings without a junction
    assert run_whole(faint(), tmp_path / "c.gpkg").pieces == 2  # one faint road has gone
    assert run_whole(turns(), tmp_path / "e.gpkg").bridged > 60.0
    run_whole(dual(), tmp_path / "d.gpkg")
    roads = read_features(tmp_path / "d.gpkg", "roads", "road_id").values()
    assert {1, 2} <= {road[10] for road in roads}


def test_a_folder_of_files_opens_as_one_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = borders()
    run_whole(values, tmp_path / "whole.gpkg")
    paths = write_partitions(values, tmp_path, 290)
    monkeypatch.setattr(writer, "_PART_FEATURES", 4)
    summary = join_road_partitions(paths, VectorTarget(tmp_path / "network"), context=RunContext())
    assert summary.layers == {name: tmp_path / "network" / f"{name}.vrt" for name in ("roads", "road_nodes")}
    assert len(list((tmp_path / "network" / "roads").glob("*.fgb"))) > 2
    assert "<qgis" in (tmp_path / "network" / "roads.qml").read_text(encoding="utf-8")
    for layer, key in (("roads", "road_id"), ("road_nodes", "node_id")):
        expected = read_features(tmp_path / "whole.gpkg", layer, key)
        assert read_features(tmp_path / "network" / f"{layer}.vrt", layer, key) == expected


def test_a_partition_reads_only_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    source, window = Pixels(np.zeros((5000, 5000), np.uint8)), Tile(2400, 2500, 200, 100)
    vectorize_road_partition(source, window, OPTIONS, name="scene.tif", context=RunContext())
    margin = reading_margin(OPTIONS, 1.0)
    assert network_halo(OPTIONS, 1.0) < margin < 1500
    around = grow(window, margin, source.shape)
    assert min(read.row for read in source.reads) >= around.row
    assert max(read.row + read.height for read in source.reads) <= around.row + around.height
    assert min(read.col for read in source.reads) >= around.col
    assert max(read.col + read.width for read in source.reads) <= around.col + around.width


def test_partitions_cover_the_raster_without_narrow_ones() -> None:
    covered = np.zeros((1130, 2480), np.int32)
    for row, col, height, width in split_raster(covered.shape, 500):
        assert min(height, width) >= 250
        covered[row : row + height, col : col + width] += 1
    assert (covered == 1).all()


def test_disagreeing_partitions_are_joined_and_named(tmp_path: Path) -> None:
    """A partition made of an image that changed: one road lies three pixels further down, one has gone."""
    before, after = draw([(-10, 100), (710, 100)], [(-10, 400), (710, 400)]), draw([(-10, 103), (710, 103)])
    paths = write_partitions(before, tmp_path, 350)
    for number, window in enumerate(split_raster(before.shape, 350)):
        if window.col > 0:
            changed = vectorize_road_partition(Pixels(after), window, OPTIONS, name="scene.tif", context=RunContext())
            changed.write(paths[number])
    context = RunContext()
    summary = join_road_partitions(paths, VectorTarget(tmp_path / "a.gpkg"), context=context)
    assert (summary.edges, summary.dead_ends) == (2, 1)
    assert len(context.warnings) == 1
    assert "2 places" in context.warnings[0]
    assert "1 roads were joined" in context.warnings[0]


def test_single_pixels_at_a_border_are_no_lines(tmp_path: Path) -> None:
    """Of a side road a partition has the pixel of the junction; its neighbour is of an image that changed."""
    before = draw([(348, -10), (348, 710)], [(348, 100), (710, 100)], [(348, 550), (710, 550)])
    paths = write_partitions(before, tmp_path, 350)
    with open_tables(paths[0]) as file:
        pieces = file.read(PieceTable)
    assert (pieces.corner[:, 0] == pieces.corner[:, 2]).any()
    for number, window in enumerate(split_raster(before.shape, 350)):
        if window.col > 0:
            empty = Pixels(np.zeros_like(before))
            changed = vectorize_road_partition(empty, window, OPTIONS, name="scene.tif", context=RunContext())
            changed.write(paths[number])
    context, target = RunContext(), tmp_path / "a.gpkg"
    summary = join_road_partitions(paths, VectorTarget(target), context=context)
    assert "Partitions disagree" in context.warnings[0]
    lines = shapely.from_wkb(pyogrio.raw.read(target, layer="roads")[2])
    assert len(lines) == summary.edges
    assert shapely.length(lines).min() > 100


def test_missing_foreign_and_damaged_partitions_are_refused(tmp_path: Path) -> None:
    paths = write_partitions(borders(), tmp_path, 350)
    target = VectorTarget(tmp_path / "a.gpkg")
    with pytest.raises(SourceError, match=r"row 0, column 350 is missing"):
        join_road_partitions([paths[0], *paths[2:]], target, context=RunContext())
    with pytest.raises(SourceError, match="no partitions"):
        join_road_partitions([], target, context=RunContext())
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=f"{paths[1].name} is not a complete partition"):
        join_road_partitions(paths, target, context=RunContext())
    other = vectorize_road_partition(
        Pixels(borders()),
        split_raster((700, 700), 350)[1],
        RoadOptions(gap=20.0),
        name="scene.tif",
        context=RunContext(),
    )
    other.write(paths[1])
    with pytest.raises(SourceError, match="other options"):
        join_road_partitions(paths, target, context=RunContext())
    assert not target.path.exists()


def test_a_cancelled_join_writes_nothing(tmp_path: Path) -> None:
    paths = write_partitions(borders(), tmp_path, 350)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        join_road_partitions(paths, VectorTarget(tmp_path / "a.gpkg"), context=RunContext(cancellation=cancellation))
    assert not (tmp_path / "a.gpkg").exists()


def test_a_partition_is_the_same_after_it_was_stored(tmp_path: Path) -> None:
    partition = vectorize_road_partition(
        Pixels(borders()), Tile(200, 200, 200, 200), OPTIONS, name="scene.tif", context=RunContext()
    )
    partition.write(tmp_path / "a.npz")
    with open_tables(tmp_path / "a.npz") as file:
        assert (read_frame(file), Tile(*file.header["window"])) == (partition.frame, partition.window)
        assert sum(len(table[0]) > 0 for table in partition.tables) > 5
        for table in partition.tables:
            for one, other in zip(file.read(type(table)), table, strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
