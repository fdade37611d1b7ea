"""The coverage of a raster by partitions: files in a folder, each step of each partition made by any process."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from ....context import Cancellation
from ....errors import SourceError
from ...arrays import Floats
from ...coverage.codes import CodeSource, minimum_pixels
from ...coverage.extract import strip_height
from ...geodesy import PixelGeodesy
from ...roads.centerlines import Tile
from ..layout import split_raster
from .halo import Halo
from .join import PolygonJoiner
from .measure import measure_partition
from .merge import BORDERS, INSIDE, OPEN, OUTSIDE, REGIONS, merge_regions
from .storage import open_tables, write_tables
from .tables import CoverageFrame
from .trace import trace_partition

_MEASURED, _MERGED, _TRACED, _OPEN = ".regions", ".merged", ".polygons", "open.merged"


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
        folder: the folder of the files; it exists.
        frame: of the raster.
        source: its codes.
        transform: pixel to CRS coordinates.
        crs: the CRS, or None.
        size: side of a partition in pixels, a multiple of those of ``frame.breaks``.
    """

    folder: Path
    frame: CoverageFrame
    source: WindowedCodes
    transform: Affine
    crs: Any
    size: int

    def __post_init__(self) -> None:
        assert self.size % self.frame.breaks.rows == 0, "arcs end at the borders of partitions"
        assert self.size % self.frame.breaks.cols == 0, "arcs end at the borders of partitions"

    @cached_property
    def windows(self) -> list[Tile]:
        """The partitions, row by row."""
        return split_raster(self.frame.shape, self.size)

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
        path = self._path(number, _MEASURED)
        if self._is_complete(path, number):
            return
        halo = Halo.make(self.windows[number], self.frame.shape)
        rows = strip_height(self.frame.options, halo.outer.width)
        found = measure_partition(self._open(halo), halo, self._minimum, rows, cancellation)
        names = (REGIONS, BORDERS, OUTSIDE, INSIDE)
        write_tables(path, {"window": list(halo.window)}, list(zip(names, found, strict=True)))

    def merge(self, cancellation: Cancellation) -> None:
        """Merge what depends on several partitions, once all are measured; errors as ``merge_regions``."""
        opened = merge_regions(
            self.windows,
            lambda number: self._path(number, _MEASURED),
            lambda number: self._path(number, _MERGED),
            self._minimum,
            cancellation,
        )
        write_tables(self.folder / _OPEN, {}, [(OPEN, opened)])

    def trace(self, number: int, cancellation: Cancellation) -> None:
        """Trace a partition, once all are merged, unless that is done; errors as ``trace_partition``."""
        path = self._path(number, _TRACED)
        if self._is_complete(path, number):
            return
        halo = Halo.make(self.windows[number], self.frame.shape)
        merged = self._path(number, _MERGED)
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
        return PolygonJoiner(
            self.frame,
            self.geodesy,
            self.windows,
            traced=lambda number: self._path(number, _TRACED),
            opened=self.folder / _OPEN,
            scratch=scratch,
        )

    def count_traced(self) -> int:
        """Return how many partitions have a file of their polygons, whatever is in it."""
        return sum(1 for _ in self.folder.glob(f"[0-9]*{_TRACED}"))

    def remove_partial_files(self) -> None:
        """Remove what was left by processes that ended before their files were complete."""
        for path in self.folder.glob(".*"):
            with suppress(OSError):
                path.unlink()

    @property
    def _minimum(self) -> Floats:
        """Pixels that a region of each code needs to stay."""
        return minimum_pixels(self.frame.options, self.geodesy.resolution(self.frame.shape) ** 2)

    def _open(self, halo: Halo) -> CodeSource:
        return _OwnConfidence(self.source.open_window(halo.outer), halo)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:06d}{suffix}"

    def _is_complete(self, path: Path, number: int) -> bool:
        """Return whether a file is there and complete, after reading all of it."""
        try:
            with open_tables(path) as file:
                return file.header["window"] == list(self.windows[number]) and file.is_complete()
        except (SourceError, KeyError):
            return False
