"""Kernels that find the boundary edges between regions and trace them as arcs.

A boundary edge is the side that two pixels of different regions share. It runs between corners, the points of the
lattice where four pixels meet. Directions are 0 east, 1 south, 2 west, 3 north; bit d of a corner's mask is the
boundary edge that leaves it in direction d. Only the vertical edges of a row are stored, and only the corners at their
ends: between neighbouring corners of a row either all horizontal edges are boundary edges or none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Bits, Ints, Labels, make_offsets
from ...jit import jit
from ..breaks import Breaks

Ends = NDArray[np.int8]

#: Kind of a corner: an arc passes through, arcs end at a node, or an arc is open at a seam.
PASS, NODE, SEAM = 0, 1, 2


def find_boundary_edges(
    start: Ints, col: Labels, component: Labels, region_of: Labels, cols: int, breaks: Ints
) -> tuple[Ints, Labels, Labels]:
    """Find the vertical boundary edges of a strip.

    At the columns of ``breaks`` there is an edge in every row, perhaps with the same region on both sides, so that
    horizontal edges have a corner there.

    Args:
        start: where the runs of each row begin.
        col: first column of each run.
        component: component of each run.
        region_of: region of each component; 0 is outside.
        cols: columns of the raster.
        breaks: columns of corners at which arcs end.

    Returns:
        Where the edges of each row begin (and, last, end), the column of each edge and the region east of it. West of
        an edge is the region east of the one before it, and the outside for the first edge of a row.
    """
    # A run of the outside behind each row closes its last region.
    col = np.insert(col, start[1:], cols)
    region = np.insert(region_of[component], start[1:], 0)
    first_run = start + np.arange(start.size)
    is_edge = region != np.concatenate(([0], region[:-1]))
    if breaks.size:
        position = np.repeat(np.arange(start.size - 1) * (cols + 1), np.diff(first_run)) + col
        wanted = (np.arange(start.size - 1)[:, np.newaxis] * (cols + 1) + breaks).ravel()
        run = np.searchsorted(position, wanted, side="right") - 1
        is_there = position[run] == wanted
        is_edge[run[is_there]] = True
        missing, run = np.flatnonzero(~is_there), run[~is_there]
        first_run = first_run + make_offsets(np.bincount(missing // breaks.size, minlength=start.size - 1))
        col = np.insert(col, run + 1, breaks[missing % breaks.size])
        is_edge, region = np.insert(is_edge, run + 1, True), np.insert(region, run + 1, region[run])
    return make_offsets(is_edge)[first_run], col[is_edge], region[is_edge]


@jit
def count_bits(mask: int) -> int:
    """Number of boundary edges in a mask."""
    return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1)


@jit
def merge_corners(
    upper_col: Labels, upper: Labels, lower_col: Labels, lower: Labels, col: Labels, quadrants: Labels
) -> int:
    """Find the corners between two rows, from west to east.

    Args:
        upper_col: columns of the boundary edges of the row above.
        upper: regions east of them.
        lower_col: columns of the boundary edges of the row below.
        lower: regions east of them.
        col: receives the column of each corner.
        quadrants: receives (n, 4) the regions to its north-east, south-east, south-west and north-west.

    Returns:
        The number of corners.
    """
    i, j, count = 0, 0, 0
    north, south = np.int32(0), np.int32(0)
    while i < upper_col.size or j < lower_col.size:
        is_upper = j == lower_col.size or (i < upper_col.size and upper_col[i] <= lower_col[j])
        is_lower = i == upper_col.size or (j < lower_col.size and lower_col[j] <= upper_col[i])
        quadrants[count, 2], quadrants[count, 3] = south, north
        if is_upper:
            col[count], north = upper_col[i], upper[i]
            i += 1
        if is_lower:
            col[count], south = lower_col[j], lower[j]
            j += 1
        quadrants[count, 0], quadrants[count, 1] = north, south
        count += 1
    return count


@jit
def find_corners(
    first: Ints, col: Labels, east: Labels, above_col: Labels, above_east: Labels, row: int
) -> tuple[Labels, Labels]:
    """Find the corners at the ends of the vertical boundary edges of a strip, row by row.

    Args:
        first: where the edges of each row begin.
        col: column of each edge.
        east: region east of it.
        above_col: columns of the edges of the row above the strip; none for the first strip.
        above_east: regions east of them.
        row: the strip's first row.

    Returns:
        Row and column of each corner (n, 2); its quadrants (n, 4), see ``merge_corners``. The last row of corners is
        the lower edge of the strip: the seam, below which nothing is known yet, unless the strip is the last.
    """
    rows = first.size - 1
    position = np.empty((2 * col.size + above_col.size, 2), np.int32)
    quadrants = np.zeros((2 * col.size + above_col.size, 4), np.int32)
    corner_col, none = np.empty(len(position), np.int32), np.empty(0, np.int32)
    used = 0
    for r in range(rows + 1):
        upper = slice(first[r - 1] if r > 0 else 0, first[r])
        lower = slice(first[r], first[r + 1] if r < rows else first[r])
        above = (col[upper], east[upper]) if r > 0 else (above_col, above_east)
        below = (col[lower], east[lower]) if r < rows else (none, none)
        count = merge_corners(above[0], above[1], below[0], below[1], corner_col, quadrants[used:])
        for n in range(count):
            position[used + n, 0], position[used + n, 1] = row + r, corner_col[n]
        used += count
    return position[:used], quadrants[:used]


def link_corners(
    position: Labels, quadrants: Labels, row: int, end: int, cols: int, is_first: bool, is_last: bool, breaks: Breaks
) -> tuple[Labels, Bits, Bits]:
    """Link corners along vertical boundary edges, and classify them.

    Args:
        position: row and column of each corner of a strip.
        quadrants: regions around each corner.
        row: the strip's first row.
        end: the row after its last.
        cols: columns of the raster.
        is_first: whether the strip is the first.
        is_last: whether the strip is the last.
        breaks: where arcs end.

    Returns:
        The corners north and south of each at the other ends of its vertical edges (n, 2), or -1; the mask of the
        edges to trace at each; the kind of each. At a seam the edges of the other strip are left out.
    """
    y, x = position.T
    north_east, south_east, south_west, north_west = quadrants.T
    differ = (north_east != south_east, south_west != south_east, north_west != south_west, north_west != north_east)
    degree = np.sum(differ, axis=0)
    mask = np.packbits(differ, axis=0, bitorder="little")[0]
    is_seam = (y == end) & (not is_last)
    mask[is_seam] &= 8
    # Simplification must keep the corners of the raster.
    is_corner = ((x == 0) | (x == cols)) & (((y == row) & is_first) | ((y == end) & is_last))
    is_node = (degree > 2) | breaks.find_ends(position, mask) | is_corner
    kind = np.where(is_seam, SEAM, np.where(is_node, NODE, PASS)).astype(np.uint8)
    # Vertical edges end in the order in which they begin: row by row, from west to east.
    lower = np.flatnonzero((mask & 8 != 0) & (y > row))
    upper = np.flatnonzero(mask & 2)[: lower.size]
    links = np.full((y.size, 2), -1, np.int32)
    links[lower, 0], links[upper, 1] = upper, lower
    if not is_first:
        from_above = (mask & 8 != 0) & (y == row)
        mask[from_above] &= 7
        kind[from_above & (kind == PASS)] = SEAM
    return links, mask, kind


@jit
def count_turns(mask: Bits, kind: Bits) -> tuple[int, int]:
    """Count the ends of arcs and the corners where an arc turns or ends."""
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
def trace_arc(
    corner: int, direction: int, links: Labels, mask: Bits, kind: Bits, untraced: Bits, position: Labels, points: Labels
) -> tuple[int, int, int]:
    """Follow the boundary from a corner to the next node, seam, or back to the corner.

    Args:
        corner: where to begin.
        direction: in which to leave it.
        links: corners at the other ends of the vertical edges.
        mask: boundary edges of each corner.
        kind: kind of each corner.
        untraced: boundary edges of each corner that were not followed yet; updated.
        position: row and column of each corner.
        points: receives column and row of the corners where the arc begins, turns and ends.

    Returns:
        The last corner, the direction in which the reversed arc leaves it, the number of points.
    """
    now, used = corner, 1
    points[0, 0], points[0, 1] = position[now, 1], position[now, 0]
    while True:
        untraced[now] &= 255 ^ (1 << direction)
        if direction == 0:
            now += 1
        elif direction == 2:
            now -= 1
        else:
            now = links[now, 1] if direction == 1 else links[now, 0]
        back = (direction + 2) & 3
        untraced[now] &= 255 ^ (1 << back)
        if kind[now] != PASS or now == corner:
            break
        rest = mask[now] & (255 ^ (1 << back))
        turn = 0
        while not rest >> turn & 1:
            turn += 1
        if turn != direction:
            points[used, 0], points[used, 1] = position[now, 1], position[now, 0]
            used += 1
        direction = turn
    points[used, 0], points[used, 1] = position[now, 1], position[now, 0]
    return now, back, used + 1


@jit
def trace_arcs(
    position: Labels, quadrants: Labels, links: Labels, mask: Bits, kind: Bits, width: int
) -> tuple[Labels, Ints, Labels, Ints, Ends]:
    """Trace the boundaries of a strip: first the arcs between nodes and seams, then the remaining rings.

    Args:
        position: row and column of each corner.
        quadrants: regions around each corner.
        links: corners at the other ends of their vertical edges.
        mask: boundary edges to trace.
        kind: kinds of the corners.
        width: corners in a row of the raster.

    Returns:
        Points, start, sides, corners and ends as in ``Arcs``.
    """
    end_count, turns = count_turns(mask, kind)
    most = end_count // 2 + turns // 4 + 1
    points = np.empty((turns + turns // 4 + 2, 2), np.int32)
    start = np.zeros(most + 1, np.int64)
    sides = np.empty((most, 2), np.int32)
    corners = np.empty((most, 2), np.int64)
    ends = np.empty((most, 4), np.int8)
    untraced = mask.copy()
    arcs, used = 0, 0
    for ring in range(2):
        for begin in range(mask.size):
            if untraced[begin] == 0 or (kind[begin] != PASS) == (ring == 1):
                continue
            for direction in range(4):
                # The first corner of a ring in row order is a turn, and both its edges belong to the ring.
                if not untraced[begin] >> direction & 1:
                    continue
                end, back, count = trace_arc(begin, direction, links, mask, kind, untraced, position, points[used:])
                sides[arcs, 0], sides[arcs, 1] = quadrants[begin, direction], quadrants[begin, (direction + 1) & 3]
                corners[arcs, 0] = np.int64(position[begin, 0]) * width + position[begin, 1]
                corners[arcs, 1] = np.int64(position[end, 0]) * width + position[end, 1]
                ends[arcs, 0], ends[arcs, 1] = direction, back
                ends[arcs, 2], ends[arcs, 3] = kind[begin], kind[end]
                used += count
                arcs += 1
                start[arcs] = used
    return points[:used], start[: arcs + 1].copy(), sides[:arcs], corners[:arcs], ends[:arcs]


def find_constraint_points(position: Labels, quadrants: Labels, mask: Bits, kind: Bits, smooth: bool) -> Ints:
    """Find the vertices of arcs at the corners of a strip, and points in its holes, in half pixels.

    A hole in the coverage is marked at the centres of its pixels that have no hole to the north and to the west.

    Args:
        position: row and column of each corner, without the seam below.
        quadrants: regions around each corner.
        mask: as ``link_corners`` returns them.
        kind: likewise.
        smooth: whether arcs will be smoothed by ``cut_corners``, so that a turn has a vertex on either side.

    Returns:
        int64 (n, 2): row and column, in half pixels.
    """
    y, x = 2 * position.T.astype(np.int64)
    bits = np.where(kind == SEAM, mask | 8, mask)
    is_node = kind == NODE
    is_turn = ~is_node & (bits != 0) & (bits != 5) & (bits != 10)
    is_hole = (quadrants[:, 1] == 0) & (quadrants[:, 0] != 0) & (quadrants[:, 2] != 0)
    places = [(is_hole, 1, 1), (is_node if smooth else is_node | is_turn, 0, 0)]
    if smooth:
        steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
        places += [(is_turn & (bits >> d & 1 != 0), down, right) for d, (down, right) in enumerate(steps)]
    return np.concatenate([np.column_stack((y[at] + down, x[at] + right)) for at, down, right in places])
