"""Kernels over runs of pixels: connected components, their statistics, and their borders.

A run is a stretch of pixels of one code in one row. There are far fewer runs than pixels, so a strip is converted to
runs first, and nothing after that looks at pixels again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Flags, Ints, Labels
from ...jit import jit
from ...search import find_root

Codes = NDArray[np.uint16]


@jit
def unite(parent: Labels, a: int, b: int) -> None:
    """Unite the trees of two labels; the lower of their roots is the root."""
    root_a, root_b = find_root(parent, a), find_root(parent, b)
    if root_a < root_b:
        parent[root_b] = root_a
    elif root_b < root_a:
        parent[root_a] = root_b


def find_runs(codes: NDArray[np.unsignedinteger[Any]]) -> tuple[Ints, Labels, Codes]:
    """Find the runs of equal code in a strip.

    Args:
        codes: uint8 or uint16 (rows, columns); 0 is outside of the coverage.

    Returns:
        Where the runs of each row begin (and, last, end), the first column of each run, its code.
    """
    rows, cols = codes.shape
    is_first = np.ones(codes.shape, np.bool_)
    np.not_equal(codes[:, 1:], codes[:, :-1], out=is_first[:, 1:])
    position = np.flatnonzero(is_first)
    row_start = np.arange(rows + 1) * cols
    start = np.searchsorted(position, row_start)
    col = position - np.repeat(row_start[:-1], np.diff(start))
    return start, col.astype(np.int32), codes[is_first].astype(np.uint16)


@jit
def label_runs(start: Ints, col: Labels, code: Codes, cols: int) -> tuple[Labels, int]:
    """Label the 4-connected components of a strip.

    Args:
        start: where the runs of each row begin.
        col: first column of each run.
        code: code of each run; 0 is outside of the coverage and gets the component 0.
        cols: columns of the raster.

    Returns:
        int32, component of each run, numbered from 1 in the order of their first pixels; the number of components.
    """
    parent = np.empty(col.size, np.int32)
    for run in range(col.size):
        parent[run] = run
    for r in range(1, start.size - 1):
        above, end_above, end = start[r - 1], start[r], start[r + 1]
        for here in range(start[r], end):
            last = col[here + 1] if here + 1 < end else cols
            while True:
                if code[here] != 0 and code[above] == code[here]:
                    unite(parent, above, here)
                if above + 1 == end_above or col[above + 1] >= last:
                    break
                above += 1
            if above + 1 < end_above and col[above + 1] == last:
                above += 1
    component = np.zeros(col.size, np.int32)
    count = 0
    for run in range(col.size):
        if code[run] == 0:
            continue
        if parent[run] == run:
            count += 1
            component[run] = count
        else:
            component[run] = component[find_root(parent, run)]
    return component, count


def measure_components(
    start: Ints, col: Labels, code: Codes, component: Labels, count: int, cols: int, confidence: NDArray[np.uint8]
) -> tuple[Ints, Codes, Ints, Labels, Labels]:
    """Measure the components of a strip.

    Args:
        start: where the runs of each row begin.
        col: first column of each run.
        code: code of each run.
        component: component of each run.
        count: number of components.
        cols: columns of the raster.
        confidence: uint8 (rows, columns), or without rows where there is none.

    Returns:
        For the components 0 to ``count``: pixels, code, sum of confidence, first pixel (row, column) and last row.
    """
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    position = row * cols + col
    area, total = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    np.add.at(area, component, np.diff(position, append=(len(start) - 1) * cols))
    if len(confidence):
        np.add.at(total, component, np.add.reduceat(confidence.ravel(), position, dtype=np.int64))
    first_run, last = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int32)
    # Of equal indices the last assignment stays.
    first_run[component[::-1]] = np.arange(len(col))[::-1]
    last[component] = row
    first = np.column_stack((row[first_run], col[first_run])).astype(np.int32)
    return area, code[first_run], total, first, last


@jit
def unite_at_seam(
    above_col: Labels, above_code: Codes, above: Labels, col: Labels, code: Codes, label: Labels, parent: Labels
) -> None:
    """Unite the labels of touching runs of equal code on both sides of a seam.

    Args:
        above_col: first columns of the runs of the row above the seam; none for the first strip.
        above_code: their codes.
        above: their labels in the whole raster.
        col: first columns of the runs of the row below it.
        code: their codes.
        label: their labels in the whole raster.
        parent: the union-find forest of all labels; updated.
    """
    upper, lower = 0, 0
    while upper < above_col.size and lower < col.size:
        if code[lower] != 0 and above_code[upper] == code[lower]:
            unite(parent, above[upper], label[lower])
        next_upper = above_col[upper + 1] if upper + 1 < above_col.size else -1
        next_lower = col[lower + 1] if lower + 1 < col.size else -1
        if next_upper >= 0 and (next_lower < 0 or next_upper <= next_lower):
            upper += 1
            if next_upper == next_lower:
                lower += 1
        elif next_lower >= 0:
            lower += 1
        else:
            break


@jit
def find_borders(
    start: Ints, col: Labels, label: Labels, is_large: Flags, above_col: Labels, above: Labels, cols: int
) -> tuple[Labels, Labels, Ints]:
    """Find the borders between labels, unless both are large: one entry for each pair of touching runs.

    Args:
        start: where the runs of each row begin.
        col: first column of each run.
        label: labels of the runs in the whole raster; 0 outside.
        is_large: by run: its component will never be merged into another.
        above_col: first columns of the runs of the row above the strip; none for the first strip.
        above: their labels; they count as small.
        cols: columns of the raster.

    Returns:
        The lower and the higher label of each pair, int32 (n,), and the length of its border in pixel sides.
    """
    lower, higher = np.empty(3 * col.size + above.size, np.int32), np.empty(3 * col.size + above.size, np.int32)
    length = np.empty(lower.size, np.int64)
    count = 0
    for r in range(start.size - 1):
        low = start[r - 1] if r > 0 else 0
        upper_col = col[low : start[r]] if r > 0 else above_col
        upper = label[low : start[r]] if r > 0 else above
        at = 0
        for run in range(start[r], start[r + 1]):
            here = label[run]
            end = col[run + 1] if run + 1 < start[r + 1] else cols
            if run > start[r] and here and label[run - 1] and not (is_large[run] and is_large[run - 1]):
                lower[count], higher[count] = min(here, label[run - 1]), max(here, label[run - 1])
                length[count] = 1
                count += 1
            while at < upper.size:
                stop = upper_col[at + 1] if at + 1 < upper.size else cols
                other = upper[at]
                if here and other and other != here and not (r > 0 and is_large[run] and is_large[low + at]):
                    lower[count], higher[count] = min(here, other), max(here, other)
                    length[count] = min(end, stop) - max(col[run], upper_col[at])
                    count += 1
                if stop > end:
                    break
                at += 1
                if stop == end:
                    break
    return lower[:count].copy(), higher[:count].copy(), length[:count].copy()
