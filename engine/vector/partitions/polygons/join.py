"""Join the traced partitions of a coverage: number all polygons, and assemble those that cross borders.

Partitions are read one after the other. Of earlier ones there are in memory the numbers of open regions, and those of
their arcs that the next partitions do not complete, as far as they do not wait on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....context import Cancellation
from ....fs.spool import ArraySpool
from ...arrays import find_sorted
from ...coverage.arcs import ArcBuffer, Arcs
from ...coverage.extract import CoverageBatch, make_batch
from ...coverage.polygons import Polygons, assemble_block
from ...geodesy import PixelGeodesy
from ..storage import PartitionFolder, TableFile, open_tables
from .merge import OpenRegions
from .numbering import BandNumbers
from .tables import OPEN, TRACED, CoverageFrame, FirstPixels, PolygonTable, RegionParts
from .trace import KEPT_PLAIN


class PolygonJoiner:
    """Joins the partitions of a coverage.

    Args:
        frame: of the raster.
        geodesy: of the raster.
        folder: the traced partitions.
        scratch: folder for temporary files; None for the system's.

    Attributes:
        kept_plain: regions that keep borders without right angles because they lie at the border of a partition;
            known after the last batch.

    Raises:
        SourceError: a file is missing or damaged.
    """

    def __init__(
        self,
        frame: CoverageFrame,
        geodesy: PixelGeodesy,
        folder: PartitionFolder,
        scratch: Path | None,
    ) -> None:
        self._frame, self._geodesy, self._folder, self._scratch = frame, geodesy, folder, scratch
        with open_tables(folder.path / OPEN) as file:
            self._open = file.read(OpenRegions)
        count = self._open.key.size
        self._numbers = np.zeros((2, count), np.int64)
        self._area, self._confidence = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._ends = [0, 0]
        self.kept_plain = 0

    def join(self, cancellation: Cancellation) -> Iterator[CoverageBatch]:
        """Yield the polygons, partition by partition, in batches."""
        grid = self._geodesy.make_grid(self._frame.shape)
        with ArraySpool(self._scratch) as spool:
            buffer = ArcBuffer(np.append(np.int32(-1), self._open.last), spool)
            across = self._folder.across
            for band in range(0, len(self._folder.windows), across):
                numbers = self._number_band(band)
                for number in range(band, band + across):
                    cancellation.check()
                    yield from self._read_partition(number, number - band, numbers, buffer)
                    for polygons in assemble_block(buffer, number, grid):
                        yield self._make_open_batch(polygons.region - 1, polygons)

    def _number_band(self, first: int) -> tuple[BandNumbers, BandNumbers]:
        """Number the first pixels in a row of partitions: all, and those of regions with polygons."""
        tables, end = [], first + self._folder.across
        for number in range(first, end):
            with open_tables(self._folder.file(number, TRACED)) as file:
                tables.append(file.read(FirstPixels))
        windows = self._folder.windows[first:end]
        every = BandNumbers(windows, [table.key for table in tables], self._ends[0])
        included = BandNumbers(windows, [table.key[table.is_included] for table in tables], self._ends[1])
        self._ends = [every.end, included.end]
        return every, included

    def _read_partition(
        self, number: int, part: int, numbers: tuple[BandNumbers, BandNumbers], buffer: ArcBuffer
    ) -> Iterator[CoverageBatch]:
        """Read a partition: yield its polygons, and collect what is open."""
        with open_tables(self._folder.file(number, TRACED)) as file:
            self.kept_plain += int(file.header[KEPT_PLAIN])
            first = file.read(FirstPixels)
            keys = first.key[first.is_included]
            own = np.stack((numbers[0].number(part, first.key)[first.is_included], numbers[1].number(part, keys)))
            at, is_there = find_sorted(keys, self._open.key)
            self._numbers[:, is_there] = own[:, at[is_there]]
            self._collect(file, number, buffer)
            for table, polygons in zip(file.read_all(PolygonTable), file.read_all(Polygons), strict=True):
                numbered = own[:, np.searchsorted(keys, table.key)]
                confidence = table.confidence / table.pixels
                yield make_batch(polygons, self._geodesy, *numbered, code=table.code, confidence=confidence)

    def _collect(self, file: TableFile, number: int, buffer: ArcBuffer) -> None:
        """Add the parts of open regions in a partition, and their arcs."""
        parts = file.read(RegionParts)
        region = np.searchsorted(self._open.key, parts.key).astype(np.int32)
        self._area[region] += parts.area
        self._confidence[region] += parts.confidence
        table = np.append(np.int32(0), region + np.int32(1))
        for arcs in file.read_all(Arcs):
            buffer.add(arcs._replace(sides=table[arcs.sides]), number)

    def _make_open_batch(self, region: NDArray[np.int32], polygons: Polygons) -> CoverageBatch:
        code = self._open.code[region]
        self.kept_plain += int(np.isin(code, np.array(self._frame.regularized, np.int64) + 1).sum())
        confidence = self._confidence[region] / self._area[region]
        return make_batch(polygons, self._geodesy, *self._numbers[:, region], code=code, confidence=confidence)
