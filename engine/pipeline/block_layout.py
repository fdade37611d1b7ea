"""Divide the tiles of a plan into blocks, and find which blocks a window of the grid consists of.

Along each axis the blocks' windows overlap by the ramp over which the weight passes from one to the next. So an axis
is a sequence of spans: the core of a block, where its own sums are final, and the ramp that two neighbours share.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..tiling import AxisTiling, Block, TilePlan, make_block


class BlockIndex(NamedTuple):
    """Row and column of a block among the blocks of a plan."""

    row: int
    column: int


class Span(NamedTuple):
    """Pixels of an axis, and the one or two blocks that contribute to them."""

    start: int
    stop: int
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class BlockAxis:
    """Blocks along one axis.

    Attributes:
        axis: the tiles.
        size: tiles of a block; the last one may have fewer.
    """

    axis: AxisTiling
    size: int

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.axis.count // self.size)

    def tiles(self, index: int) -> range:
        """Return the tiles of a block."""
        return range(index * self.size, min((index + 1) * self.size, self.axis.count))

    def window(self, index: int) -> tuple[int, int]:
        """Return first pixel and end of what the tiles of a block add to."""
        tiles = self.tiles(index)
        return self.axis.active_range(tiles[0])[0], self.axis.active_range(tiles[-1])[1]

    def core(self, index: int) -> tuple[int, int]:
        """Return first pixel and end of what only the tiles of this block add to; may be empty."""
        start, stop = self.window(index)
        ramp = self.axis.ramp
        return start + (ramp if index > 0 else 0), stop - (ramp if index < self.count - 1 else 0)

    def spans(self, start: int, stop: int) -> Iterator[Span]:
        """Yield the spans of pixels ``start:stop``, in order."""
        starts = range(self.count)
        index = max(0, bisect_right(starts, start, key=lambda k: self.window(k)[0]) - 1)
        # The ramp at the beginning of a block belongs to the block before, too.
        for block in range(max(0, index - 1), self.count):
            first, end = self.core(block)
            pieces = [Span(first, end, (block,))]
            if block < self.count - 1:
                pieces.append(Span(end, self.core(block + 1)[0], (block, block + 1)))
            for piece in pieces:
                a, b = max(piece.start, start), min(piece.stop, stop)
                if a < b:
                    yield Span(a, b, piece.blocks)
            if pieces[-1].stop >= stop:
                return


@dataclass(frozen=True)
class BlockLayout:
    """Blocks of at most ``rows`` x ``columns`` tiles over a plan.

    Attributes:
        plan: the tiles.
        rows: rows of tiles of a block.
        columns: columns of tiles of a block.
    """

    plan: TilePlan
    rows: int
    columns: int

    @property
    def y(self) -> BlockAxis:
        """Blocks from top to bottom."""
        return BlockAxis(self.plan.rows, self.rows)

    @property
    def x(self) -> BlockAxis:
        """Blocks from left to right."""
        return BlockAxis(self.plan.columns, self.columns)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return self.y.count * self.x.count

    def indices(self) -> Iterator[BlockIndex]:
        """Yield all blocks in rows from the top, in each from the left."""
        columns = self.x.count
        return (BlockIndex(row, column) for row in range(self.y.count) for column in range(columns))

    def block(self, index: BlockIndex) -> Block:
        """Return a block."""
        return make_block(self.plan, self.y.tiles(index.row), self.x.tiles(index.column))

    def core_rows(self, tile_row: int) -> tuple[int, int]:
        """Return first pixel and end of the rows of a block's core that become final with a row of tiles."""
        first, end = self.plan.rows.finalized_range(tile_row)
        if tile_row % self.rows == 0 and tile_row > 0:
            first += self.plan.rows.ramp
        return first, end


#: A block has at most about this many pixels along a side, which bounds the memory of a worker.
_MAX_SIDE = 4096
#: Blocks for each worker, at least, so that all of them are busy until shortly before the end.
_BLOCKS_PER_WORKER = 4


def choose_layout(plan: TilePlan, workers: int) -> BlockLayout:
    """Choose blocks that are large, because neighbours read their overlap twice, and enough for all ``workers``.

    Args:
        plan: the tiles.
        workers: how many blocks are computed at the same time.
    """
    stride = max(1, plan.tile - plan.overlap)
    side = max(1, (_MAX_SIDE - plan.overlap) // stride)
    while side > 1 and BlockLayout(plan, side, side).count < _BLOCKS_PER_WORKER * workers:
        side -= 1
    return BlockLayout(plan, min(side, plan.rows.count), min(side, plan.columns.count))
