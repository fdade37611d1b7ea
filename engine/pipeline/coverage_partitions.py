"""The polygons of a run by partitions: the codes of its blocks, and the folder of the partitions beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from ..protocol.options import CoverageOptions, RoadOptions
from ..raster.probability import NODATA, PROBABILITY_SCALE
from ..vector.coverage import extract
from ..vector.coverage.codes import CodeSource
from ..vector.geodesy import PixelGeodesy
from ..vector.partitions.polygons.coverage import PartitionedCoverage, WindowedCodes
from ..vector.partitions.polygons.tables import CoverageFrame
from ..vector.partitions.storage import PartitionFolder
from ..vector.roads.areas import RoadMaskReader, area_options
from ..vector.roads.centerlines import Tile
from ..vector.roads.options import pixel_options
from .block_reader import BlockProbabilityRaster, BlockReader
from .block_store import BlockStore


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
        source = BlockProbabilityRaster(BlockReader(self.store), self.store.shape, self.transform, self.crs)
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
