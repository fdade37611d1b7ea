"""Where arcs are cut, whatever the strips and partitions are, so that each is traced without the rest of the raster."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Bits, Flags, Ints, Labels

_WEST, _NORTH = 4, 8


class Breaks(NamedTuple):
    """Rows and columns of corners at which arcs end.

    They divide the raster into cells. A horizontal boundary edge on the upper side of a cell, and a vertical one on its
    left side, belongs to the cell. No arc has edges of two cells, because it ends where it comes to the upper side from
    above or to the left side from the left.

    Attributes:
        rows: height of a cell in pixels: no arc is higher than the window of rows in which its surroundings are known.
        cols: width of a cell.
        row: row of the raster with which begins what is traced.
        col: likewise, the column.
    """

    rows: int = 2048
    cols: int = 16_384
    row: int = 0
    col: int = 0

    def find_columns(self, cols: int) -> Ints:
        """Find the columns of corners at which arcs end, among those between ``cols`` columns of pixels."""
        col = np.arange(-self.col % self.cols, cols, self.cols)
        return col[col > 0]

    def find_ends(self, position: Labels, mask: Bits) -> Flags:
        """Find the corners (n, 2; row and column), with the boundary edges in ``mask``, at which arcs end."""
        y, x = position.T
        from_above = ((y + self.row) % self.rows == 0) & (mask & _NORTH != 0)
        return np.asarray(from_above | (((x + self.col) % self.cols == 0) & (mask & _WEST != 0)), np.bool_)


#: Those of all rasters; tests have smaller ones.
BREAKS = Breaks()
