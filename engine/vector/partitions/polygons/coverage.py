"""The coverage of a raster by partitions: files in a folder, each step of each partition made by any process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from ....context import Cancellation
from ...arrays import Floats
from ...coverage.codes import CodeSource, minimum_pixels
from ...coverage.extract import strip_height
from ...geodesy import PixelGeodesy
from ...roads.centerlines import Tile
from ..storage import PartitionFolder, open_tables, write_tables
from .halo import Halo
from .join import PolygonJoiner
from .measure import measure_partition
from .merge import MergedRegions, merge_regions
from .tables import MEASURED, MERGED, OPEN, TRACED, CoverageFrame
from .trace import trace_partition


class WindowedCodes(Protocol):
    """Class codes of a raster, of which any window can be read. Picklable, if other processes use it."""

    def open_window(self, window: Tile) -> CodeSource:
        """Return the codes of a window; its first row is row 0."""


class _OwnConfidence:
    """Codes of the outer window of a partition; the confidence of the pixels of other partitions is 0.

    Args:
        source: the codes of the outer window.
        halo: the partition.
    """

    def __init__(self, source: CodeSource, halo: Halo) -> None:
        self._source, self._halo, self.shape = source, halo, source.shape

    def read_codes(self, row: int, height: int) -> NDArray[np.unsignedinteger[Any]]:
        """Read the codes of some rows."""
        return self._source.read_codes(row, height)

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the confidence of some rows; without rows where there is none."""
        confidence = self._source.read_confidence(row, height)
        if not len(confidence):
            return confidence
        window, outer = self._halo.window, self._halo.outer
        top, left = window.row - outer.row - row, window.col - outer.col
        own = np.zeros_like(confidence)
        inside = np.s_[max(top, 0) : max(top + window.height, 0), left : left + window.width]
        own[inside] = confidence[inside]
        return own


@dataclass(frozen=True)
class PartitionedCoverage:
    """The coverage of a raster by partitions.

    First every partition is measured, then all are merged, then every partition is traced, then all are joined.

    Attributes:
        folder: the files of the partitions, whose size is a multiple of those of ``frame.breaks``; it exists.
        frame: of the raster.
        source: its codes.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
    """

    folder: PartitionFolder
    frame: CoverageFrame
    source: WindowedCodes
    transform: Affine
    crs: Any

    def __post_init__(self) -> None:
        assert self.folder.size % self.frame.breaks.rows == 0, "arcs end at the borders of partitions"
        assert self.folder.size % self.frame.breaks.cols == 0, "arcs end at the borders of partitions"

    @cached_property
    def geodesy(self) -> PixelGeodesy:
        """Measures on the ellipsoid."""
        return PixelGeodesy(self.crs, self.transform)

    def measure(self, number: int, cancellation: Cancellation) -> None:
        """Measure a partition, unless that is done.

        Raises:
            SourceError: the codes cannot be read.
            OutputError: the file cannot be written.
        """
        if self.folder.is_complete(number, MEASURED):
            return
        halo = Halo.make(self.folder.windows[number], self.frame.shape)
        rows = strip_height(self.frame.options, halo.outer.width)
        found = measure_partition(self._open(halo), halo, self._minimum, rows, cancellation)
        write_tables(self.folder.file(number, MEASURED), {"window": halo.window}, found)

    def merge(self, cancellation: Cancellation) -> None:
        """Merge what depends on several partitions, once all are measured; errors as ``merge_regions``."""
        write_tables(self.folder.path / OPEN, {}, [merge_regions(self.folder, self._minimum, cancellation)])

    def trace(self, number: int, cancellation: Cancellation) -> None:
        """Trace a partition, once all are merged, unless that is done; errors as ``trace_partition``."""
        if self.folder.is_complete(number, TRACED):
            return
        halo, path = Halo.make(self.folder.windows[number], self.frame.shape), self.folder.file(number, TRACED)
        with open_tables(self.folder.file(number, MERGED)) as file:
            merged = file.read(MergedRegions)
        trace_partition(
            self._open(halo), halo, self.frame, self.geodesy, merged=merged, path=path, cancellation=cancellation
        )

    def open_joiner(self, scratch: Path | None) -> PolygonJoiner:
        """Prepare to join all partitions, once they are traced.

        Args:
            scratch: folder for temporary files; None for the system's.

        Raises:
            SourceError: a file is missing or damaged.
        """
        return PolygonJoiner(self.frame, self.geodesy, self.folder, scratch)

    @property
    def _minimum(self) -> Floats:
        """Pixels that a region of each code needs to stay."""
        return minimum_pixels(self.frame.options, self.geodesy.resolution(self.frame.shape) ** 2)

    def _open(self, halo: Halo) -> CodeSource:
        return _OwnConfidence(self.source.open_window(halo.outer), halo)
