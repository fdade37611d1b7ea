"""Least-cost paths over a window of probabilities (see ``jit``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

#: Steps to the neighbours of a pixel, from the east clockwise.
DOWN = (0, 1, 1, 1, 0, -1, -1, -1)
RIGHT = (1, 1, 0, -1, -1, -1, 0, 1)


@jit
def least_cost_path(
    cost: NDArray[np.float32], least: float, begin_row: int, begin_col: int, end_row: int, end_col: int
) -> NDArray[np.int32]:
    """The 8-connected path of least cost between two pixels (Dijkstra, 1959, with the buckets of Dial, 1969).

    A step costs the mean of its two pixels times its length. A bucket is as wide as the cheapest step, so that no pixel
    is reached from another of its own bucket, and their order does not matter.

    Args:
        cost: float32 (rows, columns), cost of a pixel's length, finite.
        least: above 0; no pixel costs less.
        begin_row: row of the first pixel.
        begin_col: column of the first pixel.
        end_row: row of the last pixel.
        end_col: column of the last pixel.

    Returns:
        int32 (n, 2): rows and columns from the first pixel to the last.
    """
    rows, cols = cost.shape
    best = np.empty((rows, cols), np.float32)
    best[:] = np.inf
    came = np.empty((rows, cols), np.int8)
    # Each bucket is a chain of entries. No step leads further than around the ring of buckets.
    most = np.float32(0.0)
    for row in range(rows):
        for col in range(cols):
            most = max(most, cost[row, col])
    buckets = int(1.4143 * most / least) + 2
    chain = np.empty(buckets, np.int32)
    chain[:] = -1
    after = np.empty(8 * rows * cols + 1, np.int32)
    pixel = np.empty(8 * rows * cols + 1, np.int32)
    best[begin_row, begin_col] = 0.0
    chain[0], after[0], pixel[0] = 0, -1, begin_row * cols + begin_col
    entries, number = 1, 0
    while best[end_row, end_col] >= number * least:
        entry = chain[number % buckets]
        chain[number % buckets] = -1
        while entry >= 0:
            row, col = pixel[entry] // cols, pixel[entry] % cols
            entry = after[entry]
            so_far = best[row, col]
            if int(so_far / least) != number:
                continue  # a cheaper way was found after this entry was made
            for direction in range(8):
                r, c = row + DOWN[direction], col + RIGHT[direction]
                if r < 0 or c < 0 or r >= rows or c >= cols:
                    continue
                length = np.float32(0.5 if direction % 2 == 0 else 0.70710678)
                then = so_far + length * (cost[row, col] + cost[r, c])
                if then < best[r, c]:
                    best[r, c] = then
                    came[r, c] = direction
                    slot = int(then / least) % buckets
                    after[entries], pixel[entries] = chain[slot], r * cols + c
                    chain[slot] = entries
                    entries += 1
        number += 1
    return walk_back(came, begin_row, begin_col, end_row, end_col)


@jit
def walk_back(came: NDArray[np.int8], begin_row: int, begin_col: int, end_row: int, end_col: int) -> NDArray[np.int32]:
    """The path to a pixel by the direction (0 east, clockwise) in which each pixel was entered; int32 (n, 2)."""
    row, col, count = end_row, end_col, 1
    while row != begin_row or col != begin_col:
        direction = came[row, col]
        row, col = row - DOWN[direction], col - RIGHT[direction]
        count += 1
    path = np.empty((count, 2), np.int32)
    path[0, 0], path[0, 1] = begin_row, begin_col
    row, col = end_row, end_col
    for i in range(count - 1, 0, -1):
        path[i, 0], path[i, 1] = row, col
        direction = came[row, col]
        row, col = row - DOWN[direction], col - RIGHT[direction]
    return path
