"""The road network of a run by partitions: files beside those of the blocks, from which the vector file is joined.

A partition may be vectorized anywhere once all blocks are there. Like a block's, its file gets its name only when it is
complete, so a run that is resumed makes only the partitions that are missing, damaged or of other options.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from affine import Affine
from rasterio.crs import CRS

from ..context import Cancellation, RunContext
from ..errors import SourceError
from ..fs.atomic import translate_os_errors
from ..protocol.options import RoadOptions
from ..vector.coverage.extract import CoverageBatch
from ..vector.io.formats import VectorTarget
from ..vector.jit import warn_without_numba
from ..vector.partitions.join import join_road_partitions
from ..vector.partitions.layout import split_raster
from ..vector.partitions.storage import read_partition, write_partition
from ..vector.partitions.vectorize import vectorize_road_partition
from ..vector.roads.centerlines import Tile
from ..vector.roads.extract import RoadSummary
from .block_reader import BlockProbabilityRaster, BlockReader
from .block_store import BlockStore

_SUFFIX = ".roads"


@dataclass(frozen=True)
class RoadPartitions:
    """The partitions of the roads of a run whose blocks are complete. Picklable.

    Attributes:
        store: the blocks; the first band of their first raster is the probability of road.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
        nodata_cause: what marks pixels without a probability.
        name: of the image.
        options: of the roads.
        size: side of a partition in pixels.
    """

    store: BlockStore
    transform: Affine
    crs: CRS | None
    nodata_cause: str
    name: str
    options: RoadOptions
    size: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the raster."""
        plan = self.store.layout.plan
        return plan.rows.length, plan.columns.length

    @cached_property
    def windows(self) -> list[Tile]:
        """The partitions, row by row."""
        return split_raster(self.shape, self.size)

    @cached_property
    def folder(self) -> Path:
        """The folder of the files; those of other blocks, options or sizes are in others."""
        facts = [self.store.fingerprint, self.name, self.nodata_cause, self.size, asdict(self.options)]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self.store.folder / f"roads-{digest[:16]}"

    def path(self, number: int) -> Path:
        """Return the file of a partition."""
        return self.folder / f"{number:06d}{_SUFFIX}"

    def count_files(self) -> int:
        """Return how many partitions have a file, whatever is in it."""
        return sum(1 for _ in self.folder.glob(f"[0-9]*{_SUFFIX}"))

    def remove_partial_files(self) -> None:
        """Remove what was left by processes that ended before their partitions were complete."""
        for path in self.folder.glob(".*"):
            with suppress(OSError):
                path.unlink()

    def check(self, number: int) -> bool:
        """Return whether the file of a partition is there and complete, after reading all of it."""
        path = self.path(number)
        try:
            return path.exists() and read_partition(path).window == self.windows[number]
        except SourceError:
            return False

    def vectorize(self, number: int, threads: int, cancellation: Cancellation) -> None:
        """Vectorize a partition and write its file.

        Args:
            number: of the partition.
            threads: to use where the options leave it open.
            cancellation: checked between tiles.

        Raises:
            Cancelled: no file was written.
            OutputError: a block is missing or damaged, or the file cannot be written.
        """
        options = replace(self.options, threads=self.options.threads or threads)
        context = RunContext(cancellation=cancellation)
        window, source = self.windows[number], self.open_source()
        partition = vectorize_road_partition(source, window, options, name=self.name, context=context)
        cancellation.check()
        with translate_os_errors(self.store.output):
            self.folder.mkdir(exist_ok=True)
        # All partitions have the options of the run, whatever their workers had.
        write_partition(self.path(number), replace(partition, frame=replace(partition.frame, options=self.options)))

    def join(self, target: VectorTarget, context: RunContext, areas: Iterable[CoverageBatch]) -> RoadSummary:
        """Join all partitions and write the layers.

        Args:
            target: the file to write.
            context: receives progress and messages; checked for cancellation.
            areas: polygons of the layer ``road_areas``; none for no such layer.

        Raises:
            OutputError: the output cannot be written, or a block is damaged.
            SourceError: a partition is damaged.
            Cancelled: nothing was written.
        """
        warn_without_numba(context)
        paths = [self.path(number) for number in range(len(self.windows))]
        return join_road_partitions(paths, target, context=context, areas=areas)

    def open_source(self) -> BlockProbabilityRaster:
        """Return the probabilities of the whole raster; windows are read from the blocks."""
        return BlockProbabilityRaster(BlockReader(self.store), self.shape, self.transform, self.crs, self.nodata_cause)
