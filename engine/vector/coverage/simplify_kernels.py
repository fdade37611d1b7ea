"""Compiled loops that cut and simplify arcs on a lattice of half pixels (see ``accelerate``)."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ..accelerate import kernel

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]

#: More than any triangle's area.
LATE = 1 << 40


@kernel
def cut_corners(points: Labels, start: Ints, ring: NDArray[np.bool_]) -> tuple[Labels, Ints, NDArray[np.bool_]]:
    """Replace every turn by the middles of the two cracks that meet there, and double the coordinates.

    Each cut stays within the four half pixels around its corner, where no other arc is: arcs neither touch nor cross
    after it. A staircase of 45 degrees becomes a straight line.

    Args:
        points: int32 (points, 2), column and row of corners.
        start: where each arc's points begin.
        ring: whether the arc is a ring (its first point is a turn as well).

    Returns:
        Points in half pixels, where each arc's begin, and which of them are the middle of a run of one crack: those lie
        on the line that a staircase stands for.
    """
    out = np.empty((2 * points.shape[0], 2), np.int32)
    out_start = np.empty_like(start)
    out_start[0] = 0
    middle = np.zeros(out.shape[0], np.bool_)
    used = 0
    for arc in range(start.size - 1):
        first, last = start[arc], start[arc + 1] - 1
        begin = used
        if not ring[arc]:
            out[used] = 2 * points[first]
            used += 1
        for k in range(first if ring[arc] else first + 1, last):
            before = last - 1 if k == first else k - 1
            for axis in range(2):
                out[used, axis] = 2 * points[k, axis] - np.sign(points[k, axis] - points[before, axis])
                out[used + 1, axis] = 2 * points[k, axis] + np.sign(points[k + 1, axis] - points[k, axis])
            if used > begin and out[used, 0] == out[used - 1, 0] and out[used, 1] == out[used - 1, 1]:
                out[used] = out[used + 1]
                middle[used - 1] = True
                used += 1
            else:
                used += 2
        if not ring[arc]:
            out[used] = 2 * points[last]
            used += 1
        elif out[used - 1, 0] != out[begin, 0] or out[used - 1, 1] != out[begin, 1]:
            out[used] = out[begin]
            used += 1
        out_start[arc + 1] = used
    return out[:used].copy(), out_start, middle[:used].copy()


@kernel
def in_triangle(x: int, y: int, ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> bool:
    """Whether a point within a triangle's bounding box lies in the triangle or on its edge."""
    one = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    two = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    three = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)


@kernel
def is_blocked(points: NDArray[np.int64], p: int, i: int, q: int, row_start: Ints, cols: Labels, top: int) -> bool:
    """Whether anything but the arc's own points between ``p`` and ``q`` lies in the triangle of p, i and q."""
    ax, ay, bx, by, cx, cy = points[p, 0], points[p, 1], points[i, 0], points[i, 1], points[q, 0], points[q, 1]
    low_x, high_x = min(ax, bx, cx), max(ax, bx, cx)
    low_y, high_y = min(ay, by, cy), max(ay, by, cy)
    inside = 0
    for y in range(low_y, high_y + 1):
        first, last = row_start[y - top], row_start[y - top + 1]
        end = last
        while first < end:
            middle = (first + end) >> 1
            if cols[middle] < low_x:
                first = middle + 1
            else:
                end = middle
        while first < last and cols[first] <= high_x:
            x = int(cols[first])
            first += 1
            if (x == ax and y == ay) or (x == bx and y == by) or (x == cx and y == cy):
                continue
            if in_triangle(x, y, ax, ay, bx, by, cx, cy):
                inside += 1
    if inside == 0:
        return False
    for k in range(p + 1, q):
        x, y = points[k, 0], points[k, 1]
        if k == i or x < low_x or x > high_x or y < low_y or y > high_y:
            continue
        if in_triangle(x, y, ax, ay, bx, by, cx, cy):
            inside -= 1
    return inside > 0


@kernel
def is_within(points: NDArray[np.int64], p: int, q: int, square: float) -> bool:
    """Whether all points between ``p`` and ``q`` are at most sqrt(``square``) away from the straight line between."""
    x0, y0 = points[p, 0], points[p, 1]
    dx, dy = points[q, 0] - x0, points[q, 1] - y0
    long = float(dx * dx + dy * dy)
    for k in range(p + 1, q):
        ex, ey = points[k, 0] - x0, points[k, 1] - y0
        along = float(ex * dx + ey * dy)
        if along <= 0.0 or long == 0.0:
            away = float(ex * ex + ey * ey)
        elif along >= long:
            fx, fy = points[k, 0] - points[q, 0], points[k, 1] - points[q, 1]
            away = float(fx * fx + fy * fy)
        else:
            cross = float(ex * dy - ey * dx)
            away = cross * cross / long
        if away > square:
            return False
    return True


@kernel
def triangle_area(points: NDArray[np.int64], p: int, i: int, q: int) -> int:
    """Twice the area of the triangle of three points."""
    cross: int = abs(
        (points[i, 0] - points[p, 0]) * (points[q, 1] - points[p, 1])
        - (points[q, 0] - points[p, 0]) * (points[i, 1] - points[p, 1])
    )
    return cross


@kernel
def thin_arcs(
    points: NDArray[np.int64],
    start: Ints,
    middle: NDArray[np.bool_],
    tolerance: float,
    row_start: Ints,
    cols: Labels,
    top: int,
) -> NDArray[np.bool_]:
    """Which points of arcs to keep: Visvalingam and Whyatt (1993) with a bounded error and a guard.

    The point with the smallest triangle goes first, if all points that were dropped between its neighbours stay
    within ``tolerance`` of the new side, and if no vertex of the coverage lies in the triangle. The guard looks at
    the vertices before any simplification, so that arcs can be simplified one by one in any order and still neither
    touch nor cross: a side can only be crossed where a vertex lies in a triangle that was taken off.

    Args:
        points: int64 (points, 2), columns and rows in half pixels.
        start: where each arc's points begin.
        middle: points that go last, so that a staircase becomes the line through its middle and areas stay.
        tolerance: in half pixels.
        row_start: (rows + 1,), where each row of guards begins in ``cols``.
        cols: columns of the guards: the vertices of all arcs, and one point inside of every region.
        top: row of the first row of guards.
    """
    keep = np.ones(points.shape[0], np.bool_)
    most = 0
    for arc in range(start.size - 1):
        most = max(most, start[arc + 1] - start[arc])
    before = np.empty(most, np.int64)
    after = np.empty(most, np.int64)
    size = np.empty(most, np.int64)
    square = tolerance * tolerance
    for arc in range(start.size - 1):
        first = start[arc]
        count = start[arc + 1] - first
        if count < 3:
            continue
        own = points[first : first + count]
        heap = [(np.int64(0), np.int64(0))]
        heap.pop()
        for n in range(count):
            before[n], after[n] = n - 1, n + 1
            if 0 < n < count - 1:
                size[n] = triangle_area(own, n - 1, n, n + 1) + (LATE if middle[first + n] else 0)
                heap.append((size[n], np.int64(n)))
        heapq.heapify(heap)
        while len(heap) > 0:
            area, point = heapq.heappop(heap)
            i = int(point)
            if not keep[first + i] or size[i] != area:
                continue
            p, q = before[i], after[i]
            if not is_within(own, p, q, square) or is_blocked(own, p, i, q, row_start, cols, top):
                continue
            keep[first + i] = False
            after[p], before[q] = q, p
            for n in (p, q):
                if 0 < n < count - 1:
                    size[n] = triangle_area(own, before[n], n, after[n]) + (LATE if middle[first + n] else 0)
                    heapq.heappush(heap, (size[n], n))
    return keep
