"""The road network of a run by partitions: files beside those of the blocks, from which the vector file is joined.

A partition may be vectorized anywhere once all blocks are there. Like a block's, its file gets its name only when it is
complete, so a run that is resumed makes only the partitions that are missing, damaged or of other options.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from affine import Affine
from rasterio.crs import CRS

from ..context import Cancellation, RunContext
from ..protocol.options import RoadOptions
from ..vector.coverage.extract import CoverageBatch
from ..vector.io.formats import VectorTarget
from ..vector.jit import warn_without_numba
from ..vector.partitions.join import join_road_partitions
from ..vector.partitions.storage import PartitionFolder
from ..vector.partitions.vectorize import vectorize_road_partition
from ..vector.roads.extract import RoadSummary
from .block_reader import BlockProbabilityRaster, BlockReader
from .block_store import BlockStore

#: Files of partitions.
ROADS = ".roads"


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

    @cached_property
    def folder(self) -> PartitionFolder:
        """The files; those of other blocks, options or sizes are in other folders."""
        facts = [self.name, self.nodata_cause, self.size, asdict(self.options)]
        return PartitionFolder(self.store.name_folder("roads", facts), self.store.shape, self.size)

    def vectorize(self, number: int, threads: int, cancellation: Cancellation) -> None:
        """Vectorize a partition and write its file, unless that is done.

        Args:
            number: of the partition.
            threads: to use where the options leave it open.
            cancellation: checked between tiles.

        Raises:
            Cancelled: no file was written.
            OutputError: a block is missing or damaged, or the file cannot be written.
        """
        if self.folder.is_complete(number, ROADS):
            return
        options = replace(self.options, threads=self.options.threads or threads)
        context = RunContext(cancellation=cancellation)
        window, source = self.folder.windows[number], self.open_source()
        partition = vectorize_road_partition(source, window, options, name=self.name, context=context)
        cancellation.check()
        # All partitions have the options of the run, whatever their workers had.
        partition = replace(partition, frame=replace(partition.frame, options=self.options))
        partition.write(self.folder.file(number, ROADS))

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
        paths = [self.folder.file(number, ROADS) for number in range(len(self.folder.windows))]
        return join_road_partitions(paths, target, context=context, areas=areas)

    def open_source(self) -> BlockProbabilityRaster:
        """Return the probabilities of the whole raster; windows are read from the blocks."""
        return BlockProbabilityRaster(
            BlockReader(self.store), self.store.shape, self.transform, self.crs, self.nodata_cause
        )
