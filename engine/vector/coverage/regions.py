"""First pass over a class raster: connected regions, their adjacency, and the minimum mapping unit.

Strips are labelled one by one and united at their seams. Regions are numbered in the row order of their first pixels,
so that the numbers do not depend on the strips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from ..arrays import AnyInts, Flags, Floats, Ints, Labels
from .arcs import BoundaryEdges
from .breaks import Breaks
from .codes import CodeSource
from .kernels.boundaries import find_boundary_edges
from .kernels.mmu import merge_small_regions
from .kernels.runs import Codes, find_borders, find_runs, label_runs, measure_components, unite_at_seam

#: Number of runs of pixels (8 bytes each) kept for the second pass; further strips are read and labelled again.
KEEP_RUNS = 12_000_000


class Regions(NamedTuple):
    """Statistics of regions (or of the components of one strip), by number. Region 0 is the outside.

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
class LabelledRuns:
    """The runs of a strip and their connected components.

    Attributes:
        start: int64 (rows + 1,), where the runs of each row begin (and, last, end).
        col: int32, first column of each run.
        component: int32, component of each run, from 1; 0 outside of the coverage.
    """

    start: Ints
    col: Labels
    component: Labels


@dataclass(frozen=True)
class RegionMap:
    """Maps the components of strips to regions.

    Attributes:
        strip_rows: rows in a strip.
        base: number of components in all strips before each strip, and in all.
        region: int32, region of each component of the raster: its index is ``base`` of its strip plus its number there.
        kept: the runs of the first strips; those of the others are made again.
    """

    strip_rows: int
    base: list[int]
    region: Labels
    kept: list[LabelledRuns]

    @property
    def strips(self) -> int:
        """The number of strips."""
        return len(self.base) - 1

    def read_strip(self, source: CodeSource, number: int) -> tuple[LabelledRuns, Labels]:
        """Return the runs of one strip, and the region of each of their components."""
        if number < len(self.kept):
            runs = self.kept[number]
        else:
            row = number * self.strip_rows
            start, col, code = find_runs(source.read_codes(row, min(self.strip_rows, source.shape[0] - row)))
            runs = LabelledRuns(start, col, label_runs(start, col, code, source.shape[1])[0])
        region_of = self.region[self.base[number] : self.base[number + 1] + 1].copy()
        region_of[0] = 0
        return runs, region_of

    def find_boundary_edges(self, source: CodeSource, number: int, breaks: Breaks) -> BoundaryEdges:
        """Find the boundary edges between the regions of one strip."""
        (runs, region_of), cols = self.read_strip(source, number), source.shape[1]
        columns = breaks.find_columns(cols)
        return BoundaryEdges(*find_boundary_edges(runs.start, runs.col, runs.component, region_of, cols, columns))


def find_regions(
    source: CodeSource, strip_rows: int, largest_minimum: float, on_progress: Callable[[int], None]
) -> tuple[Regions, RegionMap, csr_array]:
    """Label a raster strip by strip.

    Args:
        source: the class codes.
        strip_rows: rows in a strip; the regions do not depend on it.
        largest_minimum: regions of at least this many pixels will not be merged; borders between two of them
            are left out. 0 leaves out all borders.
        on_progress: called with the number of rows done after each strip.

    Returns:
        The regions, their map, and the lengths of the borders between them in pixel sides, (regions, regions).
    """
    rows, cols = source.shape
    components: list[Regions] = []
    borders: list[coo_array] = []
    kept: list[LabelledRuns] = []
    base, runs = [0], 0
    parent = np.zeros(1024, np.int32)
    # First columns, codes and labels of the runs of the row above the strip.
    above_col, above_code, above = np.zeros(0, np.int32), np.zeros(0, np.uint16), np.zeros(0, np.int32)
    for row in range(0, rows, strip_rows):
        codes = source.read_codes(row, min(strip_rows, rows - row))
        confidence = source.read_confidence(row, len(codes))
        start, col, code = find_runs(codes)
        component, count = label_runs(start, col, code, cols)
        area, code_of, total, first, last = measure_components(start, col, code, component, count, cols, confidence)
        first[:, 0] += row
        components.append(Regions(area[1:], code_of[1:], total[1:], first[1:], last[1:] + row))
        label = np.where(component > 0, component + base[-1], 0).astype(np.int32)
        parent = _extend_forest(parent, base[-1], count)
        top, bottom = slice(0, start[1]), slice(start[-2], start[-1])
        unite_at_seam(above_col, above_code, above, col[top], code[top], label[top], parent)
        if largest_minimum > 0:
            is_large = (area >= largest_minimum)[component]
            one, other, length = find_borders(start, col, label, is_large, above_col, above, cols)
            borders.append(coo_array((length, (one, other)), shape=2 * (base[-1] + count + 1,)))
            borders[-1].sum_duplicates()
        above_col, above_code, above = col[bottom].copy(), code[bottom].copy(), label[bottom].copy()
        base.append(base[-1] + count)
        runs += len(col)
        if runs <= KEEP_RUNS:
            kept.append(LabelledRuns(start, col, component))
        on_progress(row + len(codes))
    region = _number_roots(parent[: base[-1] + 1])
    region_map = RegionMap(strip_rows, base, region, kept)
    return _merge_components(components, region), region_map, _merge_borders(borders, region)


def merge_below_mmu(
    regions: Regions, region_map: RegionMap, borders: csr_array, minimum_pixels: Floats
) -> tuple[Regions, RegionMap]:
    """Merge the regions below the minimum mapping unit of their class into their neighbours.

    Args:
        regions: the regions.
        region_map: maps components to them.
        borders: lengths of the borders between them, symmetric.
        minimum_pixels: pixels that a region of each code needs to stay; 0 for one that always stays.

    Returns:
        The remaining regions and their map. The first pixel of a region is that of the part that gave the class.
    """
    if not borders.nnz:
        return regions, region_map
    target = find_targets(regions.area, minimum_pixels[regions.code], regions.code, minimum_pixels, borders)
    kept = np.flatnonzero(target == np.arange(len(target)))
    number = np.zeros(len(target), np.int32)
    number[kept] = np.arange(len(kept))
    new_number = number[target]
    merged = Regions(
        area=sum_by_label(new_number, regions.area, len(kept)),
        code=regions.code[kept],
        confidence=sum_by_label(new_number, regions.confidence, len(kept)),
        first=regions.first[kept],
        last=max_by_label(new_number, regions.last, len(kept)),
    )
    return merged, replace(region_map, region=new_number[region_map.region])


def find_targets(
    area: Ints, minimum: Floats, code: Codes, minimum_by_code: Floats, borders: csr_array
) -> Ints | Labels:
    """Find the region into which each region is merged, given the borders between them; see ``merge_small_regions``."""
    if not borders.nnz:
        return np.arange(area.size)
    first, neighbour = borders.indptr.astype(np.int64), borders.indices.astype(np.int32, copy=False)
    length = borders.data.astype(np.int64, copy=False)
    return merge_small_regions(area, minimum, code, minimum_by_code, first, neighbour, length)


def drop_codes(regions: Regions, region_map: RegionMap, is_included: Flags) -> RegionMap:
    """Make regions whose code is not included (bool by code) part of the outside."""
    table = np.where(is_included[regions.code], np.arange(len(regions.code)), 0).astype(np.int32)
    return replace(region_map, region=table[region_map.region])


def _extend_forest(parent: Labels, labels: int, more: int) -> Labels:
    """Add ``more`` roots to a forest of ``labels``; its capacity is at least doubled where it has to be copied."""
    end = labels + 1 + more
    if end > len(parent):
        larger = np.zeros(max(end, 2 * len(parent)), np.int32)
        larger[: labels + 1] = parent[: labels + 1]
        parent = larger
    parent[labels + 1 : end] = np.arange(labels + 1, end, dtype=np.int32)
    return parent


def sum_by_label(label: AnyInts, values: Ints, count: int) -> Ints:
    """Sum ``values`` by label, 0 to ``count`` - 1."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, label, values)
    return sums


def max_by_label(label: AnyInts, values: AnyInts, count: int) -> Labels:
    """Largest of the non-negative ``values`` by label, 0 to ``count`` - 1."""
    largest = np.zeros(count, np.int32)
    np.maximum.at(largest, label, values)
    return largest


def _merge_borders(borders: list[coo_array], region: Labels) -> csr_array:
    """Borders between regions, in both directions, from borders between components."""
    count = int(region.max(initial=0)) + 1
    if not borders:
        return csr_array((count, count), dtype=np.int64)
    one = region[np.concatenate([part.row for part in borders])]
    other = region[np.concatenate([part.col for part in borders])]
    return make_borders(one, other, np.concatenate([part.data for part in borders]), count)


def make_borders(one: Ints | Labels, other: Ints | Labels, length: Ints, count: int) -> csr_array:
    """Add up the lengths of borders between pairs of ``count`` regions, in both directions; none is within a region."""
    is_border = one != other
    one, other, length = one[is_border], other[is_border], length[is_border]
    ends = np.concatenate((one, other)), np.concatenate((other, one))
    return csr_array((np.tile(length, 2), ends), shape=(count, count))


def _number_roots(parent: Labels) -> Labels:
    """Number of the root of each label. A root is the lowest label of its tree, so numbers follow the first pixels."""
    while True:
        grandparent = parent[parent]
        if np.array_equal(grandparent, parent):
            break
        parent = grandparent
    number = np.cumsum(parent == np.arange(len(parent)), dtype=np.int32) - np.int32(1)
    return np.asarray(number[parent], np.int32)


def _merge_components(components: list[Regions], region: Labels) -> Regions:
    """Statistics of regions from those of components. Empties ``components``, column by column, to save memory."""
    areas, codes, confidences, firsts, lasts = map(list, zip(*components, strict=True))
    components.clear()
    of_component = region[1:]
    count = int(region.max()) + 1
    area = sum_by_label(of_component, _concatenate(areas), count)
    confidence = sum_by_label(of_component, _concatenate(confidences), count)
    last = max_by_label(of_component, _concatenate(lasts), count)
    lowest = np.zeros(count, np.int64)
    lowest[of_component[::-1]] = np.arange(len(of_component))[::-1]  # of equal indices the last assignment stays
    code, first = np.zeros(count, np.uint16), np.zeros((count, 2), np.int32)
    code[1:], first[1:] = _concatenate(codes)[lowest[1:]], _concatenate(firsts)[lowest[1:]]
    return Regions(area, code, confidence, first, last)


def _concatenate(column: list[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate arrays and empty the list."""
    whole: NDArray[Any] = np.concatenate(column)
    column.clear()
    return whole
