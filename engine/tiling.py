"""Overlapping tiles over a grid: their layout, their weights, and the blending of their probabilities.

Tiles are spread evenly from the first pixel to the last, so that every tile is filled with real pixels, and neighbours
overlap by at least the requested number of pixels. In the middle of each overlap the weight passes from one tile to the
next over a ramp; elsewhere exactly one tile has the weight 1. Weights are multiples of 1/``WEIGHT_STEPS`` and the ramps
of neighbours complement each other, so the weights at a pixel sum to exactly 1.

The weighted sum of the tiles is built from left to right and from top to bottom. Only the ramps that later tiles add to
are kept in memory: the one to the right neighbour and those to the row below, ramp x width instead of tile x width.

Blocks are rectangles of tiles that can be computed anywhere, in any order, and merged by addition. The result of a
block is the weighted sum of its tiles over their active range: final inside, and partial in the halo, the ramps that it
shares with its neighbours. All sums are exact in float32 (see ``WEIGHT_STEPS``), so merged blocks of any size are
equal, bit for bit, to one run over all tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import ParameterError

#: Weights are multiples of 1/64. With probabilities in multiples of 1/4096 (``PROBABILITY_STEPS``) every weighted
#: sum over rows and columns is a multiple of 2**-24 of at most 1: exact in float32 in any order of additions.
WEIGHT_STEPS = 64


@dataclass(frozen=True)
class AxisTiling:
    """Tiles along one axis of a grid.

    Attributes:
        length: pixels of the axis.
        tile: pixels of a tile; where it is above ``length`` there is one tile that reaches beyond the end.
        starts: first pixel of each tile, ascending, from 0; the last tile ends at ``length``.
        ramp: pixels over which the weight passes from one tile to the next, even; 0 is a hard cut.
    """

    length: int
    tile: int
    starts: tuple[int, ...]
    ramp: int

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.starts)

    @cached_property
    def borders(self) -> tuple[int, ...]:
        """Middles of the overlaps of neighbours, where both weights are one half."""
        return tuple((b + a + self.tile) // 2 for a, b in zip(self.starts, self.starts[1:], strict=False))

    def active_range(self, index: int) -> tuple[int, int]:
        """First pixel and end of the range in which tile ``index`` has a weight above 0."""
        half = self.ramp // 2
        first = 0 if index == 0 else self.borders[index - 1] - half
        end = self.length if index == self.count - 1 else self.borders[index] + half
        return first, end

    def finalized_range(self, index: int) -> tuple[int, int]:
        """First pixel and end of the range that becomes final when tile ``index`` is added."""
        first, end = self.active_range(index)
        return first, end if index == self.count - 1 else end - self.ramp

    @cached_property
    def ramps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights of the ramp in which a tile begins, rising, and of the ramp in which it ends, falling.

        Both (ramp,) float32, multiples of 1/64 in 0..1, symmetric in themselves.
        """
        rising = np.rint((np.arange(self.ramp) + 0.5) / self.ramp * WEIGHT_STEPS) if self.ramp else np.zeros(0)
        return (rising / WEIGHT_STEPS).astype(np.float32), ((WEIGHT_STEPS - rising) / WEIGHT_STEPS).astype(np.float32)


def make_axis(length: int, tile: int, overlap: int) -> AxisTiling:
    """Lay out the fewest tiles over ``length`` pixels that overlap by at least ``overlap``, spread evenly.

    Args:
        length: pixels, at least 1.
        tile: pixels of a tile, at least 1.
        overlap: pixels, 0 to tile - 1.
    """
    if length <= tile:
        return AxisTiling(length, tile, (0,), 0)
    count = -(-(length - overlap) // (tile - overlap))
    starts = tuple(round(i * (length - tile) / (count - 1)) for i in range(count))
    axis = AxisTiling(length, tile, starts, 0)
    # Ramps must not touch, so that no pixel has more than two tiles.
    room = min([b - a for a, b in zip(axis.borders, axis.borders[1:], strict=False)], default=overlap)
    return AxisTiling(length, tile, starts, min(overlap, room) // 2 * 2)


@dataclass(frozen=True)
class TilePlan:
    """Square tiles over a grid, in rows and columns.

    Attributes:
        rows: tiling of the vertical axis.
        columns: tiling of the horizontal axis.
        tile: pixels along a tile's side.
        overlap: pixels that neighbours share, at least.
    """

    rows: AxisTiling
    columns: AxisTiling
    tile: int
    overlap: int

    @property
    def count(self) -> int:
        """Number of tiles."""
        return self.rows.count * self.columns.count


def make_plan(width: int, height: int, tile: int, overlap: int, multiple: int = 1) -> TilePlan:
    """Lay tiles over a grid of ``width`` x ``height`` pixels.

    Args:
        width: columns of the grid.
        height: rows of the grid.
        tile: pixels along a tile's side.
        overlap: pixels that neighbours share at least; up to half a tile.
        multiple: the network takes only sizes that are multiples of this.

    Raises:
        ParameterError: tile or overlap cannot be used.
    """
    if tile < 1 or tile % multiple:
        raise ParameterError(f"The tile of {tile} pixels cannot be used: the model takes multiples of {multiple}.")
    if tile > 2**14:
        raise ParameterError(f"The tile of {tile} pixels is too large.", "Choose one of at most 16384 pixels.")
    if not 0 <= overlap <= tile // 2:
        raise ParameterError(
            f"The overlap of {overlap} pixels cannot be used: it must be 0 to half a tile ({tile // 2})."
        )
    return TilePlan(make_axis(height, tile, overlap), make_axis(width, tile, overlap), tile, overlap)


#: Probabilities are rounded to multiples of 1/4096, so that sums are exact (see ``WEIGHT_STEPS``).
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


@dataclass(frozen=True)
class Block:
    """A rectangle of tiles of a plan.

    Attributes:
        rows: rows of tiles.
        columns: columns of tiles.
        window: the pixels of the grid to which its tiles add, halo included, as (x0, y0, x1, y1).
        input_window: the pixels of the grid that its tiles are read from, as (x0, y0, x1, y1).
    """

    rows: range
    columns: range
    window: tuple[int, int, int, int]
    input_window: tuple[int, int, int, int]


def make_block(plan: TilePlan, rows: range, columns: range) -> Block:
    """Make the block of the tiles ``rows`` x ``columns`` of ``plan``; neither range is empty."""
    x, y = plan.columns, plan.rows
    window = (
        x.active_range(columns[0])[0],
        y.active_range(rows[0])[0],
        x.active_range(columns[-1])[1],
        y.active_range(rows[-1])[1],
    )
    input_window = (
        x.starts[columns[0]],
        y.starts[rows[0]],
        min(x.length, x.starts[columns[-1]] + plan.tile),
        min(y.length, y.starts[rows[-1]] + plan.tile),
    )
    return Block(rows, columns, window, input_window)


def whole_block(plan: TilePlan) -> Block:
    """Make the block of all tiles of ``plan``."""
    return make_block(plan, range(plan.rows.count), range(plan.columns.count))
