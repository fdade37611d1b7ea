"""Kernels that link arcs into the rings of polygons.

A half-edge is an arc seen from one of its sides: half-edge 2 * arc has its region on the left of the arc and follows
it, half-edge 2 * arc + 1 has its region on the right and runs backwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Ints, Labels
from ...jit import jit
from ...search import lower_bound


@jit
def find_next_half_edge(key: Ints, low: int, high: int, corner: int, direction: int) -> int:
    """Find the half-edge of a region that continues its ring at a corner, from ``low`` to before ``high``.

    Where a region touches itself at the corner, two half-edges leave it. The one that turns right continues along the
    same neighbour, so that no ring touches itself.

    Args:
        key: 4 * first corner + direction in which the half-edge leaves it, ascending.
        low: first half-edge of the region.
        high: where its half-edges end.
        corner: the corner.
        direction: of arrival.
    """
    first = lower_bound(key, low, high, corner << 2)
    other = first + 1
    if other < high and key[other] >> 2 == corner and key[other] & 3 == (direction + 1) & 3:
        return other
    return first


@jit
def link_rings(group: Ints, key: Ints, end: Ints, arrival: NDArray[np.int8]) -> tuple[Ints, Ints, Ints]:
    """Link half-edges, in the order of ``group_half_edges``, into rings.

    Args:
        group: where each region's half-edges begin.
        key: 4 * first corner + direction in which the half-edge leaves it.
        end: corner at which each half-edge ends.
        arrival: direction in which it arrives there.

    Returns:
        The half-edges in the order of rings; where each ring starts (and, last, ends); where each region's rings
        begin.
    """
    used = np.zeros(key.size, np.bool_)
    order = np.empty(key.size, np.int64)
    start = np.zeros(key.size + 1, np.int64)
    first_ring = np.zeros(group.size, np.int64)
    rings, filled = 0, 0
    for number in range(group.size - 1):
        low, high = group[number], group[number + 1]
        for half_edge in range(low, high):
            if used[half_edge]:
                continue
            now = half_edge
            while not used[now]:
                used[now] = True
                order[filled] = now
                filled += 1
                now = find_next_half_edge(key, low, high, end[now], arrival[now])
            rings += 1
            start[rings] = filled
        first_ring[number + 1] = rings
    return order, start[: rings + 1].copy(), first_ring


def sum_cross_products(points: Labels, start: Ints) -> Ints:
    """Sum the cross products of consecutive points of each arc: twice its contribution to the area of a ring."""
    x, y = points.T.astype(np.int64)
    sums = np.concatenate(([0], np.cumsum(x[:-1] * y[1:] - x[1:] * y[:-1])))
    return np.asarray(sums[start[1:] - 1] - sums[start[:-1]], np.int64)


def order_shells_first(half_edge: Ints, start: Ints, first_ring: Ints, cross: Ints) -> Ints:
    """Order the rings of each region so that the shell comes before the holes.

    Args:
        half_edge: the half-edges in the order of rings.
        start: where each ring starts.
        first_ring: where each region's rings begin.
        cross: the arcs' sums of cross products; those of a shell sum up to less than zero (rows count downwards).
    """
    signed = np.where(half_edge & 1, -cross[half_edge >> 1], cross[half_edge >> 1])
    is_hole = np.add.reduceat(signed, start[:-1]) >= 0
    region = np.repeat(np.arange(first_ring.size - 1), np.diff(first_ring))
    return np.asarray(np.lexsort((is_hole, region)), np.int64)


@jit
def gather_ring_points(
    half_edge: Ints, ring_start: Ints, order: Ints, points: Labels, start: Ints
) -> tuple[Labels, Ints]:
    """Gather the points of closed rings.

    Args:
        half_edge: the half-edges in the order of rings.
        ring_start: where each ring starts in ``half_edge``.
        order: the rings in the order of the result.
        points: int32 (points, 2), points of the arcs.
        start: where each arc's points begin.

    Returns:
        Points; where each ring's points begin (and, last, end).
    """
    total = order.size
    for k in range(half_edge.size):
        total += start[(half_edge[k] >> 1) + 1] - start[half_edge[k] >> 1] - 1
    out = np.empty((total, 2), np.int32)
    out_start = np.zeros(order.size + 1, np.int64)
    used = 0
    for n in range(order.size):
        begin = used
        for k in range(ring_start[order[n]], ring_start[order[n] + 1]):
            first, last = start[half_edge[k] >> 1], start[(half_edge[k] >> 1) + 1] - 1
            step = 1
            if half_edge[k] & 1:
                first, last, step = last, first, -1
            for point in range(first, last, step):
                out[used, 0], out[used, 1] = points[point, 0], points[point, 1]
                used += 1
        out[used, 0], out[used, 1] = out[begin, 0], out[begin, 1]
        used += 1
        out_start[n + 1] = used
    return out, out_start
