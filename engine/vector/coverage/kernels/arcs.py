"""Kernels that join arcs at the seams of strips and give them a canonical direction."""

from __future__ import annotations

import numpy as np

from ...arrays import Ints, Labels, make_offsets
from ...jit import jit
from .boundaries import NODE, Ends


def gather_points(points: Labels, start: Ints, index: Ints) -> tuple[Labels, Ints]:
    """Gather the points of some arcs.

    Args:
        points: int32 (points, 2), points of all arcs.
        start: where each arc's points begin (and, last, end).
        index: the arcs to take.

    Returns:
        Points; where each arc's points begin (and, last, end).
    """
    sizes = start[index + 1] - start[index]
    begin = make_offsets(sizes)
    return points[np.arange(begin[-1]) + np.repeat(start[index] - begin[:-1], sizes)], begin


@jit
def is_collinear(points: Labels, a: int, b: int, c: int) -> bool:
    """Whether three points lie in one row or one column."""
    same_col = points[a, 0] == points[b, 0] and points[b, 0] == points[c, 0]
    same_row = points[a, 1] == points[b, 1] and points[b, 1] == points[c, 1]
    return bool(same_col or same_row)


@jit
def append_arc(points: Labels, start: Ints, end: int, out: Labels, first: int, filled: int) -> int:
    """Append an arc to a joined arc; the shared point occurs once, and not at all on a straight run.

    Args:
        points: points of all arcs.
        start: where each arc's points begin.
        end: the end to begin with: 2 * arc for its first point, 2 * arc + 1 for its last.
        out: receives the points.
        first: where the joined arc begins in ``out``.
        filled: where it ends.

    Returns:
        The new end of the joined arc in ``out``.
    """
    arc = end >> 1
    size = start[arc + 1] - start[arc]
    begin = filled
    for n in range(size):
        if n == 0 and begin > first:
            continue
        k = start[arc] + n if end & 1 == 0 else start[arc + 1] - 1 - n
        out[filled, 0], out[filled, 1] = points[k, 0], points[k, 1]
        filled += 1
        if n == 1 and filled - first > 2 and is_collinear(out, filled - 3, filled - 2, filled - 1):
            out[filled - 2, 0], out[filled - 2, 1] = out[filled - 1, 0], out[filled - 1, 1]
            filled -= 1
    return filled


@jit
def join_arcs(
    points: Labels, start: Ints, sides: Labels, corners: Ints, ends: Ends, partners: Ints
) -> tuple[Labels, Ints, Labels, Ints, Ends]:
    """Join arcs whose ends meet at a seam.

    Args:
        points: points of the arcs; this and the next four as in ``Arcs``.
        start: where each arc's points begin.
        sides: regions left and right.
        corners: first and last corner.
        ends: directions and kinds of the ends.
        partners: the end that end 2 * arc (first) or 2 * arc + 1 (last) meets; -1 for none.

    Returns:
        The five arrays of the joined arcs. Straight runs have no point at a seam.
    """
    arcs = sides.shape[0]
    used = np.zeros(arcs, np.bool_)
    out = np.empty((points.shape[0] + 1, 2), np.int32)
    out_start = np.zeros(arcs + 1, np.int64)
    out_sides = np.empty((arcs, 2), np.int32)
    out_corners = np.empty((arcs, 2), np.int64)
    out_ends = np.empty((arcs, 4), np.int8)
    count, filled = 0, 0
    for ring in range(2):
        for begin in range(2 * arcs):
            if used[begin >> 1] or (partners[begin] >= 0) != (ring == 1) or (ring == 1 and begin & 1):
                continue
            a, side = begin >> 1, begin & 1
            out_sides[count, 0], out_sides[count, 1] = sides[a, side], sides[a, 1 - side]
            out_corners[count, 0] = corners[a, side]
            out_ends[count, 0], out_ends[count, 2] = ends[a, side], ends[a, 2 + side]
            first, end = filled, begin
            while True:
                used[end >> 1] = True
                filled = append_arc(points, start, end, out, first, filled)
                end ^= 1
                if partners[end] < 0 or partners[end] == begin:
                    break
                end = partners[end]
            if ring == 1 and is_collinear(out, filled - 2, first, first + 1):
                out[first, 0], out[first, 1] = out[filled - 2, 0], out[filled - 2, 1]
                filled -= 1
            a, side = end >> 1, end & 1
            out_corners[count, 1] = corners[a, side]
            out_ends[count, 1], out_ends[count, 3] = ends[a, side], ends[a, 2 + side]
            count += 1
            out_start[count] = filled
    return (
        out[:filled].copy(),
        out_start[: count + 1].copy(),
        out_sides[:count].copy(),
        out_corners[:count].copy(),
        out_ends[:count].copy(),
    )


@jit
def find_lowest_corner(points: Labels, first: int, size: int) -> int:
    """Index, among ``size`` points from ``first``, of the one that comes first in row order."""
    lowest = 0
    for n in range(1, size):
        is_lower = points[first + n, 1] < points[first + lowest, 1]
        is_level = points[first + n, 1] == points[first + lowest, 1]
        if is_lower or (is_level and points[first + n, 0] < points[first + lowest, 0]):
            lowest = n
    return lowest


@jit
def normalize_arcs(
    points: Labels, start: Ints, sides: Labels, corners: Ints, ends: Ends, width: int
) -> tuple[Labels, Labels, Ints, Ends]:
    """Give every arc a direction, and every ring a first point, that do not depend on the strips.

    An arc runs from its lower corner (in row order) to the other; one from a node to itself leaves it in the lower
    direction. A ring begins at its lowest corner, going east.

    Args:
        points: points of the arcs; this and the next four as in ``Arcs``.
        start: where each arc's points begin.
        sides: regions left and right.
        corners: first and last corner.
        ends: directions and kinds of the ends.
        width: corners in a row.

    Returns:
        New points, sides, corners and ends.
    """
    out = np.empty(points.shape, np.int32)
    out_sides, out_corners, out_ends = sides.copy(), corners.copy(), ends.copy()
    for arc in range(sides.shape[0]):
        first = start[arc]
        size = start[arc + 1] - first
        is_ring = corners[arc, 0] == corners[arc, 1] and ends[arc, 2] != NODE
        lowest = 0
        if is_ring:
            size -= 1
            lowest = find_lowest_corner(points, first, size)
            backward = points[first + (lowest + 1) % size, 1] != points[first + lowest, 1]
        else:
            backward = corners[arc, 0] > corners[arc, 1]
            if corners[arc, 0] == corners[arc, 1]:
                backward = ends[arc, 0] > ends[arc, 1]
            lowest = size - 1 if backward else 0
        k = first + lowest
        for n in range(size):
            out[first + n, 0], out[first + n, 1] = points[k, 0], points[k, 1]
            k += -1 if backward else 1
            if k < first:
                k += size
            elif k == first + size:
                k = first
        if is_ring:
            out[first + size, 0], out[first + size, 1] = out[first, 0], out[first, 1]
            out_corners[arc, :] = np.int64(out[first, 1]) * width + out[first, 0]
            out_ends[arc, 0], out_ends[arc, 1] = 0, 1
        elif backward:
            out_corners[arc, 0], out_corners[arc, 1] = corners[arc, 1], corners[arc, 0]
            out_ends[arc, 0], out_ends[arc, 1] = ends[arc, 1], ends[arc, 0]
        if backward:
            out_sides[arc, 0], out_sides[arc, 1] = sides[arc, 1], sides[arc, 0]
    return out, out_sides, out_corners, out_ends
