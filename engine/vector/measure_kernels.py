"""The compiled loop that measures rings on the ground (see ``accelerate``)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .accelerate import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def measure_rings(points: Floats, start: Ints, grid: Floats, step: float) -> tuple[Floats, Floats]:
    """Area and length of closed rings, by a grid of what is known about the ground.

    Args:
        points: (points, 2), column and row in pixels.
        start: where each ring's points begin.
        grid: (rows, columns, 5): at every ``step`` pixels the coordinates in an equal-area projection (x, y) and the
            metric (metres squared for a step along a row, for one along a column, and their scalar product).
        step: pixels between the points of the grid.

    Returns:
        Signed areas in square metres and lengths in metres.
    """
    rings = start.size - 1
    area = np.zeros(rings)
    length = np.zeros(rings)
    rows, cols = grid.shape[0], grid.shape[1]
    here = np.empty(5)
    for ring in range(rings):
        base_x, base_y, last_x, last_y = 0.0, 0.0, 0.0, 0.0
        for k in range(start[ring], start[ring + 1]):
            # Of the segment that ends here the middle gives the metric, its end the coordinates.
            for part in range(2):
                px, py = points[k, 0], points[k, 1]
                if part == 0:
                    if k == start[ring]:
                        continue
                    px, py = 0.5 * (px + points[k - 1, 0]), 0.5 * (py + points[k - 1, 1])
                gx, gy = px / step, py / step
                col, row = min(int(gx), cols - 2), min(int(gy), rows - 2)
                u, v = gx - col, gy - row
                for n in range(2 if part else 5):
                    here[n] = (
                        grid[row, col, n] * (1.0 - u) * (1.0 - v)
                        + grid[row, col + 1, n] * u * (1.0 - v)
                        + grid[row + 1, col, n] * (1.0 - u) * v
                        + grid[row + 1, col + 1, n] * u * v
                    )
                if part == 0:
                    dx, dy = points[k, 0] - points[k - 1, 0], points[k, 1] - points[k - 1, 1]
                    length[ring] += math.sqrt(here[2] * dx * dx + here[3] * dy * dy + 2.0 * here[4] * dx * dy)
            if k == start[ring]:
                base_x, base_y, last_x, last_y = here[0], here[1], 0.0, 0.0
                continue
            x, y = here[0] - base_x, here[1] - base_y
            area[ring] += 0.5 * (last_x * y - x * last_y)
            last_x, last_y = x, y
    return area, length
