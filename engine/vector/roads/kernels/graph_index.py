"""Compiled look-ups in a road network: points by position, directions, distances along it (see ``jit``)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Ints = NDArray[np.int64]
Index = NDArray[np.int32]
Floats = NDArray[np.float64]


class Lookup(NamedTuple):
    """A network (see ``graph.Graph``) with what finds things in it.

    Half 2e leaves edge e's first node along the edge, half 2e + 1 its last node.

    Attributes:
        ends: int32 (edges, 2), nodes of each edge.
        start: int64 (edges + 1,), where each edge's points begin.
        row: int32 (points,).
        col: int32 (points,).
        width: float32 (points,).
        length: float64 (edges,), pixels.
        node_first: int64 (nodes + 1,), where each node's halves begin in ``node_halves``.
        node_halves: int32, halves by the node that they leave.
        row_first: int64 (rows + 1,), where each row's points begin in ``point``.
        point: int32, points by row and column.
        point_col: int32, columns of these.
        dead_point: int64, points that are dead ends, ascending.
        dead_half: int64, the half that leaves each of these.
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
    """Order points by row, then by column, then as they come (two counting sorts).

    Args:
        row: row of each point, from 0 to below ``rows``.
        col: column of each, from 0 to below ``cols``.
        rows: number of rows.
        cols: number of columns.

    Returns:
        Where each row begins (rows + 1,), and the points in order.
    """
    by_col = np.empty(col.size, np.int32)
    after = counts(col, cols)
    for i in range(col.size):
        by_col[after[col[i]]] = i
        after[col[i]] += 1
    order = np.empty(row.size, np.int32)
    after = counts(row, rows)
    first = after.copy()
    for i in by_col:
        order[after[row[i]]] = i
        after[row[i]] += 1
    return first, order


@jit
def counts(values: Index, most: int) -> Ints:
    """How many values lie below each number from 0 to ``most``."""
    below = np.zeros(most + 1, np.int64)
    for value in values:
        below[value + 1] += 1
    for number in range(most):
        below[number + 1] += below[number]
    return below


@jit
def first_from(values: Ints | Index, begin: int, end: int, value: int) -> int:
    """The first place from ``begin`` to ``end`` in ascending ``values`` that holds ``value`` or more; else ``end``."""
    while begin < end:
        middle = (begin + end) // 2
        if values[middle] < value:
            begin = middle + 1
        else:
            end = middle
    return begin


@jit
def heading(net: Lookup, half: int, tail: int) -> tuple[float, float]:
    """Unit vector (down, right) in which an edge arrives at the node that ``half`` leaves, from ``tail`` points."""
    begin, stop = net.start[half >> 1], net.start[(half >> 1) + 1]
    count = min(stop - begin, max(2, tail))
    end = stop - 1 if half & 1 else begin
    if half & 1:
        begin = stop - count
    else:
        stop = begin + count
    down, right = 0.0, 0.0
    for i in range(begin, stop):
        down += net.row[end] - net.row[i]
        right += net.col[end] - net.col[i]
    size = max(math.sqrt(down * down + right * right), 1e-9)
    return down / size, right / size


@jit
def spread(net: Lookup, node: int, reach: float, distance: Floats, reached: Index) -> int:
    """Find the distances along the network from a node, as far as ``reach``.

    Args:
        net: the network.
        node: where to start.
        reach: in pixels.
        distance: (nodes,), infinite everywhere; written where something is reached.
        reached: (nodes,), written: the nodes that are reached.

    Returns:
        The number of these.
    """
    distance[node] = 0.0
    reached[0] = node
    count, nearer = 1, True
    while nearer:
        nearer = False
        number = 0
        while number < count:
            here = reached[number]
            for k in range(net.node_first[here], net.node_first[here + 1]):
                half = net.node_halves[k]
                other = net.ends[half >> 1, 1 - (half & 1)]
                then = distance[here] + net.length[half >> 1]
                if then < min(reach, distance[other]):
                    if distance[other] == np.inf:
                        reached[count] = other
                        count += 1
                    distance[other] = then
                    nearer = True
            number += 1
    return count


@jit
def forget(distance: Floats, reached: Index, count: int) -> None:
    """Make the distances that ``spread`` found infinite again."""
    for number in range(count):
        distance[reached[number]] = np.inf


@jit
def distance_along(net: Lookup, point: int, distance: Floats) -> float:
    """The distance along the network to a point from where ``spread`` started."""
    edge = first_from(net.start, 0, net.start.size, point + 1) - 1
    share = (point - net.start[edge]) / max(net.start[edge + 1] - net.start[edge] - 1, 1) * net.length[edge]
    from_first: float = distance[net.ends[edge, 0]] + share
    from_last: float = distance[net.ends[edge, 1]] + net.length[edge] - share
    return min(from_first, from_last)
