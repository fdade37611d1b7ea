"""Compiled loops that trace the borders between regions into arcs, and join arcs over seams (see ``accelerate``).

A crack is the side that two pixels of different regions share. It runs between corners, the points of the lattice
where four pixels meet. Directions are 0 east, 1 south, 2 west, 3 north; bit d of a corner's mask is the crack that
leaves it in direction d.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..accelerate import kernel

Labels = NDArray[np.int32]
Bits = NDArray[np.uint8]
Ints = NDArray[np.int64]
Small = NDArray[np.int8]

#: What a corner is to a tracer: passed through, a node, or the open end of an arc at a seam.
PASS, NODE, SEAM = 0, 1, 2


@kernel
def corner_masks(labels: Labels, row: int, first: bool, last: bool, anchor: int) -> tuple[Bits, Bits, int, int]:
    """Masks and kinds of the corners of a strip.

    Args:
        labels: int32, the strip with the row above it (zeros for the first strip), a row of zeros below it if it is
            the last, and a column of zeros on either side.
        row: row of the strip's first corners in the raster.
        first: whether the strip is the first.
        last: whether the strip is the last.
        anchor: arcs that come from above end at corners of every ``anchor``-th row, so that they stay short.

    Returns:
        uint8 masks of the cracks to trace, uint8 kinds, the number of arc ends and the number of corners where an
        arc turns or ends. A strip that is not the last has one more row of corners: the seam below, where its
        cracks end and the next strip's begin.
    """
    height = labels.shape[0] - 1
    width = labels.shape[1] - 1
    total = height if last else height + 1
    masks = np.zeros((total, width), np.uint8)
    kinds = np.zeros((total, width), np.uint8)
    ends, turns = 0, 0
    for r in range(height):
        anchored = (row + r) % anchor == 0
        for c in range(width):
            north_west, north_east = labels[r, c], labels[r, c + 1]
            south_west, south_east = labels[r + 1, c], labels[r + 1, c + 1]
            mask = 0
            if north_east != south_east:
                mask |= 1
            if south_west != south_east:
                mask |= 2
            if north_west != south_west:
                mask |= 4
            if north_west != north_east:
                mask |= 8
            if mask == 0:
                continue
            degree = (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1)
            kind = 0
            if degree > 2 or (anchored and mask & 8):
                kind = 1
            if r == 0 and not first and mask & 8:
                mask &= 7
                if kind == 0:
                    kind = 2
                degree -= 1
            masks[r, c] = mask
            kinds[r, c] = kind
            if kind:
                ends += degree
                turns += degree
            elif mask not in (5, 10):
                turns += 1
    if not last:
        for c in range(width):
            if labels[height, c] != labels[height, c + 1]:
                masks[height, c] = 8
                kinds[height, c] = 2
                ends += 1
                turns += 1
    return masks, kinds, ends, turns


@kernel
def trace_arcs(
    labels: Labels, masks: Bits, kinds: Bits, row: int, ends: int, turns: int
) -> tuple[Labels, Ints, Labels, Ints, Small]:
    """Walk along the cracks of a strip from end to end, then around the rings that are left.

    Args:
        labels: as in ``corner_masks``.
        masks: cracks to trace.
        kinds: kinds of the corners.
        row: row of the first corners in the raster.
        ends: number of arc ends.
        turns: number of corners where an arc turns or ends.

    Returns:
        Vertices (column, row); where each arc's vertices begin (and, last, end); regions left and right of each arc
        (n, 2); the corners (row * corner columns + column) where it begins and ends (n, 2); directions in which it
        leaves its first and its last corner and the kinds of both (n, 4).
    """
    height, width = masks.shape
    step_row = np.array([0, 1, 0, -1])
    step_col = np.array([1, 0, -1, 0])
    most = ends // 2 + turns // 4 + 1
    points = np.empty((turns + turns // 4 + 2, 2), np.int32)
    start = np.empty(most + 1, np.int64)
    sides = np.empty((most, 2), np.int32)
    corners = np.empty((most, 2), np.int64)
    ways = np.empty((most, 4), np.int8)
    open_cracks = masks.copy()
    arcs, used = 0, 0
    start[0] = 0
    for ring in range(2):
        for r0 in range(height):
            for c0 in range(width):
                if open_cracks[r0, c0] == 0 or (kinds[r0, c0] != 0) == (ring == 1):
                    continue
                if ring == 1 and masks[r0, c0] in (5, 10):
                    continue
                for d0 in range(4):
                    if not open_cracks[r0, c0] >> d0 & 1:
                        continue
                    r, c, d = r0, c0, d0
                    left_row, left_col = r + (d == 1 or d == 2), c + (d == 0 or d == 1)
                    right_row, right_col = r + (d == 0 or d == 1), c + (d == 0 or d == 3)
                    sides[arcs, 0], sides[arcs, 1] = labels[left_row, left_col], labels[right_row, right_col]
                    points[used, 0], points[used, 1] = c, r + row
                    used += 1
                    while True:
                        open_cracks[r, c] &= 255 ^ (1 << d)
                        r += step_row[d]
                        c += step_col[d]
                        back = (d + 2) & 3
                        open_cracks[r, c] &= 255 ^ (1 << back)
                        if kinds[r, c] != 0 or (r == r0 and c == c0):
                            break
                        rest = masks[r, c] & (255 ^ (1 << back))
                        turn = 0
                        while not rest >> turn & 1:
                            turn += 1
                        if turn != d:
                            points[used, 0], points[used, 1] = c, r + row
                            used += 1
                        d = turn
                    points[used, 0], points[used, 1] = c, r + row
                    used += 1
                    corners[arcs, 0] = np.int64(row + r0) * width + c0
                    corners[arcs, 1] = np.int64(row + r) * width + c
                    ways[arcs, 0], ways[arcs, 1] = d0, (d + 2) & 3
                    ways[arcs, 2], ways[arcs, 3] = kinds[r0, c0], kinds[r, c]
                    arcs += 1
                    start[arcs] = used
                    if ring == 1:
                        break
    return (
        points[:used].copy(),
        start[: arcs + 1].copy(),
        sides[:arcs].copy(),
        corners[:arcs].copy(),
        ways[:arcs].copy(),
    )


@kernel
def join_arcs(
    points: Labels, start: Ints, sides: Labels, corners: Ints, ways: Small, mates: Ints
) -> tuple[Labels, Ints, Labels, Ints, Small]:
    """String arcs together that meet at seams.

    Args:
        points: vertices of the arcs, as ``trace_arcs`` returns them.
        start: where each arc's vertices begin.
        sides: regions left and right.
        corners: first and last corner.
        ways: directions and kinds.
        mates: for end 2 * arc (first) and 2 * arc + 1 (last) the end that it meets; -1 where it meets none.

    Returns:
        The same for the joined arcs. Straight runs have no vertex at a seam.
    """
    arcs = sides.shape[0]
    used = np.zeros(arcs, np.bool_)
    out = np.empty_like(points)
    out_start = np.empty(arcs + 1, np.int64)
    out_sides = np.empty((arcs, 2), np.int32)
    out_corners = np.empty((arcs, 2), np.int64)
    out_ways = np.empty((arcs, 4), np.int8)
    count, filled = 0, 0
    out_start[0] = 0
    for ring in range(2):
        for begin in range(2 * arcs):
            if used[begin >> 1] or (mates[begin] >= 0) != (ring == 1):
                continue
            if ring == 1 and begin & 1:
                continue
            a, side = begin >> 1, begin & 1
            out_sides[count, 0], out_sides[count, 1] = sides[a, side], sides[a, 1 - side]
            out_corners[count, 0] = corners[a, side]
            out_ways[count, 0], out_ways[count, 2] = ways[a, side], ways[a, 2 + side]
            first = filled
            end = begin
            while True:
                a = end >> 1
                used[a] = True
                size = start[a + 1] - start[a]
                for n in range(size):
                    k = start[a] + n if end & 1 == 0 else start[a + 1] - 1 - n
                    x, y = points[k, 0], points[k, 1]
                    if filled > first and n == 0:
                        continue
                    if n == 1 and filled - first > 1:
                        before = filled - 2
                        if (out[before, 0] == out[before + 1, 0] and out[before + 1, 0] == x) or (
                            out[before, 1] == out[before + 1, 1] and out[before + 1, 1] == y
                        ):
                            filled -= 1
                    out[filled, 0], out[filled, 1] = x, y
                    filled += 1
                end ^= 1
                if mates[end] < 0 or mates[end] == begin:
                    break
                end = mates[end]
            last = filled - 1
            if ring == 1 and (
                out[last - 1, 0] == out[last, 0] == out[first + 1, 0]
                or out[last - 1, 1] == out[last, 1] == out[first + 1, 1]
            ):
                out[first, 0], out[first, 1] = out[last - 1, 0], out[last - 1, 1]
                filled -= 1
            a, side = end >> 1, end & 1
            out_corners[count, 1] = corners[a, side]
            out_ways[count, 1], out_ways[count, 3] = ways[a, side], ways[a, 2 + side]
            count += 1
            out_start[count] = filled
    return (
        out[:filled].copy(),
        out_start[: count + 1].copy(),
        out_sides[:count].copy(),
        out_corners[:count].copy(),
        out_ways[:count].copy(),
    )


@kernel
def normalise_arcs(
    points: Labels, start: Ints, sides: Labels, corners: Ints, ways: Small, width: int
) -> tuple[Labels, Labels, Ints, Small]:
    """Give every arc the one direction, and every ring the one first point, that do not depend on the strips.

    An arc runs from its lower corner (in row order) to the other; one from a node to itself leaves it in the lower
    direction. A ring begins at its lowest corner, going east.

    Args:
        points: vertices of the arcs, as ``trace_arcs`` returns them.
        start: where each arc's vertices begin.
        sides: regions left and right.
        corners: first and last corner.
        ways: directions and kinds.
        width: corners in a row.

    Returns:
        New vertices, sides, corners and ways.
    """
    out = np.empty_like(points)
    out_sides, out_corners, out_ways = sides.copy(), corners.copy(), ways.copy()
    for arc in range(sides.shape[0]):
        first, last = start[arc], start[arc + 1] - 1
        size = last - first + 1
        backward = False
        lowest = 0
        if corners[arc, 0] == corners[arc, 1] and ways[arc, 2] != NODE:
            size -= 1
            for n in range(1, size):
                lower = points[first + n, 1] < points[first + lowest, 1]
                level = points[first + n, 1] == points[first + lowest, 1]
                if lower or (level and points[first + n, 0] < points[first + lowest, 0]):
                    lowest = n
            backward = points[first + (lowest + 1) % size, 1] != points[first + lowest, 1]
            for n in range(size + 1):
                k = first + (lowest - n if backward else lowest + n) % size
                out[first + n, 0], out[first + n, 1] = points[k, 0], points[k, 1]
            out_corners[arc, :] = np.int64(out[first, 1]) * width + out[first, 0]
            out_ways[arc, 0], out_ways[arc, 1] = 0, 1
        else:
            backward = corners[arc, 0] > corners[arc, 1]
            if corners[arc, 0] == corners[arc, 1]:
                backward = ways[arc, 0] > ways[arc, 1]
            for n in range(size):
                k = last - n if backward else first + n
                out[first + n, 0], out[first + n, 1] = points[k, 0], points[k, 1]
            if backward:
                out_corners[arc, 0], out_corners[arc, 1] = corners[arc, 1], corners[arc, 0]
                out_ways[arc, 0], out_ways[arc, 1] = ways[arc, 1], ways[arc, 0]
        if backward:
            out_sides[arc, 0], out_sides[arc, 1] = sides[arc, 1], sides[arc, 0]
    return out, out_sides, out_corners, out_ways


@kernel
def guard_points(labels: Labels, masks: Bits, kinds: Bits, row: int, smooth: bool) -> Ints:
    """The vertices that arcs have at the corners of a strip, on a lattice of half pixels, and points in its holes.

    A hole in the coverage is guarded by the middles of its pixels that have none to the north and to the west.

    Args:
        labels: as in ``corner_masks``.
        masks: as ``corner_masks`` returns them, without the seam below.
        kinds: likewise.
        row: row of the first corners in the raster.
        smooth: whether arcs are cut at their corners, so that a turn has a vertex on either side.

    Returns:
        int64 (n, 2): row and column, in half pixels.
    """
    height, width = masks.shape
    count = 0
    for r in range(height):
        for c in range(width):
            if masks[r, c]:
                count += 3
    found = np.empty((count, 2), np.int64)
    used = 0
    for r in range(height):
        for c in range(width):
            mask = masks[r, c]
            if kinds[r, c] == SEAM:
                mask |= 8
            if mask == 0:
                continue
            # The pixel south-east of the corner, with its neighbours to the north and west.
            if r + 1 < labels.shape[0] and labels[r + 1, c + 1] == 0 and labels[r, c + 1] and labels[r + 1, c]:
                found[used, 0], found[used, 1] = 2 * (row + r) + 1, 2 * c + 1
                used += 1
            if kinds[r, c] != NODE and mask in (5, 10):
                continue
            if kinds[r, c] == NODE or not smooth:
                found[used, 0], found[used, 1] = 2 * (row + r), 2 * c
                used += 1
                continue
            for d in range(4):
                if mask >> d & 1:
                    found[used, 0] = 2 * (row + r) + (1 if d == 1 else -1 if d == 3 else 0)
                    found[used, 1] = 2 * c + (1 if d == 0 else -1 if d == 2 else 0)
                    used += 1
    return found[:used].copy()
