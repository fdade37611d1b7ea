"""Blend overlapping tiles of probabilities into a seamless grid, piece by piece.

The weighted sum of the tiles is built from left to right and from top to bottom. Only the ramps that later tiles add to
are kept in memory: the one to the right neighbour and those to the row below, ramp x width instead of tile x width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .layout import TilePlan

#: Probabilities are rounded to multiples of 1/4096, so that sums are exact (see ``layout.WEIGHT_STEPS``).
PROBABILITY_STEPS = 4096

Floats = NDArray[np.float32]


def weight_tile(probability: Floats, plan: TilePlan, row: int, column: int) -> Floats:
    """Multiply a tile by its weights.

    Args:
        probability: (classes, tile, tile), values 0 to 1.
        plan: the layout of the tiles.
        row: the tile's row in the layout.
        column: its column.

    Returns:
        (classes, rows, columns) over the tile's active range, a new array; multiples of 2**-24.
    """
    (y0, y1), (x0, x1) = plan.rows.active_range(row), plan.columns.active_range(column)
    top, left = plan.rows.starts[row], plan.columns.starts[column]
    part = probability[:, y0 - top : y1 - top, x0 - left : x1 - left] * np.float32(PROBABILITY_STEPS)
    np.rint(part, out=part)
    part *= np.float32(1 / PROBABILITY_STEPS)
    ramp, (rising, falling) = plan.rows.ramp, plan.rows.ramps
    if row > 0:
        part[:, :ramp] *= rising[:, None]
    if row < plan.rows.count - 1:
        part[:, y1 - y0 - ramp :] *= falling[:, None]
    ramp, (rising, falling) = plan.columns.ramp, plan.columns.ramps
    if column > 0:
        part[:, :, :ramp] *= rising
    if column < plan.columns.count - 1:
        part[:, :, x1 - x0 - ramp :] *= falling
    return part


class RowBlender:
    """Blend the tiles of a plan in order and return pieces of the grid that no later tile changes."""

    def __init__(self, plan: TilePlan, classes: int) -> None:
        self._plan = plan
        self._below: Floats = np.zeros((classes, plan.rows.ramp, plan.columns.length), np.float32)
        self._right: Floats | None = None

    def add(self, row: int, column: int, probability: Floats | None) -> tuple[tuple[int, int, int, int], Floats]:
        """Add the next tile (tiles come in rows from the top, in each from the left).

        Args:
            row: the tile's row.
            column: its column.
            probability: (classes, tile, tile); None for a tile that was skipped, whose probabilities are 0.

        Returns:
            The window (x0, y0, x1, y1) that is final now, and its values (classes, rows, columns) float32.
            The windows of all tiles partition the grid.
        """
        plan, ramp = self._plan, self._plan.rows.ramp
        (y0, y1), (x0, x1) = plan.rows.active_range(row), plan.columns.active_range(column)
        if probability is None:
            part = np.zeros((len(self._below), y1 - y0, x1 - x0), np.float32)
        else:
            part = weight_tile(probability, plan, row, column)
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
