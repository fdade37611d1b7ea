"""The first pass over a class raster: its regions (connected pieces of one class) and their neighbours.

Strips are labelled on their own and united where they meet. Regions are numbered in the order of their first pixels,
row by row, so that the numbers do not depend on the strips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .arcs import Cracks
from .kernels.boundaries import find_cracks
from .kernels.mmu import largest_by, list_neighbours, merge_small, sums_by
from .kernels.runs import border_pairs, find_runs, label_runs, measure_runs, unite_seam

Labels = NDArray[np.int32]
Codes = NDArray[np.uint16]
Ints = NDArray[np.int64]

#: So many runs of pixels (8 bytes each) are kept for the second pass; what goes beyond is read and labelled again.
KEEP_RUNS = 12_000_000


class CodeReader(Protocol):
    """Rows of class codes (0 outside of the coverage) and, where there is one, of confidence (uint8)."""

    shape: tuple[int, int]

    def codes(self, row: int, height: int) -> NDArray[np.unsignedinteger[Any]]:
        """Codes of some rows, uint8 or uint16."""

    def confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Confidence of some rows; of no rows where there is none. Asked after the codes of the same rows."""


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
class Pieces:
    """The runs of a strip and the connected pieces that they belong to.

    Attributes:
        start: int64 (rows + 1,), where the runs of each row begin (and, last, end).
        col: int32, first column of each run.
        piece: int32, piece of each run, from 1; 0 outside of the coverage.
    """

    start: Ints
    col: Labels
    piece: Labels


@dataclass(frozen=True)
class Labelling:
    """How the labels of strips map to regions.

    Attributes:
        strip: rows in a strip.
        base: number of labels in all strips before each strip, and in all.
        region: int32, region of each label of the whole raster (base of its strip plus its number there).
        kept: the pieces of the first strips; those of the others are made again.
    """

    strip: int
    base: list[int]
    region: Labels
    kept: list[Pieces]

    def cracks(self, reader: CodeReader, number: int) -> Cracks:
        """Where the regions of one strip meet."""
        if number < len(self.kept):
            pieces = self.kept[number]
        else:
            row = number * self.strip
            start, col, code = find_runs(reader.codes(row, min(self.strip, reader.shape[0] - row)))
            pieces = Pieces(start, col, label_runs(start, col, code, reader.shape[1])[0])
        table = self.region[self.base[number] : self.base[number + 1] + 1].copy()
        table[0] = 0
        return Cracks(*find_cracks(pieces.start, pieces.col, pieces.piece, table, reader.shape[1]))


@dataclass(frozen=True)
class Borders:
    """Pairs of labels or regions that share sides of pixels: int32 (n, 2), the lower first, and int64 (n,) sides."""

    pairs: Labels
    sides: Ints


NO_BORDERS = Borders(np.zeros((0, 2), np.int32), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Seam:
    """The runs of the last row of a strip: first columns, codes, and labels of the whole raster."""

    col: Labels
    code: Codes
    label: Labels


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
    figures: list[tuple[Ints, Codes, Ints, Labels, Labels]] = []
    borders: list[Borders] = []
    kept: list[Pieces] = []
    base, runs = [0], 0
    parent = np.zeros(1024, np.int32)
    above = Seam(np.zeros(0, np.int32), np.zeros(0, np.uint16), np.zeros(0, np.int32))
    for row in range(0, rows, strip):
        codes = reader.codes(row, min(strip, rows - row))
        sure = reader.confidence(row, len(codes))
        start, col, code = find_runs(codes)
        piece, count = label_runs(start, col, code, cols)
        area, code_of, total, first, last = measure_runs(start, col, code, piece, count, cols, sure)
        first[:, 0] += row
        figures.append((area[1:], code_of[1:], total[1:], first[1:], last[1:] + row))
        label = np.where(piece > 0, piece + base[-1], 0).astype(np.int32)
        parent = _grown(parent, base[-1], count)
        top, bottom = slice(0, start[1]), slice(start[-2], start[-1])
        unite_seam(above.col, above.code, above.label, col[top], code[top], label[top], parent)
        if largest_minimum > 0:
            large = (area >= largest_minimum)[piece]
            borders.append(_unique(*border_pairs(start, col, label, large, above.col, above.label, cols)))
        above = Seam(col[bottom].copy(), code[bottom].copy(), label[bottom].copy())
        base.append(base[-1] + count)
        runs += len(col)
        if runs <= KEEP_RUNS:
            kept.append(Pieces(start, col, piece))
        check(row + len(codes))
    region = _number_roots(parent[: base[-1] + 1])
    return _sum_up(figures, region), Labelling(strip, base, region, kept), _merge_borders(borders, region)


def _grown(parent: Labels, labels: int, more: int) -> Labels:
    """A forest of ``labels`` with ``more`` trees of one label each; at least doubled where it has to be copied."""
    end = labels + 1 + more
    if end > len(parent):
        larger = np.zeros(max(end, 2 * len(parent)), np.int32)
        larger[: labels + 1] = parent[: labels + 1]
        parent = larger
    parent[labels + 1 : end] = np.arange(labels + 1, end, dtype=np.int32)
    return parent


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
    first, neighbour, sides = list_neighbours(borders.pairs, borders.sides, len(regions.area))
    target = merge_small(regions.area, minimum[regions.code], regions.code, minimum, first, neighbour, sides)
    del first, neighbour, sides
    kept = np.flatnonzero(target == np.arange(len(target)))
    number = np.zeros(len(target), np.int32)
    number[kept] = np.arange(len(kept))
    into = number[target]
    merged = Regions(
        area=sums_by(into, regions.area, len(kept)),
        code=regions.code[kept],
        confidence=sums_by(into, regions.confidence, len(kept)),
        first=regions.first[kept],
        last=largest_by(into, regions.last, len(kept)),
    )
    return merged, replace(labelling, region=into[labelling.region])


def leave_out(regions: Regions, labelling: Labelling, wanted: NDArray[np.bool_]) -> Labelling:
    """Make regions whose code is not ``wanted`` (bool by code) part of the outside."""
    table = np.where(wanted[regions.code], np.arange(len(regions.code)), 0).astype(np.int32)
    return replace(labelling, region=table[labelling.region])


def _unique(pairs: Labels, sides: Ints) -> Borders:
    """Sum up the sides of equal pairs."""
    if not len(pairs):
        return NO_BORDERS
    key = pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1]
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    return Borders(pairs[order[first]], np.add.reduceat(sides[order], first))


def _merge_borders(parts: list[Borders], region: Labels) -> Borders:
    """Borders between regions from borders between labels."""
    if not parts:
        return NO_BORDERS
    pairs = region[np.concatenate([part.pairs for part in parts])]
    pairs.sort(axis=1)
    sides = np.concatenate([part.sides for part in parts])
    differ = pairs[:, 0] != pairs[:, 1]
    return _unique(pairs[differ], sides[differ])


def _number_roots(parent: Labels) -> Labels:
    """Numbers of the roots, in order, for all labels; roots are the lowest labels, so the first pixels' order holds."""
    while True:
        up = parent[parent]
        if np.array_equal(up, parent):
            break
        parent = up
    number = np.cumsum(parent == np.arange(len(parent)), dtype=np.int32) - np.int32(1)
    return np.asarray(number[parent], np.int32)


def _sum_up(figures: list[tuple[Ints, Codes, Ints, Labels, Labels]], region: Labels) -> Regions:
    """Figures of regions from those of labels; column by column, and ``figures`` is emptied, to save memory."""
    areas, codes, totals, firsts, lasts = (list(column) for column in zip(*figures, strict=True))
    figures.clear()
    of_label = region[1:]
    count = int(region.max()) + 1 if len(region) else 1
    area, confidence = sums_by(of_label, _joined(areas), count), sums_by(of_label, _joined(totals), count)
    last = largest_by(of_label, _joined(lasts), count)
    lowest = np.zeros(count, np.int64)
    lowest[of_label[::-1]] = np.arange(len(of_label))[::-1]  # the lowest label wins
    code, first = np.zeros(count, np.uint16), np.zeros((count, 2), np.int32)
    code[1:], first[1:] = _joined(codes)[lowest[1:]], _joined(firsts)[lowest[1:]]
    return Regions(area, code, confidence, first, last)


def _joined(column: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts of a column in one; ``column`` is emptied."""
    whole: NDArray[Any] = np.concatenate(column)
    column.clear()
    return whole
