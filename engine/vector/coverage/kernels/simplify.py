"""Kernels that smooth and simplify arcs on a lattice of half pixels.

The point with the smallest triangle is dropped first, if all points that were dropped between its neighbours stay
within the tolerance of the new segment, and if no vertex of the coverage lies in the triangle. That is checked against
the vertices before any simplification. So arcs can be simplified one by one in any order and still neither touch nor
cross: a segment can only be crossed where a vertex lies in a triangle that was cut off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Flags, Ints, Labels
from ...jit import jit
from ...search import heap_push, heap_replace

Words = NDArray[np.uint32]

#: Bits in a word of the bitmap of constraint points.
WORD_BITS = 32
#: Largest area in a priority; larger triangles are ordered by their points.
MAX_AREA = (1 << 30) - 1
#: Added to the priority of deferred points; more than any area.
DEFERRED = 1 << 30
#: Priority of a point that must stay; more than any other.
KEEP = 1 << 31


@jit
def cut_corners(points: Labels, start: Ints, is_ring: Flags) -> tuple[Labels, Ints, Flags]:
    """Replace every turn by the midpoints of the two boundary edges that meet there, and double the coordinates.

    Each cut stays within the four half pixels around its corner, where no other arc is, so arcs neither touch nor cross
    afterwards. A staircase of 45 degrees becomes a straight line.

    Args:
        points: int32 (points, 2), column and row of corners.
        start: where each arc's points begin.
        is_ring: whether each arc is a ring, whose first point is a turn as well.

    Returns:
        Points in half pixels; where each arc's points begin; which points are the midpoint of a straight run of a
        single boundary edge: those lie on the line that a staircase approximates.
    """
    out = np.empty((2 * points.shape[0], 2), np.int32)
    out_start = np.zeros(start.size, np.int64)
    is_midpoint = np.zeros(out.shape[0], np.bool_)
    used = 0
    for arc in range(start.size - 1):
        first, last = start[arc], start[arc + 1] - 1
        begin = used
        if not is_ring[arc]:
            out[used, 0], out[used, 1] = 2 * points[first, 0], 2 * points[first, 1]
            used += 1
        for k in range(first if is_ring[arc] else first + 1, last):
            before = last - 1 if k == first else k - 1
            for axis in range(2):
                here, came, goes = points[k, axis], points[before, axis], points[k + 1, axis]
                out[used, axis] = 2 * here - int(here > came) + int(here < came)
                out[used + 1, axis] = 2 * here + int(goes > here) - int(goes < here)
            if used > begin and out[used, 0] == out[used - 1, 0] and out[used, 1] == out[used - 1, 1]:
                out[used, 0], out[used, 1] = out[used + 1, 0], out[used + 1, 1]
                is_midpoint[used - 1] = True
                used += 1
            else:
                used += 2
        if not is_ring[arc]:
            out[used, 0], out[used, 1] = 2 * points[last, 0], 2 * points[last, 1]
            used += 1
        elif out[used - 1, 0] != out[begin, 0] or out[used - 1, 1] != out[begin, 1]:
            out[used, 0], out[used, 1] = out[begin, 0], out[begin, 1]
            used += 1
        out_start[arc + 1] = used
    return out[:used].copy(), out_start, is_midpoint[:used].copy()


@jit
def is_in_triangle(x: int, y: int, ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> bool:
    """Whether a point within the bounding box of a triangle lies in the triangle or on its edge."""
    ab = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    bc = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    ca = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (ab >= 0 and bc >= 0 and ca >= 0) or (ab <= 0 and bc <= 0 and ca <= 0)


@jit
def set_bits(bits: Words, points: Ints) -> None:
    """Set the bits of points.

    Args:
        bits: uint32 (rows, words), a ring buffer of rows of half pixels: a row lies at its number modulo ``rows``.
        points: (n, 2), rows and columns in half pixels.
    """
    for n in range(points.shape[0]):
        row, col = points[n, 0] % bits.shape[0], points[n, 1]
        bits[row, col // WORD_BITS] |= np.uint32(1 << (col % WORD_BITS))


@jit
def is_blocked(points: Ints, p: int, i: int, q: int, bits: Words) -> bool:
    """Whether a constraint point that is not one of the arc's between ``p`` and ``q`` lies in the triangle p, i, q."""
    ax, ay, bx, by, cx, cy = points[p, 0], points[p, 1], points[i, 0], points[i, 1], points[q, 0], points[q, 1]
    low_x, high_x = min(ax, bx, cx), max(ax, bx, cx)
    low_y, high_y = min(ay, by, cy), max(ay, by, cy)
    inside = 0
    row = low_y % bits.shape[0]
    for y in range(low_y, high_y + 1):
        x = low_x
        while x <= high_x:
            # The bits from x to the end of its word or of the row, without the corners of the triangle.
            count = min(high_x - x + 1, WORD_BITS - x % WORD_BITS)
            word = np.int64(bits[row, x // WORD_BITS]) >> (x % WORD_BITS) & ((1 << count) - 1)
            if word != 0:
                for corner_x, corner_y in ((ax, ay), (bx, by), (cx, cy)):
                    if corner_y == y and x <= corner_x < x + count:
                        word &= ~(1 << (corner_x - x))
            at = x
            while word != 0:
                if word & 1 and is_in_triangle(at, y, ax, ay, bx, by, cx, cy):
                    inside += 1
                word >>= 1
                at += 1
            x += count
        row = row + 1 if row + 1 < bits.shape[0] else 0
    if inside == 0:
        return False
    for k in range(p + 1, q):
        x, y = points[k, 0], points[k, 1]
        if k == i or x < low_x or x > high_x or y < low_y or y > high_y:
            continue
        if is_in_triangle(x, y, ax, ay, bx, by, cx, cy):
            inside -= 1
    return inside > 0


@jit
def squared_distance(points: Ints, p: int, q: int, k: int) -> float:
    """Squared distance of the point ``k`` from the segment between the points ``p`` and ``q``."""
    dx, dy = points[q, 0] - points[p, 0], points[q, 1] - points[p, 1]
    ex, ey = points[k, 0] - points[p, 0], points[k, 1] - points[p, 1]
    long, along = dx * dx + dy * dy, ex * dx + ey * dy
    if along <= 0 or long == 0:
        return float(ex * ex + ey * ey)
    if along >= long:
        fx, fy = ex - dx, ey - dy
        return float(fx * fx + fy * fy)
    cross = float(ex * dy - ey * dx)
    return cross * cross / float(long)


@jit
def is_within_tolerance(points: Ints, p: int, i: int, q: int, square: float) -> bool:
    """Whether all points between ``p`` and ``q`` are at most sqrt(``square``) away from the segment between them.

    ``i`` is checked first, because it is likely to be the furthest.
    """
    furthest = squared_distance(points, p, q, i)
    k = p + 1
    while furthest <= square and k < q:
        furthest = max(furthest, squared_distance(points, p, q, k))
        k += 1
    return furthest <= square


@jit
def point_priority(points: Ints, p: int, i: int, q: int, is_deferred: bool, square: float) -> int:
    """Priority with which the point ``i`` between ``p`` and ``q`` is dropped: the smaller, the sooner.

    Twice the area of the triangle, at most ``MAX_AREA``, plus ``DEFERRED`` for a deferred point; ``KEEP`` where ``i``
    is more than sqrt(``square``) away from the segment between ``p`` and ``q``.
    """
    if squared_distance(points, p, q, i) > square:
        return KEEP
    cross: int = abs(
        (points[i, 0] - points[p, 0]) * (points[q, 1] - points[p, 1])
        - (points[q, 0] - points[p, 0]) * (points[i, 1] - points[p, 1])
    )
    return min(cross, MAX_AREA) + (DEFERRED if is_deferred else 0)


@jit
def simplify_visvalingam(points: Ints, start: Ints, is_deferred: Flags, tolerance: float, bits: Words) -> Flags:
    """Choose the points of arcs to keep: Visvalingam and Whyatt (1993), with a bounded error and preserved topology.

    Args:
        points: int64 (points, 2), columns and rows in half pixels.
        start: where each arc's points begin.
        is_deferred: points that are dropped last: the midpoints of ``cut_corners``, so that a staircase becomes the
            line through its middle and areas stay.
        tolerance: in half pixels.
        bits: bitmap of the vertices of all arcs and of one point inside of every region, see ``set_bits``.

    Returns:
        bool (points,), which points to keep.
    """
    keep, most = np.ones(points.shape[0], np.bool_), np.int64(0)
    for arc in range(start.size - 1):
        most = max(most, start[arc + 1] - start[arc])
    before, after, priority = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    # Keys of the heap are priorities and indices of points. A point whose triangle has grown keeps its key, ``queued``,
    # until that comes up, since most grow more than once until then. Each dropped point adds at most two keys.
    queued, heap = np.empty(most, np.int64), np.empty(3 * most, np.int64)
    square = tolerance * tolerance
    for arc in range(start.size - 1):
        first, last = start[arc], start[arc + 1] - start[arc] - 1
        line, deferred = points[first : start[arc + 1]], is_deferred[first : start[arc + 1]]
        waiting = 0
        for n in range(last + 1):
            before[n], after[n], queued[n] = n - 1, n + 1, KEEP
            if 0 < n < last:
                priority[n] = point_priority(line, n - 1, n, n + 1, deferred[n], square)
                if priority[n] < KEEP:
                    queued[n] = priority[n]
                    waiting = heap_push(heap, waiting, priority[n] << 32 | n)
        while waiting > 0:
            key, i = heap[0] >> 32, heap[0] & 0xFFFFFFFF
            if queued[i] == key != priority[i] < KEEP:
                queued[i] = priority[i]
                heap_replace(heap, waiting, priority[i] << 32 | i)
                continue
            waiting -= 1
            heap_replace(heap, waiting, heap[waiting])
            if queued[i] != key:
                continue  # another key of this point came up before
            queued[i] = KEEP
            p, q = before[i], after[i]
            # Dropping a point on a straight line changes nothing.
            is_bend = key != 0 and key != DEFERRED
            if priority[i] == KEEP or (
                is_bend and (not is_within_tolerance(line, p, i, q, square) or is_blocked(line, p, i, q, bits))
            ):
                continue
            keep[first + i] = False
            after[p], before[q] = q, p
            for n in (p, q):
                if 0 < n < last:
                    priority[n] = point_priority(line, before[n], n, after[n], deferred[n], square)
                    if priority[n] < queued[n]:
                        queued[n] = priority[n]
                        waiting = heap_push(heap, waiting, priority[n] << 32 | n)
    return keep
