"""The vectors of a run by partitions: files beside those of the blocks, from which the vector file is joined.

A partition may be vectorized anywhere once all blocks are there. Like a block's, its file gets its name only when it is
complete, so a run that is resumed makes only the partitions that are missing, damaged or of other options.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from ..context import Cancellation, RunContext
from ..protocol.options import CoverageOptions, RoadOptions
from ..raster.probability import NODATA, PROBABILITY_SCALE, QuantizedRaster
from ..vector.coverage import extract
from ..vector.coverage.codes import CodeSource
from ..vector.geodesy import PixelGeodesy
from ..vector.io.formats import VectorTarget
from ..vector.jit import warn_without_numba
from ..vector.partitions.join import join_road_partitions
from ..vector.partitions.polygons.coverage import PartitionedCoverage, WindowedCodes
from ..vector.partitions.polygons.tables import CoverageFrame
from ..vector.partitions.storage import PartitionFolder
from ..vector.partitions.vectorize import vectorize_road_partition
from ..vector.roads.areas import RoadMaskReader, area_options
from ..vector.roads.centerlines import Tile
from ..vector.roads.extract import RoadSummary
from ..vector.roads.options import pixel_options
from .block_reader import BlockReader
from .block_store import BlockStore

#: Suffix of the files of partitions of roads.
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

    def join(self, target: VectorTarget, context: RunContext, areas: Iterable[extract.CoverageBatch]) -> RoadSummary:
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

    def open_source(self) -> QuantizedRaster:
        """Return the probabilities of the whole raster; windows are read from the blocks."""
        read, shape = BlockReader(self.store).read_band, self.store.shape
        return QuantizedRaster(shape, self.transform, self.crs, self.nodata_cause, read_stored=read)


@dataclass(frozen=True)
class BlockClasses:
    """Class codes from the files of blocks, a ``WindowedCodes``.

    Attributes:
        store: the blocks; their first raster is one of a ``ClassEncoder`` with confidence.
    """

    store: BlockStore

    def open_window(self, window: Tile) -> CodeSource:
        """Return the codes of a window."""
        return _ClassWindow(BlockReader(self.store), window)


class _ClassWindow:
    """Codes and confidence of a window.

    Args:
        reader: of the blocks.
        window: the window.
    """

    def __init__(self, reader: BlockReader, window: Tile) -> None:
        self.shape = (window.height, window.width)
        self._reader, self._window = reader, window
        self._last: tuple[int, int, NDArray[np.uint8]] = (0, 0, np.zeros((0, 0, 0), np.uint8))

    def read_codes(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the codes of some rows."""
        codes: NDArray[np.uint8] = np.arange(1, 257).astype(np.uint8)
        codes[NODATA] = 0
        return np.asarray(cv2.LUT(np.ascontiguousarray(self._read(row, height)[0]), codes), np.uint8)

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the quantized confidence of some rows; 0 for no data."""
        confidence = self._read(row, height)[1]
        return np.where(confidence <= PROBABILITY_SCALE, confidence, np.uint8(0))

    def _read(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read some rows, (2, rows, columns); those that were read last are there, because both are asked for."""
        if self._last[:2] != (row, height):
            top, left = self._window.row + row, self._window.col
            rows = self._reader.read((left, top, left + self._window.width, top + height))
            self._last = row, height, rows
        return self._last[2]


@dataclass(frozen=True)
class BlockRoadMask:
    """The road mask as class codes, from the files of blocks, a ``WindowedCodes``.

    Attributes:
        store: the blocks; the first band of their first raster is the probability of road.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
        options: of the roads.
    """

    store: BlockStore
    transform: Affine
    crs: CRS | None
    options: RoadOptions

    def open_window(self, window: Tile) -> CodeSource:
        """Return the codes of a window."""
        read = BlockReader(self.store).read_band
        source = QuantizedRaster(self.store.shape, self.transform, self.crs, read_stored=read)
        resolution = PixelGeodesy(self.crs, self.transform).resolution(source.shape)
        return RoadMaskReader(source, pixel_options(self.options, resolution), window)


def partition_landcover(
    store: BlockStore,
    georeference: tuple[Affine, CRS | None],
    name: str,
    options: CoverageOptions,
    regularized: tuple[int, ...],
) -> PartitionedCoverage:
    """Return the partitions of the classes of a run whose blocks are complete.

    Args:
        store: the blocks.
        georeference: pixel to CRS coordinates, and the CRS.
        name: of the image.
        options: of the polygons.
        regularized: ids of the classes that get right angles.
    """
    frame = CoverageFrame(name, store.shape, options, regularized, extract.BREAKS)
    return _open_folder(store, frame, BlockClasses(store), georeference)


def partition_road_areas(
    store: BlockStore, georeference: tuple[Affine, CRS | None], name: str, options: RoadOptions
) -> PartitionedCoverage:
    """Return the partitions of the road areas of a run; arguments as for ``partition_landcover``."""
    frame = CoverageFrame(name, store.shape, area_options(options, store.shape[0]), breaks=extract.BREAKS)
    return _open_folder(store, frame, BlockRoadMask(store, *georeference, options), georeference, asdict(options))


def _open_folder(
    store: BlockStore,
    frame: CoverageFrame,
    source: WindowedCodes,
    georeference: tuple[Affine, CRS | None],
    settings: object = None,
) -> PartitionedCoverage:
    """Return the partitions in a folder of their own: those of other blocks or options are in others."""
    path = store.name_folder("polygons", [type(source).__name__, asdict(frame), settings])
    folder = PartitionFolder(path, frame.shape, frame.breaks.cols)
    return PartitionedCoverage(folder, frame, source, *georeference)
