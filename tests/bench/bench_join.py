"""Join the partitions of a road network of 500,000 x 500,000 pixels, and measure memory and time.

One partition is made of a raster that repeats a degraded network in mirrored copies. It stands for each place of the
large raster, moved there, so that all borders are joined and all features are numbered; some partitions are written.

    python tests/bench/bench_join.py --make part.npz --size 16000
    python tests/bench/bench_join.py --join part.npz --count 31
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import shapely
from affine import Affine
from degraded import degrade_coverage, draw_coverage, make_difficult_roads
from measure import run
from numpy.typing import NDArray
from rows import Row, show
from terraspore.engine.context import RunContext
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from terraspore.engine.vector.geodesy import PixelGeodesy
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.writer import VectorWriter, open_vector_writer
from terraspore.engine.vector.partitions import plan
from terraspore.engine.vector.partitions.join import Joiner
from terraspore.engine.vector.partitions.storage import open_tables
from terraspore.engine.vector.partitions.tables import (
    NO_KEY,
    BorderSamples,
    ComponentTable,
    ForeignNodes,
    LineTable,
    NodeTable,
    PieceTable,
    PointTable,
    RoadPartition,
    SideTable,
    is_inside,
    read_frame,
    split_keys,
)
from terraspore.engine.vector.partitions.vectorize import vectorize_road_partition
from terraspore.engine.vector.roads.centerlines import Tile
from terraspore.engine.vector.roads.lines import RoadLines

#: Side of the degraded network in pixels, and of the cell of four mirrored copies that is repeated.
_NETWORK, _CELL = 1000, 2000
#: A rural network: most of a country is.
_SEED = 2
#: The features of every n-th partition are written.
_WRITTEN = 40
#: The aim of the project: joining any raster stays below this.
_GOAL_GB = 2.0
#: The aim for the memory of a worker.
_WORKER_GB = 1.5
#: Columns of pixel keys of each table.
_KEYS: dict[type, tuple[str, ...]] = {
    NodeTable: ("key",),
    LineTable: ("key", "node"),
    PieceTable: ("corner", "top", "link", "node"),
    ForeignNodes: ("key",),
    SideTable: ("other_key",),
    BorderSamples: ("key",),
}
#: Columns of rows and of columns of each table.
_PLACES: dict[type, tuple[str, str]] = {
    NodeTable: ("row", "col"),
    PieceTable: ("node_row", "node_col"),
    PointTable: ("row", "col"),
}


class RepeatedRaster(ProbabilityRaster):
    """A degraded network that repeats in mirrored copies over a square of ``side`` pixels."""

    def __init__(self, side: int) -> None:
        super().__init__((side, side), Affine(1.0, 0.0, 100_000.0, 0.0, -1.0, 6_000_000.0), "EPSG:25832")
        roads = make_difficult_roads(_SEED, _NETWORK)
        probability = degrade_coverage(draw_coverage(roads), roads, _SEED)
        values = np.rint(probability * PROBABILITY_SCALE).astype(np.uint8)
        values = np.concatenate((values, values[:, ::-1]), axis=1)
        self._cell = np.concatenate((values, values[::-1]))

    def read(self, row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a window; see ``ProbabilityRaster.read``."""
        rows, cols = (np.arange(first, first + size) % _CELL for first, size in ((row, height), (col, width)))
        return self._cell[np.ix_(rows, cols)]


class MovedPartition:
    """A partition at another place of a raster, read as its file is.

    Args:
        base: the partition.
        window: its new place; the distance has to be a multiple of the cell.
        side: of the raster in pixels.
    """

    def __init__(self, base: RoadPartition, window: Tile, side: int) -> None:
        frame = replace(base.frame, shape=(side, side))
        self.header, self._shape = {"window": window, **asdict(frame)}, frame.shape
        self._down, self._right = window.row - base.window.row, window.col - base.window.col
        self._tables: dict[type, Any] = {type(table): table for table in base.tables}

    def read(self, table: type) -> Any:
        """Read a table; what leaves the raster ends at its border."""
        found = self._tables[table]
        moved = found._replace(**{name: self.read_column(table, name) for name in found._fields})
        if table is not PieceTable:
            return moved
        own = moved.corner[:, [0, 2]]
        is_outside = (moved.link != NO_KEY) & ~is_inside(moved.link, Tile(0, 0, *self._shape))
        row, col = split_keys(own)
        columns = (moved.node, own), (moved.node_row, row), (moved.node_col, col), (moved.kind, np.uint8(2))
        node, node_row, node_col, kind = (np.where(is_outside, made, column) for column, made in columns)
        link = np.where(is_outside, NO_KEY, moved.link)
        return moved._replace(link=link, node=node, node_row=node_row, node_col=node_col, kind=kind)

    def read_column(self, table: type, name: str) -> NDArray[Any]:
        """Read a column of a table."""
        values = getattr(self._tables[table], name)
        if name in _KEYS.get(table, ()):
            return np.where(values == NO_KEY, NO_KEY, values + (self._down << 32) + self._right)
        if table is RoadLines and name == "geometry":
            return shapely.transform(values, lambda xy: xy + np.array((self._right, -self._down)))
        places = _PLACES.get(table, ())
        if name in places:
            return values + values.dtype.type((self._down, self._right)[places.index(name)])
        return values


class SampleWriter:
    """Passes the features of some partitions on to a writer."""

    def __init__(self, writer: VectorWriter) -> None:
        self._writer, self.is_written = writer, False
        self.styles, self.paths = writer.styles, writer.paths

    def write(self, layer: str, kind: str, geometry: NDArray[np.object_], columns: Any) -> None:
        """Write features, see ``VectorWriter.write``."""
        if self.is_written:
            self._writer.write(layer, kind, geometry, columns)


def make_partition(path: Path, size: int) -> None:
    """Vectorize one partition in the middle of a repeated raster."""
    source = RepeatedRaster(3 * size)
    options = RoadOptions(threads=1, areas=False)
    window = Tile(size, size, size, size)
    vectorize_road_partition(source, window, options, name="repeated", context=RunContext()).write(path)


def read_partition(path: Path) -> RoadPartition:
    """Read the file of a partition."""
    with open_tables(path) as file:
        tables = [file.read(kind) for kind in (*_KEYS, PointTable, ComponentTable, RoadLines)]
        return RoadPartition(read_frame(file), Tile(*file.header["window"]), tables)


def join_moved(path: Path, count: int) -> None:
    """Join ``count`` x ``count`` copies of a partition, and print what was joined."""
    base, context = read_partition(path), RunContext()
    size = base.window.height
    side = count * size

    @contextmanager
    def open_moved(name: Path) -> Iterator[MovedPartition]:
        row, col = map(int, name.stem.split("_"))
        yield MovedPartition(base, Tile(row * size, col * size, size, size), side)

    plan.open_tables = open_moved  # type: ignore[assignment]
    begin = time.perf_counter()
    joined = plan.plan_join(
        [Path(f"{row}_{col}") for row in range(count) for col in range(count)], context.cancellation
    )
    planned = time.perf_counter() - begin
    geodesy = PixelGeodesy(joined.frame.crs, Affine(*joined.frame.transform))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_vector_writer(VectorTarget(Path(folder) / "roads.gpkg"), geodesy.crs) as writer,
    ):
        sample = SampleWriter(writer)
        joiner = Joiner(joined, geodesy, sample, context.cancellation)
        for number, part in enumerate(joined.parts):
            sample.is_written = number % _WRITTEN == 0
            joiner.add(part)
        sample.is_written = True
        summary = joiner.finish()
    differences, pieces = joined.joined + joined.loose.size, len(joined.chains.half)
    print(summary.edges, summary.nodes, summary.pieces, pieces, differences, f"{planned:.1f}")


def join(folder: Path, *, quick: bool, large: bool = False) -> list[Row]:
    """Measure the join of a raster of 500,000 x 500,000 pixels, or of 100,000 x 100,000.

    Args:
        folder: for temporary files.
        quick: the smaller one.
        large: make the partition of blocks of a virtual raster, which a worker computes (``bench_sparse``).
    """
    size, count = (4000, 25) if quick else (16_384 if large else 16_000, 31)
    path, program = folder / "part.npz", str(Path(__file__).resolve())
    maker = str(Path(program).with_name("bench_sparse.py")) if large else program
    made = run([sys.executable, maker, "--make", str(path), "--size", str(size)])
    rows = show_sample(json.loads(made.stdout)) if large else []
    measured = run([sys.executable, program, "--join", str(path), "--count", str(count)])
    edges, nodes, _, pieces, differences, planned = map(float, measured.stdout.split())
    name = f"join {count * size:,} x {count * size:,} pixels, {count * count} partitions"
    note = f"{edges / 1e6:.2f} million lines, {nodes / 1e6:.2f} million nodes, {pieces:,.0f} pieces at borders"
    one = f"one partition of {size:,} x {size:,} pixels"
    if not large:
        rows = [
            show(Row(f"{one}: memory", "GB", made.peak_bytes / 1e9, _WORKER_GB)),
            show(Row(f"{one}: processor time", "s", made.cpu)),
        ]
    return [
        *rows,
        show(Row(f"{name}: memory", "GB", measured.peak_bytes / 1e9, _GOAL_GB, note=note)),
        show(Row(f"{name}: processor time", "s", measured.cpu, note=f"{planned:.0f} s for the borders")),
        show(Row(f"{name}: borders that do not fit", "places", differences, 0.0)),
    ]


def show_sample(sample: dict[str, Any]) -> list[Row]:
    """Return rows of what ``bench_sparse`` measured."""
    name = f"{sample['blocks']:.0f} of {sample['all_blocks']:,.0f} blocks of a virtual raster"
    partition = f"a partition of {16_384:,} x {16_384:,} pixels from them"
    size = f"a file of {sample['partition_bytes'] / 1e6:.1f} MB"
    return [
        show(Row(f"{name}: processor time", "s a block", sample["block_seconds"])),
        show(Row(f"{name}: files", "MB a block", sample["block_bytes"] / 1e6)),
        show(Row(f"{name}: memory of the worker", "GB", sample["block_memory"] / 1e9, _WORKER_GB)),
        show(Row(f"{partition}: processor time", "s", sample["partition_seconds"], note=size)),
        show(Row(f"{partition}: memory of the worker", "GB", sample["partition_memory"] / 1e9, _WORKER_GB)),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path, help="make a partition")
    parser.add_argument("--size", type=int, default=16_000, help="its side in pixels, a multiple of 2000")
    parser.add_argument("--join", type=Path, help="join copies of a partition")
    parser.add_argument("--count", type=int, default=31, help="copies along each side")
    given = parser.parse_args()
    if given.make:
        make_partition(given.make, given.size)
    if given.join:
        join_moved(given.join, given.count)
