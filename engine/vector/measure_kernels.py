"""Compiled loops that measure lines on the ground (see ``accelerate``)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .accelerate import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def blend(grid: Floats, layer: int, row: int, col: int, v: float, u: float) -> float:
    """Interpolate a layer of a grid: ``v`` of the way from ``row`` and ``u`` of the way from ``col`` to the next."""
    top = grid[row, col, layer] * (1.0 - u) + grid[row, col + 1, layer] * u
    low = grid[row + 1, col, layer] * (1.0 - u) + grid[row + 1, col + 1, layer] * u
    return float(top * (1.0 - v) + low * v)


@kernel
def area_west(grid: Floats, x: float, y: float, step_y: float, step_x: float) -> float:
    """The integral along the row, from its beginning to a point, of the area of a pixel.

    That area is linear between points of the grid, so its integral is quadratic.
    """
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y), grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - row
    here, there = 1.0 - 0.5 * u, 0.5 * u
    top = grid[row, col, 0] + step_x * u * (grid[row, col, 1] * here + grid[row, col + 1, 1] * there)
    low = grid[row + 1, col, 0] + step_x * u * (grid[row + 1, col, 1] * here + grid[row + 1, col + 1, 1] * there)
    return float(top * (1.0 - v) + low * v)


@kernel
def step_length(grid: Floats, x: float, y: float, dx: float, dy: float, step_y: float, step_x: float) -> float:
    """The length of a short side around a point, by the metric there."""
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y), grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - row
    square = blend(grid, 2, row, col, v, u) * dx * dx + blend(grid, 3, row, col, v, u) * dy * dy
    return math.sqrt(max(0.0, square + 2.0 * blend(grid, 4, row, col, v, u) * dx * dy))


@kernel
def measure_lines(
    points: NDArray[np.int32], start: Ints, scale: float, grid: Floats, step_y: float, step_x: float
) -> tuple[Floats, Floats]:
    """What lines contribute to the area of the rings that they are part of, and their lengths.

    The area of a ring is the integral around it of P dy (Green), where P is the integral along the row of a pixel's
    area; Simpson's rule gives that of a side.

    Args:
        points: int32 (points, 2), column and row.
        start: where each line's points begin.
        scale: pixels in a unit of ``points``.
        grid: (rows, columns, 5): P, the area of a pixel (square metres), and the metric (square metres for a step along
            a row, for one along a column, and their scalar product).
        step_y: pixels between the rows of the grid.
        step_x: pixels between its columns.

    Returns:
        Square metres, whose sum over the lines of a ring is its signed area, and lengths in metres.
    """
    lines = start.size - 1
    area = np.zeros(lines)
    length = np.zeros(lines)
    for line in range(lines):
        k = start[line]
        x0, y0 = points[k, 0] * scale, points[k, 1] * scale
        before = area_west(grid, x0, y0, step_y, step_x)
        for k in range(start[line] + 1, start[line + 1]):
            x, y = points[k, 0] * scale, points[k, 1] * scale
            dx, dy = x - x0, y - y0
            length[line] += step_length(grid, x - 0.5 * dx, y - 0.5 * dy, dx, dy, step_y, step_x)
            now = area_west(grid, x, y, step_y, step_x)
            if dy != 0.0:
                middle = area_west(grid, x - 0.5 * dx, y - 0.5 * dy, step_y, step_x)
                area[line] += dy * (before + 4.0 * middle + now) / 6.0
            x0, y0, before = x, y, now
    return area, length
