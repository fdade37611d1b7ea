"""Least-cost paths over a window of probabilities (see ``accelerate``)."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ..accelerate import kernel


@kernel
def least_cost_path(
    cost: NDArray[np.float32], begin_row: int, begin_col: int, end_row: int, end_col: int
) -> NDArray[np.int32]:
    """The 8-connected path of least cost between two pixels (Dijkstra, 1959).

    A step costs the mean of its two pixels times its length; pixels of infinite cost are not entered.

    Args:
        cost: float32 (rows, columns), cost of a pixel's length.
        begin_row: row of the first pixel.
        begin_col: column of the first pixel.
        end_row: row of the last pixel.
        end_col: column of the last pixel.

    Returns:
        int32 (n, 2): rows and columns from the first pixel to the last; empty where there is no path.
    """
    rows, cols = cost.shape
    best = np.full((rows, cols), np.inf, np.float32)
    came = np.full((rows, cols), -1, np.int8)
    step_row = np.array([0, 1, 1, 1, 0, -1, -1, -1])
    step_col = np.array([1, 1, 0, -1, -1, -1, 0, 1])
    best[begin_row, begin_col] = 0.0
    heap = [(np.float32(0.0), begin_row, begin_col)]
    while len(heap) > 0:
        so_far, row, col = heapq.heappop(heap)
        if row == end_row and col == end_col:
            break
        if so_far > best[row, col]:
            continue
        for direction in range(8):
            r, c = row + step_row[direction], col + step_col[direction]
            if r < 0 or c < 0 or r >= rows or c >= cols:
                continue
            length = 0.5 if direction % 2 == 0 else 0.70710678
            then = np.float32(so_far + length * (cost[row, col] + cost[r, c]))
            if then < best[r, c]:
                best[r, c] = then
                came[r, c] = direction
                heapq.heappush(heap, (then, r, c))
    if came[end_row, end_col] < 0:
        return np.empty((0, 2), np.int32)
    count = 1
    row, col = end_row, end_col
    while row != begin_row or col != begin_col:
        direction = came[row, col]
        row, col = row - step_row[direction], col - step_col[direction]
        count += 1
    path = np.empty((count, 2), np.int32)
    row, col = end_row, end_col
    for i in range(count - 1, -1, -1):
        path[i, 0], path[i, 1] = row, col
        if i > 0:
            direction = came[row, col]
            row, col = row - step_row[direction], col - step_col[direction]
    return path
