"""Compiled loops over the points of edges (see ``jit``)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Ints = NDArray[np.int64]
Index = NDArray[np.int32]
Floats = NDArray[np.float64]


@jit
def edge_lengths(start: Ints, row: Index, col: Index) -> Floats:
    """The length of each edge along its points; see ``graph.Graph`` for the arguments."""
    lengths = np.zeros(start.size - 1)
    for edge in range(start.size - 1):
        for i in range(start[edge] + 1, start[edge + 1]):
            down, right = row[i] - row[i - 1], col[i] - col[i - 1]
            lengths[edge] += math.sqrt(down * down + right * right)
    return lengths


@jit
def shape_edges(
    start: Ints, row: Index, col: Index, ends: Index, nodes: Floats, radius: Floats, rounds: int
) -> tuple[Floats, Ints]:
    """The points of edges from node to node, straight within the radius of merged junctions, and smoothed.

    Smoothing with (1, 2, 1) / 4 has variance 1/2 a round; the ends stay where they are.

    Args:
        start: (edges + 1,), where each edge's points begin.
        row: row of each point.
        col: column of each point.
        ends: (edges, 2), nodes of each edge.
        nodes: (nodes, 2), their columns and rows; a pixel's centre has halves.
        radius: (nodes,), in pixels.
        rounds: of smoothing.

    Returns:
        Columns and rows of the points (n, 2), and where those of each edge begin.
    """
    points = np.empty((row.size, 2))
    first = np.zeros(start.size, np.int64)
    used = 0
    for edge in range(start.size - 1):
        one, other = ends[edge, 0], ends[edge, 1]
        points[used, 0], points[used, 1] = nodes[one, 0], nodes[one, 1]
        used += 1
        for i in range(start[edge] + 1, start[edge + 1] - 1):
            x, y = col[i] + 0.5, row[i] + 0.5
            from_one = math.sqrt((x - nodes[one, 0]) ** 2 + (y - nodes[one, 1]) ** 2)
            from_other = math.sqrt((x - nodes[other, 0]) ** 2 + (y - nodes[other, 1]) ** 2)
            if from_one >= radius[one] and from_other >= radius[other]:
                points[used, 0], points[used, 1] = x, y
                used += 1
        points[used, 0], points[used, 1] = nodes[other, 0], nodes[other, 1]
        used += 1
        first[edge + 1] = used
        for _ in range(rounds):
            x, y = points[first[edge], 0], points[first[edge], 1]
            for i in range(first[edge] + 1, used - 1):
                here_x, here_y = points[i, 0], points[i, 1]
                points[i, 0] = 0.25 * (x + points[i + 1, 0]) + 0.5 * here_x
                points[i, 1] = 0.25 * (y + points[i + 1, 1]) + 0.5 * here_y
                x, y = here_x, here_y
    return points[:used].copy(), first
