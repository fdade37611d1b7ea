"""Kernel that finds arcs which touch others where they should not, by the exact arithmetic of the lattice."""

from __future__ import annotations

import numpy as np

from ...arrays import Flags, Ints, Labels
from ...jit import jit

#: Side of a cell in which segments are compared, in units of the lattice.
CELL = 1024


@jit
def cross_product(points: Labels, a: int, b: int, c: int) -> int:
    """Twice the signed area of the triangle of three points."""
    ax, ay = np.int64(points[a, 0]), np.int64(points[a, 1])
    return int((points[b, 0] - ax) * (points[c, 1] - ay) - (points[b, 1] - ay) * (points[c, 0] - ax))


@jit
def is_between(points: Labels, a: int, b: int, c: int) -> bool:
    """Whether the point ``c`` lies in the bounding box of the segment from ``a`` to ``b``."""
    return bool(
        min(points[a, 0], points[b, 0]) <= points[c, 0] <= max(points[a, 0], points[b, 0])
        and min(points[a, 1], points[b, 1]) <= points[c, 1] <= max(points[a, 1], points[b, 1])
    )


@jit
def have_contact(points: Labels, a: int, c: int) -> bool:
    """Whether the segments that begin at the points ``a`` and ``c`` have a point in common."""
    b, d = a + 1, c + 1
    one, two = cross_product(points, a, b, c), cross_product(points, a, b, d)
    three, four = cross_product(points, c, d, a), cross_product(points, c, d, b)
    if ((one > 0 and two < 0) or (one < 0 and two > 0)) and ((three > 0 and four < 0) or (three < 0 and four > 0)):
        return True
    return (
        (one == 0 and is_between(points, a, b, c))
        or (two == 0 and is_between(points, a, b, d))
        or (three == 0 and is_between(points, c, d, a))
        or (four == 0 and is_between(points, c, d, b))
    )


@jit
def are_in_conflict(points: Labels, vertex: Ints, a: int, c: int) -> bool:
    """Whether two segments meet elsewhere than at one common vertex.

    Args:
        points: of all arcs.
        vertex: number of the vertex at each point; the ends of arcs at a node have the same.
        a: the point at which one segment begins.
        c: the point at which the other begins.
    """
    shared, common, tip, other = 0, a, a, c
    for p in (a, a + 1):
        for q in (c, c + 1):
            if vertex[p] == vertex[q]:
                shared += 1
                common, tip, other = p, 2 * a + 1 - p, 2 * c + 1 - q
    if shared == 0:
        return have_contact(points, a, c)
    if shared == 2:
        return True
    x, y = np.int64(points[common, 0]), np.int64(points[common, 1])
    dot = (points[tip, 0] - x) * (points[other, 0] - x) + (points[tip, 1] - y) * (points[other, 1] - y)
    return bool(dot > 0 and cross_product(points, common, tip, other) == 0)


@jit
def cell_range(points: Labels, p: int, left: int, top: int) -> tuple[int, int, int, int]:
    """Return the first and last column and row of the cells of the segment that begins at ``p``."""
    return (
        (min(points[p, 0], points[p + 1, 0]) - left) // CELL,
        (max(points[p, 0], points[p + 1, 0]) - left) // CELL,
        (min(points[p, 1], points[p + 1, 1]) - top) // CELL,
        (max(points[p, 1], points[p + 1, 1]) - top) // CELL,
    )


def find_conflicts(points: Labels, start: Ints, vertex: Ints, is_changed: Flags) -> Flags:
    """Find arcs that were changed and now meet others, or themselves, elsewhere than at their nodes.

    Args:
        points: of the arcs, at least two each, on the lattice.
        start: where each arc's points begin.
        vertex: number of the vertex at each point; the ends of arcs at a node have the same.
        is_changed: the arcs that were changed; the others are known not to touch each other.

    Returns:
        bool (arcs,), those in conflict, changed or not.
    """
    left, top = points.min(axis=0).tolist()
    columns, rows = ((points.max(axis=0) - (left, top)) // CELL + 1).tolist()
    # The number of each cell where something changed, from 1.
    number = np.zeros((rows, columns), np.int64)
    count = number_cells(points, start, is_changed, left, top, number)
    return compare_segments(points, start, vertex, is_changed, left, top, number, count)


@jit
def number_cells(points: Labels, start: Ints, is_changed: Flags, left: int, top: int, number: Ints) -> int:
    """Number the cells in which the segments of changed arcs lie, from 1; return how many there are."""
    count = 0
    for arc in range(start.size - 1):
        if not is_changed[arc]:
            continue
        for p in range(start[arc], start[arc + 1] - 1):
            low_x, high_x, low_y, high_y = cell_range(points, p, left, top)
            for y in range(low_y, high_y + 1):
                for x in range(low_x, high_x + 1):
                    if number[y, x] == 0:
                        count += 1
                        number[y, x] = count
    return count


@jit
def compare_segments(
    points: Labels, start: Ints, vertex: Ints, is_changed: Flags, left: int, top: int, number: Ints, count: int
) -> Flags:
    """Compare the segments in each numbered cell; the arguments and the result are those of ``find_conflicts``."""
    first = np.zeros(count + 3, np.int64)
    segments, owner = np.empty(0, np.int64), np.empty(0, np.int64)
    # Segments are counted in the first round and stored, cell by cell, in the second.
    for is_second in range(2):
        for arc in range(start.size - 1):
            for p in range(start[arc], start[arc + 1] - 1):
                low_x, high_x, low_y, high_y = cell_range(points, p, left, top)
                for y in range(low_y, high_y + 1):
                    for x in range(low_x, high_x + 1):
                        cell = number[y, x]
                        if cell > 0:
                            if is_second:
                                segments[first[cell + 1]], owner[first[cell + 1]] = p, arc
                            first[cell + 2 - is_second] += 1
        if not is_second:
            for cell in range(1, first.size):
                first[cell] += first[cell - 1]
            segments, owner = np.empty(first[-1], np.int64), np.empty(first[-1], np.int64)
    found = np.zeros(start.size - 1, np.bool_)
    for cell in range(1, count + 1):
        for i in range(first[cell], first[cell + 1]):
            for j in range(first[cell], i):
                if (is_changed[owner[i]] or is_changed[owner[j]]) and are_in_conflict(
                    points, vertex, segments[i], segments[j]
                ):
                    found[owner[i]] = found[owner[j]] = True
    return found
