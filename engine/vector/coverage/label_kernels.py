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
def label_strip(codes: Codes) -> tuple[Labels, int]:
    """Label the 4-connected pieces of equal code in a strip, in the order of their first pixels.

    Args:
        codes: uint16 (rows, columns); 0 is outside of the coverage and gets the label 0.

    Returns:
        The labels from 1 (int32, same shape) and their number.
    """
    rows, cols = codes.shape
    fresh = 0
    for r in range(rows):
        for c in range(cols):
            code = codes[r, c]
            if code and not (c > 0 and codes[r, c - 1] == code) and not (r > 0 and codes[r - 1, c] == code):
                fresh += 1
    parent = np.empty(fresh + 1, np.int32)
    parent[0] = 0
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
                parent[count] = count
                labels[r, c] = count
    final = np.zeros(count + 1, np.int32)
    number = 0
    for label in range(1, count + 1):
        if parent[label] == label:
            number += 1
            final[label] = number
        else:
            final[label] = final[find_root(parent, label)]
    for r in range(rows):
        for c in range(cols):
            if labels[r, c]:
                labels[r, c] = final[labels[r, c]]
    return labels, number


@kernel
def measure_strip(
    labels: Labels, codes: Codes, confidence: NDArray[np.uint8], count: int
) -> tuple[Ints, Codes, Ints, Labels, Labels]:
    """Figures of the labels of a strip.

    Args:
        labels: int32 (rows, columns).
        codes: uint16, same shape.
        confidence: uint8, same shape, or of no rows where there is none.
        count: number of labels.

    Returns:
        For the labels 0 to ``count``: pixels, code, sum of confidence, first pixel (row, column) and last row.
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
            label = labels[r, c]
            if label == 0:
                continue
            if area[label] == 0:
                code[label] = codes[r, c]
                first[label, 0], first[label, 1] = r, c
            area[label] += 1
            last[label] = r
            if sure:
                total[label] += confidence[r, c]
    return area, code, total, first, last


@kernel
def unite_seam(above_codes: Codes, above: Labels, codes: Codes, below: Labels, parent: Labels) -> None:
    """Unite the labels that meet with equal code where two strips meet (labels of the whole raster)."""
    for c in range(codes.size):
        if codes[c] and above_codes[c] == codes[c]:
            unite(parent, above[c], below[c])


@kernel
def border_pairs(labels: Labels, large: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Pairs of labels that share a side of a pixel, unless both are large; runs of one pair are counted together.

    Args:
        labels: int32 (rows, columns), labels of the whole raster less ``base``; the first row is the last row of the
            strip above, whose own sides are not counted again.
        large: bool by label: it will never be merged into another.

    Returns:
        int64 (n, 2) labels, the lower first, and int64 (n,) sides.
    """
    rows, cols = labels.shape
    count = 0
    for fill in range(2):
        pairs = np.empty((count if fill else 0, 2), np.int64)
        sides = np.empty(count if fill else 0, np.int64)
        count = 0
        for r in range(1, rows):
            for vertical in range(2):
                last_a, last_b = np.int32(-1), np.int32(-1)
                for c in range(vertical, cols):
                    a, b = labels[r, c], labels[r, c - 1] if vertical else labels[r - 1, c]
                    if a == b or a == 0 or b == 0 or (large[a] and large[b]):
                        continue
                    if b < a:
                        a, b = b, a
                    if a == last_a and b == last_b:
                        if fill:
                            sides[count - 1] += 1
                        continue
                    last_a, last_b = a, b
                    if fill:
                        pairs[count, 0], pairs[count, 1] = a, b
                        sides[count] = 1
                    count += 1
    return pairs, sides
