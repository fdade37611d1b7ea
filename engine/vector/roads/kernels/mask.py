"""Numba kernels on road masks: distance transform, hole filling, width along the centre line.

A mask (uint8, 0 or 1, rows padded with zeros) comes with its runs: int64, positions in the flattened mask at which runs
of ones start and stop, alternating. Loops over runs skip the background, which is most of a raster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit
from ...search import find_root

Mask = NDArray[np.uint8]
Runs = NDArray[np.int64]
Distance = NDArray[np.uint16]
Index = NDArray[np.int32]

#: A distance of one pixel.
DISTANCE_SCALE = 100
#: Steps of the chamfer distance to a side, a corner, and a knight's move (Borgefors, 1986).
SIDE, CORNER, KNIGHT = 100, 140, 220
MAX_DISTANCE = 65535


@jit
def distance_transform(runs: Runs, stride: int, distance: Distance) -> int:
    """Compute the chamfer distance of each mask pixel to the nearest background pixel.

    Args:
        runs: of the mask, whose rows end with at least two zeros.
        stride: length of a row.
        distance: uint16, flat, zeros; written in units of 1/100 pixel. The mask starts after two rows and two pixels
            and is followed by as many.

    Returns:
        The largest distance.
    """
    origin = 2 * stride + 2
    largest = 0
    for k in range(0, runs.size, 2):
        for p in range(origin + runs[k], origin + runs[k + 1]):
            n = p - stride
            m = n - stride
            side = int(min(distance[p - 1], distance[n])) + SIDE
            corner = int(min(distance[n - 1], distance[n + 1])) + CORNER
            knight = int(min(distance[n - 2], distance[n + 2], distance[m - 1], distance[m + 1])) + KNIGHT
            distance[p] = min(side, corner, knight, MAX_DISTANCE)
    for k in range(runs.size - 2, -1, -2):
        for p in range(origin + runs[k + 1] - 1, origin + runs[k] - 1, -1):
            n = p + stride
            m = n + stride
            side = int(min(distance[p + 1], distance[n])) + SIDE
            corner = int(min(distance[n - 1], distance[n + 1])) + CORNER
            knight = int(min(distance[n - 2], distance[n + 2], distance[m - 1], distance[m + 1])) + KNIGHT
            least = min(side, corner, knight, int(distance[p]))
            distance[p] = least
            largest = max(largest, least)
    return largest


@jit
def fill_holes(mask: Mask, runs: Runs, max_area: int, max_extent: int) -> Runs:
    """Fill small holes (4-connected background components) in place.

    A hole that touches the border of the mask is not filled.

    Args:
        mask: (rows, stride), changed.
        runs: of the mask.
        max_area: pixels of the largest hole that is filled.
        max_extent: its largest height and width in pixels.

    Returns:
        The runs of the changed mask.
    """
    first, start, stop = find_background_runs(runs, mask.shape[0], mask.shape[1])
    parent, area = np.empty(start.size, np.int32), np.empty(start.size, np.int32)
    for run in range(start.size):
        parent[run], area[run] = run, stop[run] - start[run]
    # First row, last row, first column, the column after the last.
    box = np.empty((start.size, 4), np.int32)
    for row in range(mask.shape[0]):
        for run in range(first[row], first[row + 1]):
            box[run, 0], box[run, 1], box[run, 2], box[run, 3] = row, row, start[run], stop[run]
            if row == 0 or row == mask.shape[0] - 1 or run == first[row] or run == first[row + 1] - 1:
                area[run] = max_area + 1  # touches the border
    for row in range(1, mask.shape[0]):
        i, j = first[row - 1], first[row]
        while i < first[row] and j < first[row + 1]:
            if start[i] < stop[j] and start[j] < stop[i]:
                merge_components(find_root(parent, i), find_root(parent, j), parent, area, box, max_area)
            if stop[i] < stop[j]:
                i += 1
            else:
                j += 1
    kept = np.empty(runs.size, np.int64)
    count = 0
    for row in range(mask.shape[0]):
        for run in range(first[row], first[row + 1]):
            root = find_root(parent, run)
            height, width = box[root, 1] - box[root, 0] + 1, box[root, 3] - box[root, 2]
            if area[root] <= max_area and height <= max_extent and width <= max_extent:
                mask[row, start[run] : stop[run]] = 1
                continue
            if run > first[row]:
                kept[count] = row * mask.shape[1] + start[run]
                count += 1
            if run + 1 < first[row + 1]:
                kept[count] = row * mask.shape[1] + stop[run]
                count += 1
    return kept[:count].copy()


@jit
def find_background_runs(runs: Runs, rows: int, stride: int) -> tuple[Index, Index, Index]:
    """Find the runs of zeros of each row, also before its first and after its last run of ones.

    Returns:
        Index of the first run of each row (rows + 1,), and the first column and the column after the last of each run.
    """
    first = np.empty(rows + 1, np.int32)
    start = np.empty(runs.size // 2 + rows, np.int32)
    stop = np.empty(runs.size // 2 + rows, np.int32)
    run, k = 0, 0
    for row in range(rows):
        first[row] = run
        origin = row * stride
        start[run] = 0
        while k < runs.size and runs[k] < origin + stride:
            stop[run] = runs[k] - origin
            run += 1
            start[run] = runs[k + 1] - origin
            k += 2
        stop[run] = stride
        run += 1
    first[rows] = run
    return first, start, stop


@jit
def merge_components(one: int, other: int, parent: Index, area: Index, box: NDArray[np.int32], max_area: int) -> None:
    """Merge two components, given by their roots, with their areas and bounding boxes."""
    if one == other:
        return
    parent[other] = one
    area[one] = min(area[one] + area[other], max_area + 1)  # saturates, because larger sums might overflow
    box[one, 0], box[one, 1] = min(box[one, 0], box[other, 0]), max(box[one, 1], box[other, 1])
    box[one, 2], box[one, 3] = min(box[one, 2], box[other, 2]), max(box[one, 3], box[other, 3])


@jit
def extract_line_pixels(
    words: NDArray[np.uint64], distance: Distance, stride: int, top: int, left: int, height: int, width: int
) -> tuple[Index, Index, NDArray[np.float32]]:
    """Collect the pixels of thinned lines within a window, ordered by row and column, with the width of the road.

    Across a road of w pixels the distances are 1, 2, ..., 2, 1; the sum of the two largest is w for odd and even w. The
    second of them is taken along the axis on which the larger neighbour is the smaller one: that axis crosses the road.

    Args:
        words: as ``thin`` leaves them.
        distance: as ``distance_transform`` writes it.
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
                    vertical = max(distance[p - stride], distance[p + stride])
                    horizontal = max(distance[p - 1], distance[p + 1])
                    rows[used], cols[used] = row, col
                    across = int(distance[p]) + int(min(vertical, horizontal))
                    widths[used] = max(across, DISTANCE_SCALE) / DISTANCE_SCALE
                    used += 1
                bits >>= one
                col += 1
    return rows[:used].copy(), cols[:used].copy(), widths[:used].copy()
