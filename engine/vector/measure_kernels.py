"""Compiled loops that measure rings on the ground (see ``accelerate``)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .accelerate import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def look_up(grid: Floats, x: float, y: float, step_y: float, step_x: float, here: Floats) -> None:
    """Interpolate the grid of ``measure_rings`` at a point, into ``here``.

    The area of a pixel is linear between points of the grid, so its integral along the row is quadratic.
    """
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y), grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - row
    for n in range(5):
        if n == 0:
            top = grid[row, col, 0] + step_x * u * (
                grid[row, col, 1] * (1.0 - 0.5 * u) + grid[row, col + 1, 1] * 0.5 * u
            )
            low = grid[row + 1, col, 0] + step_x * u * (
                grid[row + 1, col, 1] * (1.0 - 0.5 * u) + grid[row + 1, col + 1, 1] * 0.5 * u
            )
        else:
            top = grid[row, col, n] * (1.0 - u) + grid[row, col + 1, n] * u
            low = grid[row + 1, col, n] * (1.0 - u) + grid[row + 1, col + 1, n] * u
        here[n] = top * (1.0 - v) + low * v


@kernel
def measure_rings(points: Floats, start: Ints, grid: Floats, step_y: float, step_x: float) -> tuple[Floats, Floats]:
    """Area and length of closed rings, by a grid of what is known about the ground.

    The area is the integral around the ring of P dy (Green), where P is the integral along the row of a pixel's area;
    Simpson's rule gives that of a side.

    Args:
        points: (points, 2), column and row in pixels.
        start: where each ring's points begin.
        grid: (rows, columns, 5): P, the area of a pixel (square metres), and the metric (square metres for a step along
            a row, for one along a column, and their scalar product).
        step_y: pixels between the rows of the grid.
        step_x: pixels between its columns.

    Returns:
        Signed areas in square metres and lengths in metres.
    """
    rings = start.size - 1
    area = np.zeros(rings)
    length = np.zeros(rings)
    here = np.empty(5)
    for ring in range(rings):
        base, before = 0.0, 0.0
        for k in range(start[ring], start[ring + 1]):
            x, y = points[k, 0], points[k, 1]
            if k == start[ring]:
                look_up(grid, x, y, step_y, step_x, here)
                base = here[0]
                continue
            dx, dy = x - points[k - 1, 0], y - points[k - 1, 1]
            look_up(grid, x - 0.5 * dx, y - 0.5 * dy, step_y, step_x, here)
            middle = here[0] - base
            length[ring] += math.sqrt(here[2] * dx * dx + here[3] * dy * dy + 2.0 * here[4] * dx * dy)
            look_up(grid, x, y, step_y, step_x, here)
            now = here[0] - base
            area[ring] += dy * (before + 4.0 * middle + now) / 6.0
            before = now
    return area, length
