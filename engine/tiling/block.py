"""Blocks: rectangles of tiles that can be computed anywhere, in any order, and merged by addition.

The result of a block is the weighted sum of its tiles over their active range: final inside, and partial in the halo,
the ramps that it shares with its neighbours. All sums are exact in float32 (see ``layout.WEIGHT_STEPS``), so merged
blocks of any size are equal, bit for bit, to one run over all tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blend import Floats, weight_tile
from .layout import TilePlan


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


def split_plan(plan: TilePlan, rows: int, columns: int) -> Iterator[Block]:
    """Split ``plan`` into blocks of at most ``rows`` x ``columns`` tiles; each tile is in one of them."""
    for top in range(0, plan.rows.count, rows):
        for left in range(0, plan.columns.count, columns):
            yield make_block(
                plan,
                range(top, min(top + rows, plan.rows.count)),
                range(left, min(left + columns, plan.columns.count)),
            )


def compute_block(
    plan: TilePlan,
    block: Block,
    read: Callable[[int, int], NDArray[np.generic] | None],
    predict: Callable[[NDArray[np.generic]], Floats],
    classes: int,
) -> Floats:
    """Compute the weighted sum of a block's tiles over its window.

    Args:
        plan: the layout of the tiles.
        block: the tiles to compute.
        read: returns the pixels (bands, tile, tile) of the tile at a row and column, or None for an empty one.
        predict: (N, bands, tile, tile) to probabilities (N, classes, tile, tile).
        classes: number of classes.

    Returns:
        (classes, rows, columns) float32 over ``block.window``, to be added to the sums of other blocks there.
    """
    x0, y0, x1, y1 = block.window
    total = np.zeros((classes, y1 - y0, x1 - x0), np.float32)
    for row in block.rows:
        for column in block.columns:
            pixels = read(row, column)
            if pixels is None:
                continue
            (top, bottom), (left, right) = plan.rows.active_range(row), plan.columns.active_range(column)
            part = weight_tile(predict(pixels[None])[0], plan, row, column)
            total[:, top - y0 : bottom - y0, left - x0 : right - x0] += part
    return total


def merge_blocks(plan: TilePlan, parts: Iterable[tuple[Block, Floats]], classes: int) -> Floats:
    """Add the sums of blocks that hold each tile of ``plan`` once, to (classes, height, width) float32."""
    whole = np.zeros((classes, plan.rows.length, plan.columns.length), np.float32)
    for block, part in parts:
        x0, y0, x1, y1 = block.window
        whole[:, y0:y1, x0:x1] += part
    return whole
