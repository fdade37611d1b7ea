"""Blocks: parts of a plan that can be computed anywhere, in any order, and merged by addition.

A block is a rectangle of tiles. What it computes is the weighted sum of its tiles over their support: final inside,
and partial in the halo, the ramps that it shares with its neighbours. All sums are exact in float32 (see
``axis.UNITS``), so merged blocks of any size are bit for bit what one run over all tiles gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blend import Floats, weighted
from .layout import TilePlan


@dataclass(frozen=True)
class Block:
    """A rectangle of tiles of a plan.

    Attributes:
        rows: rows of tiles.
        columns: columns of tiles.
        window: the pixels of the grid to which its tiles add, halo included, as (x0, y0, x1, y1).
        reads: the pixels of the grid that its tiles look at, as (x0, y0, x1, y1).
    """

    rows: range
    columns: range
    window: tuple[int, int, int, int]
    reads: tuple[int, int, int, int]


def make_block(plan: TilePlan, rows: range, columns: range) -> Block:
    """The block of tiles ``rows`` x ``columns`` (not empty) of ``plan``."""
    x, y = plan.columns, plan.rows
    window = (x.support(columns[0])[0], y.support(rows[0])[0], x.support(columns[-1])[1], y.support(rows[-1])[1])
    reads = (
        x.starts[columns[0]],
        y.starts[rows[0]],
        min(x.length, x.starts[columns[-1]] + plan.tile),
        min(y.length, y.starts[rows[-1]] + plan.tile),
    )
    return Block(rows, columns, window, reads)


def split_plan(plan: TilePlan, rows: int, columns: int) -> Iterator[Block]:
    """Blocks of at most ``rows`` x ``columns`` tiles that together hold each tile once."""
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
    """The weighted sum of a block's tiles over its window.

    Args:
        plan: the lattice.
        block: the tiles to compute.
        read: gives the pixels (bands, tile, tile) of the tile at a row and column, or None for an empty one.
        predict: (N, bands, tile, tile) to probabilities (N, classes, tile, tile).
        classes: how many.

    Returns:
        (classes, rows, columns) over ``block.window``; to be added to what other blocks give there.
    """
    x0, y0, x1, y1 = block.window
    total = np.zeros((classes, y1 - y0, x1 - x0), np.float32)
    for row in block.rows:
        for column in block.columns:
            pixels = read(row, column)
            if pixels is None:
                continue
            (top, bottom), (left, right) = plan.rows.support(row), plan.columns.support(column)
            part = weighted(predict(pixels[None])[0], plan, row, column)
            total[:, top - y0 : bottom - y0, left - x0 : right - x0] += part
    return total


def merge_blocks(plan: TilePlan, parts: Iterable[tuple[Block, Floats]], classes: int) -> Floats:
    """Add the sums of blocks, which hold each tile of ``plan`` once, to the whole (classes, height, width)."""
    whole = np.zeros((classes, plan.rows.length, plan.columns.length), np.float32)
    for block, part in parts:
        x0, y0, x1, y1 = block.window
        whole[:, y0:y1, x0:x1] += part
    return whole
