"""Compiled loops over strips of class codes: labels, their figures, and who borders on whom (see ``accelerate``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..accelerate import kernel

Labels = NDArray[np.int32]
Codes = NDArray[np.uint16]
Ints = NDArray[np.int64]


@kernel
def find_root(parent: Labels, label: int) -> int:
    """The representative of ``label`` in a union-find forest; halves the paths it walks."""
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@kernel
def unite(parent: Labels, one: int, other: int) -> None:
    """Make one tree of two; its root is the lower of the two roots."""
    a, b = find_root(parent, one), find_root(parent, other)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@kernel
def label_strip(codes: Codes) -> tuple[Labels, Labels, int]:
    """Label the 4-connected pieces of equal code in a strip.

    Args:
        codes: uint16 (rows, columns); 0 is outside of the coverage and gets the label 0.

    Returns:
        First labels (int32, same shape); the number of the piece that each of them belongs to, in the order of the
        pieces' first pixels from 1; the number of pieces.
    """
    rows, cols = codes.shape
    parent = np.zeros(1024, np.int32)
    labels = np.zeros((rows, cols), np.int32)
    count = 0
    for r in range(rows):
        for c in range(cols):
            code = codes[r, c]
            if code == 0:
                continue
            left = labels[r, c - 1] if c > 0 and codes[r, c - 1] == code else 0
            up = labels[r - 1, c] if r > 0 and codes[r - 1, c] == code else 0
            if left and up:
                labels[r, c] = up
                if left != up:
                    unite(parent, left, up)
            elif left or up:
                labels[r, c] = left + up
            else:
                count += 1
                if count == parent.size:
                    longer = np.zeros(2 * count, np.int32)
                    longer[:count] = parent
                    parent = longer
                parent[count] = count
                labels[r, c] = count
    piece = np.zeros(count + 1, np.int32)
    number = 0
    for label in range(1, count + 1):
        if parent[label] == label:
            number += 1
            piece[label] = number
        else:
            piece[label] = piece[find_root(parent, label)]
    return labels, piece, number


@kernel
def measure_strip(
    labels: Labels, piece: Labels, count: int, codes: Codes, confidence: NDArray[np.uint8]
) -> tuple[Ints, Codes, Ints, Labels, Labels]:
    """Replace first labels by the numbers of their pieces, in place, and measure the pieces of a strip.

    Args:
        labels: int32 (rows, columns), first labels; pieces afterwards.
        piece: the piece of each label.
        count: number of pieces.
        codes: uint16, same shape.
        confidence: uint8, same shape, or of no rows where there is none.

    Returns:
        For the pieces 0 to ``count``: pixels, code, sum of confidence, first pixel (row, column) and last row.
    """
    rows, cols = labels.shape
    area = np.zeros(count + 1, np.int64)
    code = np.zeros(count + 1, np.uint16)
    total = np.zeros(count + 1, np.int64)
    first = np.zeros((count + 1, 2), np.int32)
    last = np.zeros(count + 1, np.int32)
    sure = confidence.shape[0] > 0
    for r in range(rows):
        for c in range(cols):
            if labels[r, c] == 0:
                continue
            label = piece[labels[r, c]]
            labels[r, c] = label
            if area[label] == 0:
                code[label] = codes[r, c]
                first[label, 0], first[label, 1] = r, c
            area[label] += 1
            last[label] = r
            if sure:
                total[label] += confidence[r, c]
    return area, code, total, first, last


@kernel
def look_up(labels: Labels, table: Labels) -> Labels:
    """The entry of ``table`` for every label."""
    out = np.empty(labels.shape, np.int32)
    for r in range(labels.shape[0]):
        for c in range(labels.shape[1]):
            out[r, c] = table[labels[r, c]]
    return out


@kernel
def unite_seam(above_codes: Codes, above: Labels, codes: Codes, below: Labels, parent: Labels) -> None:
    """Unite the labels that meet with equal code where two strips meet (labels of the whole raster)."""
    for c in range(codes.size):
        if codes[c] and above_codes[c] == codes[c]:
            unite(parent, above[c], below[c])


@kernel
def border_pairs(labels: Labels, above: Labels, base: int, large: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Pairs of labels that share a side of a pixel, unless both are large; runs of one pair are counted together.

    Args:
        labels: int32 (rows, columns), labels of a strip from 1.
        above: int32 (columns,), labels of the row above it in the whole raster; 0 where there is none.
        base: what is to be added to the strip's labels to get those of the whole raster.
        large: bool by label of the strip: it will never be merged into another.

    Returns:
        int64 (n, 2) labels of the whole raster, the lower first, and int64 (n,) sides.
    """
    rows, cols = labels.shape
    count = 0
    for fill in range(2):
        pairs = np.empty((count if fill else 0, 2), np.int64)
        sides = np.empty(count if fill else 0, np.int64)
        count = 0
        for r in range(rows):
            for vertical in range(2):
                last_low, last_high = np.int64(-1), np.int64(-1)
                for c in range(vertical, cols):
                    one = labels[r, c]
                    if vertical or r > 0:
                        other = labels[r, c - 1] if vertical else labels[r - 1, c]
                        if one == other or one == 0 or other == 0 or (large[one] and large[other]):
                            continue
                        low, high = np.int64(min(one, other)) + base, np.int64(max(one, other)) + base
                    else:
                        if one == 0 or above[c] == 0:
                            continue
                        low, high = np.int64(above[c]), np.int64(one) + base
                    if low == last_low and high == last_high:
                        if fill:
                            sides[count - 1] += 1
                        continue
                    last_low, last_high = low, high
                    if fill:
                        pairs[count, 0], pairs[count, 1] = low, high
                        sides[count] = 1
                    count += 1
    return pairs, sides
