"""Number the regions of a raster as one run does, in the row order of their first pixels, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...arrays import Ints
from ...roads.centerlines import Tile
from ..tables import split_keys


class BandNumbers:
    """Numbers of the first pixels in the partitions of one row of them.

    Args:
        windows: these partitions, from left to right.
        keys: the first pixels in each, ascending.
        before: the number of first pixels in the rows of partitions above.

    Attributes:
        end: the number of all first pixels up to the last one.
    """

    def __init__(self, windows: Sequence[Tile], keys: Sequence[Ints], before: int) -> None:
        self._top = windows[0].row
        counts = np.array([self._count_rows(own, windows[0].height) for own in keys])
        in_row = counts.sum(axis=0)
        above = before + np.cumsum(in_row) - in_row
        self._offset = above + np.cumsum(counts, axis=0) - counts
        self.end = before + int(in_row.sum())

    def number(self, part: int, keys: Ints) -> Ints:
        """Return the numbers, from 1, of all first pixels of a partition, ascending."""
        row = split_keys(keys)[0] - self._top
        in_row = np.arange(keys.size) - np.searchsorted(row, row)
        return np.asarray(self._offset[part][row] + in_row + 1, np.int64)

    def _count_rows(self, keys: Ints, rows: int) -> Ints:
        return np.bincount(split_keys(keys)[0] - self._top, minlength=rows)
