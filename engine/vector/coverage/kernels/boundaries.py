"""Compiled loops that find the corners where regions meet and trace the borders between them (see ``jit``).

A crack is the side that two pixels of different regions share. It runs between corners, the points of the lattice
where four pixels meet. Directions are 0 east, 1 south, 2 west, 3 north; bit d of a corner's mask is the crack that
leaves it in direction d. Only the upright cracks of a row are stored, and only the corners at their ends: from one of
these corners to the next one in its row a border runs straight or not at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Labels = NDArray[np.int32]
Bits = NDArray[np.uint8]
Ints = NDArray[np.int64]
Small = NDArray[np.int8]

#: What a corner is to a tracer: passed through, a node, or the open end of an arc at a seam.
PASS, NODE, SEAM = 0, 1, 2


@jit
def find_cracks(start: Ints, col: Labels, piece: Labels, table: Labels, cols: int) -> tuple[Ints, Labels, Labels]:
    """The upright cracks of a strip.

    Args:
        start: where the runs of each row begin.
        col: first column of each run.
        piece: piece of each run.
        table: region of each piece; 0 is outside.
        cols: columns of the raster.

    Returns:
        Where the cracks of each row begin (and, last, end), the column of each and the region east of it. West of it
        is the region east of the one before it, and outside for the first of a row.
    """
    rows = start.size - 1
    first = np.empty(rows + 1, np.int64)
    at = np.empty(col.size + rows, np.int32)
    east = np.empty(col.size + rows, np.int32)
    used = 0
    for r in range(rows):
        first[r] = used
        before = np.int32(0)
        for run in range(start[r], start[r + 1]):
            region = table[piece[run]]
            if region != before:
                at[used], east[used] = col[run], region
                used += 1
                before = region
        if before != 0:
            at[used], east[used] = cols, 0
            used += 1
    first[rows] = used
    return first, at[:used].copy(), east[:used].copy()


@jit
def corner_mask(north_east: int, south_east: int, south_west: int, north_west: int) -> int:
    """The mask of the corner between four regions."""
    mask = 0
    if north_east != south_east:
        mask |= 1
    if south_west != south_east:
        mask |= 2
    if north_west != south_west:
        mask |= 4
    if north_west != north_east:
        mask |= 8
    return mask


@jit
def count_bits(mask: int) -> int:
    """The number of cracks in a mask."""
    return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1)


@jit
def merge_corners(
    upper_col: Labels, upper: Labels, lower_col: Labels, lower: Labels, col: Labels, around: Labels
) -> int:
    """The corners between two rows, from west to east.

    Args:
        upper_col: columns of the cracks of the row above.
        upper: regions east of them.
        lower_col: columns of the cracks of the row below.
        lower: regions east of them.
        col: gets the column of each corner.
        around: gets (n, 4) the regions to its north-east, south-east, south-west and north-west.

    Returns:
        The number of corners.
    """
    i, j, count = 0, 0, 0
    north, south = np.int32(0), np.int32(0)
    while i < upper_col.size or j < lower_col.size:
        is_upper = j == lower_col.size or (i < upper_col.size and upper_col[i] <= lower_col[j])
        is_lower = i == upper_col.size or (j < lower_col.size and lower_col[j] <= upper_col[i])
        around[count, 2], around[count, 3] = south, north
        if is_upper:
            col[count], north = upper_col[i], upper[i]
            i += 1
        if is_lower:
            col[count], south = lower_col[j], lower[j]
            j += 1
        around[count, 0], around[count, 1] = north, south
        count += 1
    return count


@jit
def find_corners(
    first: Ints, at: Labels, east: Labels, above_at: Labels, above_east: Labels, row: int
) -> tuple[Labels, Labels]:
    """The corners at the ends of the upright cracks of a strip, row by row.

    Args:
        first: where the cracks of each row begin.
        at: column of each crack.
        east: region east of it.
        above_at: columns of the cracks of the row above the strip; none for the first strip.
        above_east: regions east of them.
        row: the strip's first row.

    Returns:
        Row and column of each corner (n, 2), and the regions around it (n, 4), see ``merge_corners``. The last row
        of corners is the lower edge of the strip: for a strip that is not the last the seam, below which nothing is
        known yet.
    """
    rows = first.size - 1
    place = np.empty((2 * at.size + above_at.size, 2), np.int32)
    around = np.zeros((2 * at.size + above_at.size, 4), np.int32)
    col, none = np.empty(len(place), np.int32), np.empty(0, np.int32)
    used = 0
    for r in range(rows + 1):
        upper = slice(first[r - 1] if r > 0 else 0, first[r])
        lower = slice(first[r], first[r + 1] if r < rows else first[r])
        above = (at[upper], east[upper]) if r > 0 else (above_at, above_east)
        below = (at[lower], east[lower]) if r < rows else (none, none)
        count = merge_corners(above[0], above[1], below[0], below[1], col, around[used:])
        for n in range(count):
            place[used + n, 0], place[used + n, 1] = row + r, col[n]
        used += count
    return place[:used], around[:used]


@jit
def link_corners(
    place: Labels, around: Labels, row: int, end: int, cols: int, is_first: bool, is_last: bool, anchor: int
) -> tuple[Labels, Bits, Bits]:
    """Which corners are joined by upright cracks, and what the corners are to a tracer.

    Args:
        place: row and column of each corner of a strip.
        around: regions around each corner.
        row: the strip's first row.
        end: the row after its last.
        cols: columns of the raster.
        is_first: whether the strip is the first.
        is_last: whether the strip is the last.
        anchor: arcs that come from above end at corners of every ``anchor``-th row, so that they stay short.

    Returns:
        The corners north and south of each at the other ends of its upright cracks (n, 2), or -1; masks of the cracks
        to trace; kinds. At seams the cracks of the strip end and those of the other strip are left out.
    """
    count = len(place)
    along = np.full((count, 2), -1, np.int32)
    mask, kind = np.empty(count, np.uint8), np.zeros(count, np.uint8)
    top = np.empty(count, np.int32)
    # Cracks end in the order in which they begin: row by row, from west to east.
    begun, ended = 0, 0
    for n in range(count):
        bits = corner_mask(around[n, 0], around[n, 1], around[n, 2], around[n, 3])
        if place[n, 0] == end and not is_last:
            bits, kind[n] = 8, SEAM
        elif count_bits(bits) > 2 or (place[n, 0] % anchor == 0 and bits & 8):
            kind[n] = NODE
        elif (place[n, 1] == 0 or place[n, 1] == cols) and (
            (is_first and place[n, 0] == row) or (is_last and place[n, 0] == end)
        ):
            kind[n] = NODE  # the corners of the raster stay where they are
        if bits & 8 and place[n, 0] > row:
            along[n, 0] = top[ended]
            along[top[ended], 1] = n
            ended += 1
        if bits & 2:
            top[begun] = n
            begun += 1
        if bits & 8 and place[n, 0] == row and not is_first:
            bits &= 7
            if kind[n] == PASS:
                kind[n] = SEAM
        mask[n] = bits
    return along, mask, kind


@jit
def count_turns(mask: Bits, kind: Bits) -> tuple[int, int]:
    """The number of arc ends and the number of corners where an arc turns or ends."""
    ends, turns = 0, 0
    for n in range(mask.size):
        if kind[n] != PASS:
            degree = count_bits(mask[n])
            ends += degree
            turns += degree
        elif mask[n] != 5 and mask[n] != 10:
            turns += 1
    return ends, turns


@jit
def walk(
    corner: int, way: int, along: Labels, mask: Bits, kind: Bits, untraced: Bits, place: Labels, points: Labels
) -> tuple[int, int, int]:
    """Walk along the cracks from a corner in a direction to the next node, seam, or back to the corner.

    Args:
        corner: where to begin.
        way: the direction.
        along: see ``link_corners``.
        mask: cracks of each corner.
        kind: kind of each corner.
        untraced: cracks of each corner that were not walked along yet; cleared on the way.
        place: row and column of each corner.
        points: gets column and row of the corners where the arc begins, turns and ends.

    Returns:
        The last corner, the direction in which the arc leaves it going back, the number of points.
    """
    now, used = corner, 1
    points[0, 0], points[0, 1] = place[now, 1], place[now, 0]
    while True:
        untraced[now] &= 255 ^ (1 << way)
        if way == 0:
            now += 1
        elif way == 2:
            now -= 1
        else:
            now = along[now, 1] if way == 1 else along[now, 0]
        back = (way + 2) & 3
        untraced[now] &= 255 ^ (1 << back)
        if kind[now] != PASS or now == corner:
            break
        rest = mask[now] & (255 ^ (1 << back))
        turn = 0
        while not rest >> turn & 1:
            turn += 1
        if turn != way:
            points[used, 0], points[used, 1] = place[now, 1], place[now, 0]
            used += 1
        way = turn
    points[used, 0], points[used, 1] = place[now, 1], place[now, 0]
    return now, back, used + 1


@jit
def trace_arcs(
    place: Labels, around: Labels, along: Labels, mask: Bits, kind: Bits, width: int
) -> tuple[Labels, Ints, Labels, Ints, Small]:
    """Walk along the cracks of a strip from end to end, then around the rings that are left.

    Args:
        place: row and column of each corner.
        around: regions around each corner.
        along: corners at the other ends of their upright cracks.
        mask: cracks to trace.
        kind: kinds of the corners.
        width: corners in a row of the raster.

    Returns:
        Vertices (column, row); where each arc's vertices begin (and, last, end); regions left and right of each arc
        (n, 2); the corners (row * corner columns + column) where it begins and ends (n, 2); directions in which it
        leaves its first and its last corner and the kinds of both (n, 4).
    """
    ends, turns = count_turns(mask, kind)
    most = ends // 2 + turns // 4 + 1
    points = np.empty((turns + turns // 4 + 2, 2), np.int32)
    start = np.zeros(most + 1, np.int64)
    sides = np.empty((most, 2), np.int32)
    corners = np.empty((most, 2), np.int64)
    ways = np.empty((most, 4), np.int8)
    untraced = mask.copy()
    arcs, used = 0, 0
    for ring in range(2):
        for begin in range(mask.size):
            if untraced[begin] == 0 or (kind[begin] != PASS) == (ring == 1):
                continue
            for way in range(4):
                # The first corner of a ring in row order is a turn that both its cracks belong to.
                if not untraced[begin] >> way & 1:
                    continue
                end, back, count = walk(begin, way, along, mask, kind, untraced, place, points[used:])
                sides[arcs, 0], sides[arcs, 1] = around[begin, way], around[begin, (way + 1) & 3]
                corners[arcs, 0] = np.int64(place[begin, 0]) * width + place[begin, 1]
                corners[arcs, 1] = np.int64(place[end, 0]) * width + place[end, 1]
                ways[arcs, 0], ways[arcs, 1] = way, back
                ways[arcs, 2], ways[arcs, 3] = kind[begin], kind[end]
                used += count
                arcs += 1
                start[arcs] = used
    return points[:used], start[: arcs + 1].copy(), sides[:arcs], corners[:arcs], ways[:arcs]


@jit
def guard_points(place: Labels, around: Labels, mask: Bits, kind: Bits, smooth: bool) -> Ints:
    """The vertices that arcs have at the corners of a strip, on a lattice of half pixels, and points in its holes.

    A hole in the coverage is guarded by the middles of its pixels that have none to the north and to the west.

    Args:
        place: row and column of each corner, without the seam below.
        around: regions around each corner.
        mask: as ``link_corners`` returns them.
        kind: likewise.
        smooth: whether arcs are cut at their corners, so that a turn has a vertex on either side.

    Returns:
        int64 (n, 2): row and column, in half pixels.
    """
    found = np.empty((3 * mask.size, 2), np.int64)
    used = 0
    for n in range(mask.size):
        bits = mask[n]
        if kind[n] == SEAM:
            bits |= 8
        y, x = 2 * place[n, 0], 2 * place[n, 1]
        if around[n, 1] == 0 and around[n, 0] and around[n, 2]:
            found[used, 0], found[used, 1] = y + 1, x + 1
            used += 1
        if kind[n] != NODE and (bits == 5 or bits == 10):
            continue
        if kind[n] == NODE or not smooth:
            found[used, 0], found[used, 1] = y, x
            used += 1
            continue
        for d in range(4):
            if bits >> d & 1:
                found[used, 0] = y + (1 if d == 1 else -1 if d == 3 else 0)
                found[used, 1] = x + (1 if d == 0 else -1 if d == 2 else 0)
                used += 1
    return found[:used].copy()
