"""Compiled loops that link arcs into rings (see ``accelerate``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..accelerate import kernel

Ints = NDArray[np.int64]


@kernel
def link_rings(
    region: Ints, begin: Ints, end: Ints, leave: NDArray[np.int8], arrive: NDArray[np.int8]
) -> tuple[Ints, Ints]:
    """Link half arcs, each with its region on the left, into rings.

    Where a region touches itself at a corner, two half arcs leave it: the ring turns right, so that it goes on along
    the same neighbour and no ring touches itself.

    Args:
        region: the region of each half, ascending.
        begin: corner at which each half begins, ascending within a region.
        end: corner at which each half ends.
        leave: direction in which each half leaves its first corner.
        arrive: direction in which each half arrives at its last corner.

    Returns:
        The halves in the order of rings, and where each ring starts (and, last, ends).
    """
    count = region.size
    used = np.zeros(count, np.bool_)
    order = np.empty(count, np.int64)
    start = np.empty(count + 1, np.int64)
    start[0] = 0
    rings, filled = 0, 0
    low = 0
    for half in range(count):
        if region[half] != region[low]:
            low = half
        if used[half]:
            continue
        high = low
        step = 1
        while high < count and region[high] == region[low]:
            high += step
            step *= 2
        high = min(high, count)
        now = half
        while not used[now]:
            used[now] = True
            order[filled] = now
            filled += 1
            corner = end[now]
            first, last = low, high
            while first < last:
                middle = (first + last) >> 1
                if region[middle] == region[low] and begin[middle] < corner:
                    first = middle + 1
                else:
                    last = middle
            follow = first
            twin = first + 1
            if twin < count and region[twin] == region[low] and begin[twin] == corner:
                right = (arrive[now] + 1) & 3
                if leave[twin] == right:
                    follow = twin
            now = follow
        rings += 1
        start[rings] = filled
    return order[:filled].copy(), start[: rings + 1].copy()


@kernel
def ring_points(
    order: Ints, ring_start: Ints, first: Ints, last: Ints, points: NDArray[np.int32]
) -> tuple[NDArray[np.int32], Ints, Ints]:
    """The closed runs of points of rings.

    Args:
        order: halves in the order of rings.
        ring_start: where each ring starts in ``order``.
        first: index of each half's first point.
        last: index of each half's last point; before ``first`` where the half goes against its arc.
        points: int32 (points, 2), in half pixels.

    Returns:
        Points; where each ring's begin (and, last, end); twice the area of each ring, in square half pixels, positive
        where it goes clockwise with rows counted downwards.
    """
    total = ring_start.size - 1
    for k in range(order.size):
        total += abs(last[order[k]] - first[order[k]])
    out = np.empty((total, 2), np.int32)
    start = np.empty(ring_start.size, np.int64)
    area = np.zeros(ring_start.size - 1, np.int64)
    start[0] = 0
    used = 0
    for ring in range(ring_start.size - 1):
        begin = used
        for k in range(ring_start[ring], ring_start[ring + 1]):
            a, b = first[order[k]], last[order[k]]
            step = 1 if b > a else -1
            for n in range(abs(b - a)):
                out[used, 0], out[used, 1] = points[a + step * n, 0], points[a + step * n, 1]
                used += 1
        out[used, 0], out[used, 1] = out[begin, 0], out[begin, 1]
        used += 1
        start[ring + 1] = used
        for n in range(begin, used - 1):
            area[ring] += np.int64(out[n, 0]) * out[n + 1, 1] - np.int64(out[n + 1, 0]) * out[n, 1]
    return out, start, area
