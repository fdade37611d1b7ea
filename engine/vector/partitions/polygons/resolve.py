"""Merge the remaining regions of a partition, and name all of them by their first pixels in the raster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from ...arrays import Flags, Floats, Ints, Labels
from ...coverage.kernels.mmu import merge_small_regions
from ...coverage.regions import RegionMap, Regions
from ...roads.centerlines import Tile
from .measure import make_keys
from .merge import MergedRegions


@dataclass(frozen=True)
class ResolvedRegions:
    """The final regions of a partition, by number; region 0 is the outside.

    Attributes:
        key: int64 (n,), of the first pixel in the raster, ascending; see ``pixel_keys``.
        code: uint16 (n,), class code.
        area: int64 (n,), pixels in the partition.
        confidence: int64 (n,), sum over these pixels.
        last: int32 (n,), last row in the raster, of what is seen here.
        is_open: bool (n,), whether other partitions have a part of the region, or meet it at their borders.
    """

    key: Ints
    code: NDArray[np.uint16]
    area: Ints
    confidence: Ints
    last: Labels
    is_open: Flags


def resolve_regions(
    labelled: tuple[Regions, RegionMap, csr_array], merged: MergedRegions, minimum: Floats, outer: Tile
) -> tuple[ResolvedRegions, RegionMap]:
    """Merge the regions of a partition that no other has to know of.

    Args:
        labelled: of the outer window the regions, whose confidence is 0 at pixels of other partitions, their map and
            the lengths of the borders between them.
        merged: what becomes of the regions that others have to know of; the others neither touch a border nor depend
            on what does.
        minimum: pixels that a region of each code needs to stay.
        outer: the outer window.

    Returns:
        The final regions, and their map.
    """
    regions, region_map, borders = labelled
    own = make_keys(regions.first, outer)
    own[0] = -1
    own[merged.region] = merged.own
    area = regions.area.copy()
    area[merged.region] = merged.area
    # Parts that are connected elsewhere have the same key, and regions are merged in the order of keys, as in one run.
    key, node = np.unique(own, return_inverse=True)
    code = np.zeros(key.size, np.uint16)
    code[node] = regions.code
    size = np.zeros(key.size, np.int64)
    np.add.at(size, node, area)
    stays = minimum[code]
    stays[node[merged.region]] = stays[0] = 0.0
    root = key.copy()
    root[node[merged.region]] = merged.root
    code[node[merged.region]] = merged.code
    target = _merge(size, stays, code, minimum, _renumber(borders, node, key.size))
    root, code = root[target], code[target]
    is_open_node = np.zeros(key.size, np.bool_)
    is_open_node[node[merged.region]] = merged.is_open

    final, number = np.unique(root, return_inverse=True)
    of_region = number[node]
    count = final.size
    codes, is_open = np.zeros(count, np.uint16), np.zeros(count, np.bool_)
    codes[number], is_open[number[is_open_node]] = code, True
    sums = [np.zeros(count, np.int64) for _ in range(2)]
    for total, values in zip(sums, (area, regions.confidence), strict=True):
        np.add.at(total, of_region, values)
    last = np.zeros(count, np.int32)
    np.maximum.at(last, of_region, regions.last)
    resolved = ResolvedRegions(final, codes, sums[0], sums[1], (last + outer.row).astype(np.int32), is_open)
    return resolved, replace(region_map, region=of_region.astype(np.int32)[region_map.region])


def _renumber(borders: csr_array, number: Ints, count: int) -> csr_array:
    """Return the borders between regions by other numbers."""
    entries = borders.tocoo()
    one, other = (number[side] for side in entries.coords)
    is_border = one != other
    ends = one[is_border], other[is_border]
    return csr_array(coo_array((entries.data[is_border], ends), shape=(count, count)))


def _merge(area: Ints, minimum: Floats, code: NDArray[np.uint16], minimum_by_code: Floats, borders: csr_array) -> Ints:
    if not borders.nnz:
        return np.arange(area.size)
    first, neighbour = borders.indptr.astype(np.int64), borders.indices.astype(np.int32)
    length = borders.data.astype(np.int64)
    return np.asarray(merge_small_regions(area, minimum, code, minimum_by_code, first, neighbour, length), np.int64)
