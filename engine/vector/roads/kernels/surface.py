"""Compiled loops over the runs of a road surface (see ``jit``).

A surface is a mask (uint8, 0 or 1) whose rows are filled up with zeros, and its edges: int64, positions in the
flattened mask at which runs of ones begin and end, in turn. Most of a raster is no road, and never looked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Mask = NDArray[np.uint8]
Edges = NDArray[np.int64]
Depth = NDArray[np.uint16]

#: Depth of one pixel.
UNIT = 100
#: Steps of the chamfer distance to a side, a corner, and two to the side and one up (Borgefors, 1986).
SIDE, CORNER, KNIGHT = 100, 140, 220
#: The greatest depth.
DEEPEST = 65535


@jit
def measure_depth(edges: Edges, stride: int, depth: Depth) -> int:
    """Measure how far each pixel of a surface is from the nearest that is none, and return the greatest depth.

    Args:
        edges: of the surface; its rows end with at least two zeros.
        stride: length of a row.
        depth: uint16, flat, zeros; written in units of 1/100 pixel. The surface begins after two rows and two pixels,
            and as much follows it.
    """
    begin = 2 * stride + 2
    deepest = 0
    for k in range(0, edges.size, 2):
        for p in range(begin + edges[k], begin + edges[k + 1]):
            n = p - stride
            m = n - stride
            side = int(min(depth[p - 1], depth[n])) + SIDE
            corner = int(min(depth[n - 1], depth[n + 1])) + CORNER
            knight = int(min(depth[n - 2], depth[n + 2], depth[m - 1], depth[m + 1])) + KNIGHT
            depth[p] = min(side, corner, knight, DEEPEST)
    for k in range(edges.size - 2, -1, -2):
        for p in range(begin + edges[k + 1] - 1, begin + edges[k] - 1, -1):
            n = p + stride
            m = n + stride
            side = int(min(depth[p + 1], depth[n])) + SIDE
            corner = int(min(depth[n - 1], depth[n + 1])) + CORNER
            knight = int(min(depth[n - 2], depth[n + 2], depth[m - 1], depth[m + 1])) + KNIGHT
            least = min(side, corner, knight, int(depth[p]))
            depth[p] = least
            deepest = max(deepest, least)
    return deepest


@jit
def fill_holes(mask: Mask, edges: Edges, area: int, extent: int) -> Edges:
    """Fill holes (4-connected) of at most ``area`` pixels that are at most ``extent`` pixels high and wide.

    A hole that the window cuts stays.

    Args:
        mask: (rows, stride), changed.
        edges: of the mask.
        area: in pixels.
        extent: in pixels.

    Returns:
        The edges of the changed mask.
    """
    first, begin, end = find_gaps(edges, mask.shape[0], mask.shape[1])
    parent = np.arange(begin.size).astype(np.int32)
    size = (end - begin).astype(np.int32)
    # First row, last row, first column, the column after the last.
    box = np.empty((begin.size, 4), np.int32)
    for row in range(mask.shape[0]):
        for gap in range(first[row], first[row + 1]):
            box[gap, 0], box[gap, 1], box[gap, 2], box[gap, 3] = row, row, begin[gap], end[gap]
            if row == 0 or row == mask.shape[0] - 1 or gap == first[row] or gap == first[row + 1] - 1:
                size[gap] = area + 1  # outside, or cut by the window
    for row in range(1, mask.shape[0]):
        i, j = first[row - 1], first[row]
        while i < first[row] and j < first[row + 1]:
            if begin[i] < end[j] and begin[j] < end[i]:
                join_gaps(root_of(parent, i), root_of(parent, j), parent, size, box, area)
            if end[i] < end[j]:
                i += 1
            else:
                j += 1
    kept = np.empty(edges.size, np.int64)
    used = 0
    for row in range(mask.shape[0]):
        for gap in range(first[row], first[row + 1]):
            root = root_of(parent, gap)
            high, wide = box[root, 1] - box[root, 0] + 1, box[root, 3] - box[root, 2]
            if size[root] <= area and high <= extent and wide <= extent:
                mask[row, begin[gap] : end[gap]] = 1
                continue
            if gap > first[row]:
                kept[used] = row * mask.shape[1] + begin[gap]
                used += 1
            if gap + 1 < first[row + 1]:
                kept[used] = row * mask.shape[1] + end[gap]
                used += 1
    return kept[:used].copy()


@jit
def find_gaps(edges: Edges, rows: int, stride: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The gaps between runs, those before the first and after the last run of each row included.

    Returns:
        Where the gaps of each row begin (rows + 1,), and the first column of each and the one after its last.
    """
    first = np.empty(rows + 1, np.int32)
    begin = np.empty(edges.size // 2 + rows, np.int32)
    end = np.empty(edges.size // 2 + rows, np.int32)
    gap, k = 0, 0
    for row in range(rows):
        first[row] = gap
        start = row * stride
        begin[gap] = 0
        while k < edges.size and edges[k] < start + stride:
            end[gap] = edges[k] - start
            gap += 1
            begin[gap] = edges[k + 1] - start
            k += 2
        end[gap] = stride
        gap += 1
    first[rows] = gap
    return first, begin, end


@jit
def root_of(parent: NDArray[np.int32], i: int) -> int:
    """The gap that stands for all that ``i`` is joined with."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@jit
def join_gaps(
    one: int, other: int, parent: NDArray[np.int32], size: NDArray[np.int32], box: NDArray[np.int32], area: int
) -> None:
    """Join two pieces of gaps, given by what stands for them."""
    if one == other:
        return
    parent[other] = one
    size[one] = min(size[one] + size[other], area + 1)  # more does not matter, and might not fit
    box[one, 0], box[one, 1] = min(box[one, 0], box[other, 0]), max(box[one, 1], box[other, 1])
    box[one, 2], box[one, 3] = min(box[one, 2], box[other, 2]), max(box[one, 3], box[other, 3])


@jit
def line_pixels(
    words: NDArray[np.uint64], depth: Depth, stride: int, top: int, left: int, height: int, width: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """The pixels of thinned lines within a window, by row and column, and the width of the surface there.

    For a stripe of w pixels the depths across it are 1, 2, ..., 2, 1; the sum of the two greatest is w whether w is odd
    or even. Beside the line is the axis along which the deeper neighbour is the less deep one.

    Args:
        words: as ``thin`` leaves them.
        depth: as ``measure_depth`` gives it.
        stride: length of a row.
        top: first row of the window.
        left: its first column.
        height: its rows.
        width: its columns.

    Returns:
        Rows, columns and widths in pixels.
    """
    one = np.uint64(1)
    first, last = left // 64, (left + width - 1) // 64
    count = 0
    for block in range(first, last + 1):
        for row in range(top, top + height):
            bits = words[block + 1, row + 1]
            while bits:
                bits &= bits - one
                count += 1
    rows, cols = np.empty(count, np.int32), np.empty(count, np.int32)
    widths = np.empty(count, np.float32)
    used = 0
    for row in range(top, top + height):
        for block in range(first, last + 1):
            bits = words[block + 1, row + 1]
            col = block * 64
            while bits:
                if bits & one and left <= col < left + width:
                    p = 2 * stride + 2 + row * stride + col
                    down, beside = max(depth[p - stride], depth[p + stride]), max(depth[p - 1], depth[p + 1])
                    rows[used], cols[used] = row, col
                    widths[used] = max(int(depth[p]) + int(min(down, beside)), UNIT) / UNIT
                    used += 1
                bits >>= one
                col += 1
    return rows[:used].copy(), cols[:used].copy(), widths[:used].copy()
