"""Numba kernels that query a road network: points by position, directions at dead ends, distances along the network."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ...jit import jit
from ...search import lower_bound
from .graph import Index


class GraphIndex(NamedTuple):
    """A network (see ``graph.Graph``) with adjacency lists and its points ordered by position.

    Half edge 2e leaves the first node of edge e, half edge 2e + 1 its last node.

    Attributes:
        ends: int32 (edges, 2), nodes of each edge.
        start: int64 (edges + 1,), offset of each edge's points.
        row: int32 (points,).
        col: int32 (points,).
        width: float32 (points,).
        length: float64 (edges,), pixels.
        node_first: int64 (nodes + 1,), offset of each node's half edges in ``node_halves``.
        node_halves: int32, half edges by the node that they leave.
        row_first: int64 (rows + 1,), offset of each raster row's points in ``point``.
        point: int32, points ordered by row and column.
        point_col: int32, columns of these.
        dead_point: int64, points that are dead ends, ascending.
        dead_half: int64, the half edge that leaves each of these.
    """

    ends: Index
    start: Ints
    row: Index
    col: Index
    width: NDArray[np.float32]
    length: Floats
    node_first: Ints
    node_halves: Index
    row_first: Ints
    point: Index
    point_col: Index
    dead_point: Ints
    dead_half: Ints


@jit
def order_points(row: Index, col: Index, rows: int, cols: int) -> tuple[Ints, Index]:
    """Order points by row and column with two stable counting sorts.

    Args:
        row: row of each point, from 0 to below ``rows``.
        col: column of each point, from 0 to below ``cols``.
        rows: number of rows.
        cols: number of columns.

    Returns:
        The offset of each row (rows + 1,), and the points in order.
    """
    by_col = np.empty(col.size, np.int32)
    after = count_below(col, cols)
    for i in range(col.size):
        by_col[after[col[i]]] = i
        after[col[i]] += 1
    order = np.empty(row.size, np.int32)
    after = count_below(row, rows)
    first = after.copy()
    for index in by_col:
        order[after[row[index]]] = index
        after[row[index]] += 1
    return first, order


@jit
def count_below(values: Index, limit: int) -> Ints:
    """Count the values below each number from 0 to ``limit``."""
    below = np.zeros(limit + 1, np.int64)
    for value in values:
        below[value + 1] += 1
    for number in range(limit):
        below[number + 1] += below[number]
    return below


@jit
def end_point(index: GraphIndex, half: int) -> int:
    """Return the point at which a half edge begins."""
    point: int = index.start[(half >> 1) + 1] - 1 if half & 1 else index.start[half >> 1]
    return point


@jit
def end_direction(index: GraphIndex, half: int, count: int) -> tuple[float, float]:
    """Direction in which the road arrives at the node that ``half`` leaves.

    Args:
        index: the network.
        half: the half edge.
        count: number of points, from the node on, from which the direction is estimated.

    Returns:
        Unit vector (down, right).
    """
    begin, stop = index.start[half >> 1], index.start[(half >> 1) + 1]
    used = min(stop - begin, max(2, count))
    end = stop - 1 if half & 1 else begin
    if half & 1:
        begin = stop - used
    else:
        stop = begin + used
    down, right = 0.0, 0.0
    for i in range(begin, stop):
        down += index.row[end] - index.row[i]
        right += index.col[end] - index.col[i]
    size = max(math.sqrt(down * down + right * right), 1e-9)
    return down / size, right / size


@jit
def distances_within(index: GraphIndex, node: int, limit: float, distance: Floats, reached: Index) -> int:
    """Compute shortest distances along the network from a node, up to a limit.

    Labels are corrected until none changes (Bellman and Ford): few nodes are within reach, and no heap is needed.

    Args:
        index: the network.
        node: where to start.
        limit: in pixels.
        distance: (nodes,), infinite everywhere; written for the nodes that are reached.
        reached: (nodes,), written: the nodes that are reached.

    Returns:
        Their number, for ``reset_distances``.
    """
    distance[node] = 0.0
    reached[0] = node
    count, changed = 1, True
    while changed:
        changed = False
        number = 0
        while number < count:
            here = reached[number]
            for k in range(index.node_first[here], index.node_first[here + 1]):
                half = index.node_halves[k]
                other = index.ends[half >> 1, 1 - (half & 1)]
                total = distance[here] + index.length[half >> 1]
                if total < min(limit, distance[other]):
                    if distance[other] == np.inf:
                        reached[count] = other
                        count += 1
                    distance[other] = total
                    changed = True
            number += 1
    return count


@jit
def reset_distances(distance: Floats, reached: Index, count: int) -> None:
    """Set the distances that ``distances_within`` wrote back to infinity."""
    for number in range(count):
        distance[reached[number]] = np.inf


@jit
def distance_to_point(index: GraphIndex, point: int, distance: Floats) -> float:
    """Distance along the network to a point, from the distances of the nodes; infinite beyond their limit."""
    edge = lower_bound(index.start, 0, index.start.size, point + 1) - 1
    from_first, from_last = distance[index.ends[edge, 0]], distance[index.ends[edge, 1]]
    # Edges are measured only from nodes within reach: the other end of a long one may be far off.
    if from_first < np.inf:
        from_first += distance_along(index, index.start[edge], point)
    if from_last < np.inf:
        from_last += distance_along(index, point, index.start[edge + 1] - 1)
    return float(min(from_first, from_last))


@jit
def distance_along(index: GraphIndex, first: int, last: int) -> float:
    """Measure an edge from the point ``first`` to the point ``last`` of it, pixels."""
    straight, total = 0, 0.0
    for i in range(first + 1, last + 1):
        down, right = index.row[i] - index.row[i - 1], index.col[i] - index.col[i - 1]
        square = down * down + right * right
        if square == 1:
            straight += 1
        else:
            total += math.sqrt(square)
    return straight + total
