"""Layout of overlapping tiles over a grid, and the weight of each tile at each pixel.

Tiles are spread evenly from the first pixel to the last, so that every tile is filled with real pixels, and neighbours
overlap by at least the requested number of pixels. In the middle of each overlap the weight passes from one tile to the
next over a ramp; elsewhere exactly one tile has the weight 1. Weights are multiples of 1/``WEIGHT_STEPS`` and the ramps
of neighbours complement each other, so the weights at a pixel sum to exactly 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError

#: Weights are multiples of 1/64. With probabilities in multiples of 1/4096 (``blend.PROBABILITY_STEPS``) every weighted
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
