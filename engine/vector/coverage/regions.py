"""The first pass over a class raster: its regions (connected pieces of one class) and their neighbours.

Strips are labelled on their own and united where they meet. Regions are numbered in the order of their first pixels,
row by row, so that the numbers do not depend on the strips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .label_kernels import border_pairs, label_strip, look_up, measure_strip, unite_seam
from .unit_kernels import merge_small

Labels = NDArray[np.int32]
Codes = NDArray[np.uint16]
Ints = NDArray[np.int64]

#: Labels of rasters with at most this many pixels are kept for the second pass instead of being made again.
KEEP_PIXELS = 70_000_000


class CodeReader(Protocol):
    """Rows of class codes (uint16, 0 outside of the coverage) and, where there is one, of confidence (uint8)."""

    shape: tuple[int, int]

    def codes(self, row: int, height: int) -> Codes:
        """Codes of some rows."""

    def confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Confidence of some rows; of no rows where there is none."""


@dataclass(frozen=True)
class Regions:
    """The regions of a raster; index 0 is the outside.

    Attributes:
        area: int64, pixels.
        code: uint16, class code.
        confidence: int64, sum over the pixels.
        first: int32 (n, 2), row and column of the first pixel.
        last: int32, last row.
    """

    area: Ints
    code: Codes
    confidence: Ints
    first: Labels
    last: Labels


@dataclass(frozen=True)
class Labelling:
    """How the labels of strips map to regions.

    Attributes:
        strip: rows in a strip.
        base: number of labels in all strips before each strip, and in all.
        region: int32, region of each label of the whole raster (base of its strip plus its number there).
        kept: labels of each strip, where they were kept; empty otherwise.
    """

    strip: int
    base: list[int]
    region: Labels
    kept: list[Labels]

    def strip_regions(self, reader: CodeReader, number: int) -> Labels:
        """The regions of the pixels of one strip; int32 (rows, columns)."""
        row = number * self.strip
        table = self.region[self.base[number] : self.base[number + 1] + 1].copy()
        table[0] = 0
        if self.kept:
            return look_up(self.kept[number], table)
        labels, piece, _ = label_strip(reader.codes(row, min(self.strip, reader.shape[0] - row)))
        return look_up(labels, table[piece])


@dataclass(frozen=True)
class Borders:
    """Pairs of regions that share sides of pixels."""

    pairs: Ints
    sides: Ints


def find_regions(
    reader: CodeReader, strip: int, largest_minimum: float, check: Callable[[int], None]
) -> tuple[Regions, Labelling, Borders]:
    """Label a raster in strips of ``strip`` rows.

    Args:
        reader: gives the rows.
        strip: rows in a strip; the regions do not depend on it.
        largest_minimum: regions of at least this many pixels will not be merged; borders between two of them
            are left out. 0 leaves out all borders.
        check: called with the number of rows done after each strip.
    """
    rows, cols = reader.shape
    parts: list[tuple[Ints, Codes, Ints, Labels, Labels]] = []
    borders: list[Borders] = []
    kept: list[Labels] = []
    base = [0]
    parent = np.zeros(1, np.int32)
    above_codes, above = np.zeros(cols, np.uint16), np.zeros(cols, np.int32)
    for row in range(0, rows, strip):
        codes = reader.codes(row, min(strip, rows - row))
        labels, piece, count = label_strip(codes)
        sure = reader.confidence(row, len(codes))
        area, code, total, first, last = measure_strip(labels, piece, count, codes, sure)
        first[:, 0] += row
        parts.append((area[1:], code[1:], total[1:], first[1:], last[1:] + row))
        parent = np.concatenate((parent, np.arange(base[-1] + 1, base[-1] + count + 1, dtype=np.int32)))
        top = np.where(labels[0] > 0, labels[0] + base[-1], 0).astype(np.int32)
        unite_seam(above_codes, above, codes[0], top, parent)
        if largest_minimum > 0:
            borders.append(_unique_borders(*border_pairs(labels, above, base[-1], area >= largest_minimum)))
        above_codes = codes[-1].copy()
        above = np.where(labels[-1] > 0, labels[-1] + base[-1], 0).astype(np.int32)
        base.append(base[-1] + count)
        if rows * cols <= KEEP_PIXELS:
            kept.append(labels)
        check(row + len(codes))
    region = _number_roots(parent)
    regions = _sum_up(parts, region)
    return regions, Labelling(strip, base, region, kept), _merge_borders(borders, region)


def merge_units(
    regions: Regions, labelling: Labelling, borders: Borders, minimum: NDArray[np.float64]
) -> tuple[Regions, Labelling]:
    """Merge the regions below the minimum mapping unit of their class into their neighbours.

    Args:
        regions: the regions.
        labelling: how labels map to them.
        borders: which of them are neighbours.
        minimum: pixels that a region of each code needs to stay; 0 for one that stays whatever its size.

    Returns:
        The regions that are left and how labels map to them. The first pixel of a region is that of the part that
        gave the class.
    """
    if not len(borders.pairs):
        return regions, labelling
    both = np.concatenate((borders.pairs, borders.pairs[:, ::-1]))
    order = np.argsort(both[:, 0], kind="stable")
    first = np.searchsorted(both[order, 0], np.arange(len(regions.area) + 1)).astype(np.int64)
    target = merge_small(
        regions.area,
        minimum[regions.code],
        regions.code,
        minimum,
        first,
        both[order, 1].astype(np.int32),
        np.concatenate((borders.sides, borders.sides))[order],
    )
    kept = np.flatnonzero(target == np.arange(len(target)))
    number = np.zeros(len(target), np.int32)
    number[kept] = np.arange(len(kept))
    into = number[target]
    last = np.zeros(len(kept), np.int32)
    np.maximum.at(last, into, regions.last)
    merged = Regions(
        area=_sums(into, regions.area, len(kept)),
        code=regions.code[kept],
        confidence=_sums(into, regions.confidence, len(kept)),
        first=regions.first[kept],
        last=last,
    )
    return merged, replace(labelling, region=into[labelling.region])


def leave_out(regions: Regions, labelling: Labelling, wanted: NDArray[np.bool_]) -> Labelling:
    """Make regions whose code is not ``wanted`` (bool by code) part of the outside."""
    table = np.where(wanted[regions.code], np.arange(len(regions.code)), 0).astype(np.int32)
    return replace(labelling, region=table[labelling.region])


def _unique_borders(pairs: Ints, sides: Ints) -> Borders:
    """Sum up the sides of equal pairs."""
    if not len(pairs):
        return Borders(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    key = (pairs[:, 0] << 32) | pairs[:, 1]
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    unique = key[first]
    return Borders(np.column_stack((unique >> 32, unique & 0xFFFFFFFF)), np.add.reduceat(sides[order], first))


def _merge_borders(parts: list[Borders], region: Labels) -> Borders:
    """Borders between regions from borders between labels."""
    if not parts:
        return Borders(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
    pairs = np.sort(region[np.concatenate([part.pairs for part in parts])].astype(np.int64), axis=1)
    sides = np.concatenate([part.sides for part in parts])
    differ = pairs[:, 0] != pairs[:, 1]
    return _unique_borders(pairs[differ], sides[differ])


def _number_roots(parent: Labels) -> Labels:
    """Numbers of the roots, in order, for all labels; roots are the lowest labels, so the first pixels' order holds."""
    while True:
        up = parent[parent]
        if np.array_equal(up, parent):
            break
        parent = up
    number = np.cumsum(parent == np.arange(len(parent))) - 1
    return np.asarray(number[parent], np.int32)


def _sum_up(parts: list[tuple[Ints, Codes, Ints, Labels, Labels]], region: Labels) -> Regions:
    """Figures of regions from those of labels."""
    area, code, total, first, last = (np.concatenate(values) for values in zip(*parts, strict=True))
    of_label = region[1:]
    count = int(region.max()) + 1 if len(region) else 1
    one = np.zeros(count, np.int64)
    firsts = np.zeros((count, 2), np.int32)
    codes = np.zeros(count, np.uint16)
    one[of_label[::-1]] = np.arange(len(of_label))[::-1]  # the lowest label wins
    firsts[1:], codes[1:] = first[one[1:]], code[one[1:]]
    lasts = np.zeros(count, np.int32)
    np.maximum.at(lasts, of_label, last)
    return Regions(_sums(of_label, area, count), codes, _sums(of_label, total, count), firsts, lasts)


def _sums(index: Labels, values: Ints, count: int) -> Ints:
    """Sums of whole numbers by index, exact."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, index, values)
    return sums
