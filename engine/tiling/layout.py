"""Tiles along one axis: where they start, and how much each counts at each pixel.

Tiles are spread evenly from the first pixel to the last, so that every one sees real pixels up to its edge, and
neighbours overlap by at least what was asked for. In the middle of each overlap the weight passes from one tile to
the next over a ramp; elsewhere exactly one tile counts. Weights are whole numbers of ``UNITS``-ths and the ramps of
neighbours complement each other, so the weights at a pixel sum to exactly 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError

#: Weights are multiples of 1/64. With probabilities in multiples of 1/4096 every weighted sum over rows and columns
#: is a multiple of 2**-24 of at most 1: exact in float32, so the order of additions cannot matter.
UNITS = 64


@dataclass(frozen=True)
class TileAxis:
    """Tiles along one axis.

    Attributes:
        length: pixels of the axis.
        tile: pixels of a tile; may be above ``length``, then there is one tile that reaches beyond the end.
        starts: first pixel of each tile, ascending, from 0; the last tile ends at ``length``.
        ramp: pixels over which the weight passes from one tile to the next, even; 0 is a hard cut.
    """

    length: int
    tile: int
    starts: tuple[int, ...]
    ramp: int

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return len(self.starts)

    @cached_property
    def borders(self) -> tuple[int, ...]:
        """The pixels between neighbours where both count half: the middles of their overlaps."""
        return tuple((b + a + self.tile) // 2 for a, b in zip(self.starts, self.starts[1:], strict=False))

    def support(self, index: int) -> tuple[int, int]:
        """First pixel and end of where tile ``index`` counts at all."""
        half = self.ramp // 2
        first = 0 if index == 0 else self.borders[index - 1] - half
        end = self.length if index == self.count - 1 else self.borders[index] + half
        return first, end

    def settled(self, index: int) -> tuple[int, int]:
        """First pixel and end of what is final once tile ``index`` is added, and was not before."""
        first, end = self.support(index)
        return first, end if index == self.count - 1 else end - self.ramp

    def weights(self, index: int) -> NDArray[np.float32]:
        """Weight of tile ``index`` at each pixel of its support, multiples of 1/64 in 0..1, float32."""
        first, end = self.support(index)
        weights = np.ones(end - first, np.float32)
        if self.ramp:
            rising, falling = self.ramps
            if index > 0:
                weights[: self.ramp] = rising
            if index < self.count - 1:
                weights[len(weights) - self.ramp :] = falling
        return weights

    @cached_property
    def ramps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights over the first pixels of a tile that has one before it, and over the last of one that has a next."""
        rising = _ramp(self.ramp)
        return (rising / UNITS).astype(np.float32), ((UNITS - rising) / UNITS).astype(np.float32)

    def touching(self, first: int, end: int) -> range:
        """Indices of the tiles that count somewhere in pixels ``first`` to ``end``."""
        hits = [i for i in range(self.count) if self.support(i)[0] < end and self.support(i)[1] > first]
        return range(hits[0], hits[-1] + 1) if hits else range(0)


def make_axis(length: int, tile: int, overlap: int) -> TileAxis:
    """The fewest tiles over ``length`` pixels that overlap by at least ``overlap``, spread evenly.

    Args:
        length: pixels, at least 1.
        tile: pixels of a tile, at least 1.
        overlap: pixels, 0 to tile - 1.
    """
    if length <= tile:
        return TileAxis(length, tile, (0,), 0)
    count = -(-(length - overlap) // (tile - overlap))
    starts = tuple(round(i * (length - tile) / (count - 1)) for i in range(count))
    axis = TileAxis(length, tile, starts, 0)
    # Ramps must not touch: at no pixel may three tiles count.
    room = min([b - a for a, b in zip(axis.borders, axis.borders[1:], strict=False)], default=overlap)
    return TileAxis(length, tile, starts, min(overlap, room) // 2 * 2)


def _ramp(length: int) -> NDArray[np.int64]:
    """Rising weights of 0 to 64 sixty-fourths over ``length`` pixels, symmetric in themselves."""
    places = (np.arange(length) + 0.5) / length
    weights: NDArray[np.int64] = np.rint(places * UNITS).astype(np.int64)
    return weights


@dataclass(frozen=True)
class TilePlan:
    """Square tiles over a grid, in rows and columns.

    Attributes:
        rows: the tiles' places down the grid.
        columns: the tiles' places across it.
        tile: pixels along a tile's side.
        overlap: pixels that neighbours share at least.
    """

    rows: TileAxis
    columns: TileAxis
    tile: int
    overlap: int

    @property
    def count(self) -> int:
        """How many tiles there are."""
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
