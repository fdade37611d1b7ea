"""Compiled loops that cut and simplify arcs on a lattice of half pixels (see ``jit``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]

#: Bits in a word of guards.
WORD = 32
#: Larger triangles than this come in the order of their points.
LARGEST = (1 << 30) - 1
#: More than any triangle's area.
LATE = 1 << 30
#: The size of a triangle that may not be taken off; more than any other.
NEVER = 1 << 31


@jit
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


@jit
def in_triangle(x: int, y: int, ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> bool:
    """Whether a point within a triangle's bounding box lies in the triangle or on its edge."""
    one = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    two = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    three = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)


@jit
def set_bits(bits: Words, guards: Ints) -> None:
    """Set the bits of vertices.

    Args:
        bits: uint32 (rows, words), a window: a row of half pixels lies at its number modulo ``rows``.
        guards: (n, 2), rows and columns of the vertices.
    """
    for n in range(guards.shape[0]):
        row, col = guards[n, 0] % bits.shape[0], guards[n, 1]
        bits[row, col // WORD] |= np.uint32(1 << (col % WORD))


@jit
def is_blocked(points: NDArray[np.int64], p: int, i: int, q: int, bits: Words) -> bool:
    """Whether anything but the arc's own points between ``p`` and ``q`` lies in the triangle of p, i and q."""
    ax, ay, bx, by, cx, cy = points[p, 0], points[p, 1], points[i, 0], points[i, 1], points[q, 0], points[q, 1]
    low_x, high_x = min(ax, bx, cx), max(ax, bx, cx)
    low_y, high_y = min(ay, by, cy), max(ay, by, cy)
    inside = 0
    row = low_y % bits.shape[0]
    for y in range(low_y, high_y + 1):
        x = low_x
        while x <= high_x:
            # The bits from x on to the end of its word or of the row, without the triangle's own corners.
            count = min(high_x - x + 1, WORD - x % WORD)
            word = np.int64(bits[row, x // WORD]) >> (x % WORD) & ((1 << count) - 1)
            if word != 0:
                for corner_x, corner_y in ((ax, ay), (bx, by), (cx, cy)):
                    if corner_y == y and x <= corner_x < x + count:
                        word &= ~(1 << (corner_x - x))
            at = x
            while word != 0:
                if word & 1 and in_triangle(at, y, ax, ay, bx, by, cx, cy):
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
        if in_triangle(x, y, ax, ay, bx, by, cx, cy):
            inside -= 1
    return inside > 0


@jit
def square_away(points: NDArray[np.int64], p: int, q: int, k: int) -> float:
    """The square of the distance of point ``k`` from the straight line between the points ``p`` and ``q``."""
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
def is_within(points: NDArray[np.int64], p: int, i: int, q: int, square: float) -> bool:
    """Whether all points between ``p`` and ``q`` are at most sqrt(``square``) away from the straight line between.

    ``i`` is the one that is likely to be the furthest.
    """
    furthest = square_away(points, p, q, i)
    k = p + 1
    while furthest <= square and k < q:
        furthest = max(furthest, square_away(points, p, q, k))
        k += 1
    return furthest <= square


@jit
def triangle_size(points: NDArray[np.int64], p: int, i: int, q: int, is_middle: bool, square: float) -> int:
    """When the triangle of three points is taken off: the smaller, the sooner.

    Twice its area, at most ``LARGEST``, and ``LATE`` more for a middle; ``NEVER`` where ``i`` is more than
    sqrt(``square``) away from the line between ``p`` and ``q``.
    """
    if square_away(points, p, q, i) > square:
        return NEVER
    cross: int = abs(
        (points[i, 0] - points[p, 0]) * (points[q, 1] - points[p, 1])
        - (points[q, 0] - points[p, 0]) * (points[i, 1] - points[p, 1])
    )
    return min(cross, LARGEST) + (LATE if is_middle else 0)


@jit
def push(heap: Ints, size: int, key: int) -> int:
    """Add a key to a binary heap of ``size`` keys, the smallest first; returns its new size."""
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = key
    return size + 1


@jit
def pop(heap: Ints, size: int) -> int:
    """Take the smallest key, ``heap[0]``, from a binary heap of ``size`` keys; returns its new size."""
    size -= 1
    replace_first(heap, size, heap[size])
    return size


@jit
def replace_first(heap: Ints, size: int, key: int) -> None:
    """Put a key in the place of the smallest one, ``heap[0]``, of a binary heap of ``size`` keys."""
    at, below = 0, 1
    while below < size:
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= key:
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = key


@jit
def queue_triangles(
    own: NDArray[np.int64], late: NDArray[np.bool_], square: float, size: Ints, queued: Ints, heap: Ints
) -> int:
    """Measure the triangles of an arc's inner points, and queue those that may go.

    Args:
        own: int64 (points, 2), the points of the arc.
        late: which of them go last.
        square: the tolerance, squared.
        size: of each point's triangle; set.
        queued: the size that each point is queued with, NEVER for those that are not; set.
        heap: the queue; set.

    Returns:
        How many are queued.
    """
    waiting = 0
    last = own.shape[0] - 1
    for n in range(last + 1):
        queued[n] = NEVER
        if 0 < n < last:
            size[n] = triangle_size(own, n - 1, n, n + 1, late[n], square)
            if size[n] < NEVER:
                queued[n] = size[n]
                waiting = push(heap, waiting, size[n] << 32 | n)
    return waiting


@jit
def thin_arcs(
    points: NDArray[np.int64],
    start: Ints,
    middle: NDArray[np.bool_],
    tolerance: float,
    bits: Words,
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
        bits: the guards as ``set_bits`` sets them: the vertices of all arcs, and one point inside of every region.
    """
    keep = np.ones(points.shape[0], np.bool_)
    most = max(0, (start[1:] - start[:-1]).max())
    before, after, size = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    # Keys are sizes and numbers of points. A triangle that has grown keeps its key, ``queued``, until that comes up,
    # since most grow more than once until then. Every point that is dropped adds at most two to the keys there are.
    queued, heap = np.empty(most, np.int64), np.empty(3 * most, np.int64)
    square = tolerance * tolerance
    for arc in range(start.size - 1):
        first = start[arc]
        count = start[arc + 1] - first
        own, late = points[first : first + count], middle[first : first + count]
        for n in range(count):
            before[n], after[n] = n - 1, n + 1
        waiting = queue_triangles(own, late, square, size, queued, heap)
        while waiting > 0:
            area, i = heap[0] >> 32, heap[0] & 0xFFFFFFFF
            if queued[i] == area != size[i] < NEVER:
                queued[i] = size[i]
                replace_first(heap, waiting, size[i] << 32 | i)
                continue
            waiting = pop(heap, waiting)
            if queued[i] != area:
                continue  # it had a key that came sooner
            queued[i] = NEVER
            if size[i] == NEVER:
                continue
            p, q = before[i], after[i]
            # Where the three lie on a straight line, the line stays what it is.
            is_bend = area != 0 and area != LATE
            if is_bend and (not is_within(own, p, i, q, square) or is_blocked(own, p, i, q, bits)):
                continue
            keep[first + i] = False
            after[p], before[q] = q, p
            for n in (p, q):
                if 0 < n < count - 1:
                    size[n] = triangle_size(own, before[n], n, after[n], late[n], square)
                    if size[n] < queued[n]:
                        queued[n] = size[n]
                        waiting = push(heap, waiting, size[n] << 32 | n)
    return keep
