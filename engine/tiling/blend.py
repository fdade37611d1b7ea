"""Blending tiles of probabilities into rows that are final.

The sum over tiles of weight times probability is built tile by tile, from left to right and from top to bottom.
Only what later tiles still add to is kept: the ramp to the right neighbour and the ramps to the row below. So memory
is ramp x width, not tile x width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .layout import TileAxis, TilePlan

#: Probabilities are blended in multiples of 1/4096, see ``axis.UNITS``: far finer than they are written.
LEVELS = 4096

Floats = NDArray[np.float32]


def weighted(probability: Floats, plan: TilePlan, row: int, column: int) -> Floats:
    """The part of a tile that counts, times its weights.

    Args:
        probability: (classes, tile, tile), values 0 to 1.
        plan: the lattice.
        row: the tile's row in the lattice.
        column: its column.

    Returns:
        (classes, rows, columns) over the tile's support, a new array; multiples of 2**-24.
    """
    (y0, y1), (x0, x1) = plan.rows.support(row), plan.columns.support(column)
    top, left = plan.rows.starts[row], plan.columns.starts[column]
    part = probability[:, y0 - top : y1 - top, x0 - left : x1 - left] * np.float32(LEVELS)
    np.rint(part, out=part)
    part *= np.float32(1 / LEVELS)
    _fade(part, plan.rows, row, axis=1)
    _fade(part, plan.columns, column, axis=2)
    return part


def _fade(part: Floats, axis_plan: TileAxis, index: int, axis: int) -> None:
    """Multiply the ramps of ``part`` by their weights; between them the weight is 1."""
    ramp = axis_plan.ramp
    rising, falling = axis_plan.ramps
    ends = [(slice(0, ramp), rising)] if index > 0 else []
    if index < axis_plan.count - 1:
        ends.append((slice(part.shape[axis] - ramp, None), falling))
    for end, weights in ends:
        if axis == 1:
            part[:, end] *= weights[:, None]
        else:
            part[:, :, end] *= weights


class RowBlender:
    """Takes the tiles of a plan in order and gives pieces of the grid that no later tile changes.

    Args:
        plan: the lattice.
        classes: layers of a tile.
    """

    def __init__(self, plan: TilePlan, classes: int) -> None:
        self._plan = plan
        self._below: Floats = np.zeros((classes, plan.rows.ramp, plan.columns.length), np.float32)
        self._right: Floats | None = None

    def add(self, row: int, column: int, probability: Floats | None) -> tuple[tuple[int, int, int, int], Floats]:
        """Add the next tile (tiles come in rows from the top, in each from the left).

        Args:
            row: the tile's row.
            column: its column.
            probability: (classes, tile, tile); None for a tile that was skipped, which counts as 0.

        Returns:
            The piece of the grid that is final now, as (x0, y0, x1, y1), and its values (classes, rows, columns).
            The pieces of all tiles partition the grid.
        """
        plan, ramp = self._plan, self._plan.rows.ramp
        (y0, y1), (x0, x1) = plan.rows.support(row), plan.columns.support(column)
        if probability is None:
            part = np.zeros((len(self._below), y1 - y0, x1 - x0), np.float32)
        else:
            part = weighted(probability, plan, row, column)
        if column > 0 and self._right is not None:
            part[:, :, : plan.columns.ramp] += self._right
        if column < plan.columns.count - 1:
            x1 -= plan.columns.ramp
            self._right = part[:, :, x1 - x0 :].copy()
            part = part[:, :, : x1 - x0]
        if row > 0:
            part[:, :ramp] += self._below[:, :, x0:x1]
        if row < plan.rows.count - 1:
            y1 -= ramp
            self._below[:, :, x0:x1] = part[:, y1 - y0 :]
            part = part[:, : y1 - y0]
        return (x0, y0, x1, y1), part
