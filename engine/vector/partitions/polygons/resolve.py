"""Merge the remaining regions of a partition, and name all of them by their first pixels in the raster."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from ...arrays import Flags, Floats, Ints
from ...coverage.regions import RegionMap, Regions, find_targets, max_by_label, sum_by_label
from ...roads.centerlines import Tile
from ..tables import split_keys
from .measure import make_keys
from .merge import MergedRegions


class ResolvedRegions(NamedTuple):
    """The final regions of a partition.

    Attributes:
        key: int64 (n,), of the first pixel of each in the raster, ascending; see ``make_keys``. Region 0 is outside.
        is_open: bool (n,), whether other partitions have a part of the region, or meet it at their borders.
        regions: their statistics: area and confidence of what lies in the partition, the first pixel in the raster, and
            the last row in the raster of what is seen here.
        region_map: their map.
    """

    key: Ints
    is_open: Flags
    regions: Regions
    region_map: RegionMap


def resolve_regions(
    labelled: tuple[Regions, RegionMap, csr_array], merged: MergedRegions, minimum: Floats, outer: Tile
) -> ResolvedRegions:
    """Merge the regions of a partition that no other has to know of.

    Args:
        labelled: of the outer window the regions, whose confidence is 0 at pixels of other partitions, their map and
            the lengths of the borders between them.
        merged: what becomes of the regions that others have to know of; the others neither touch a border nor depend
            on what does.
        minimum: pixels that a region of each code needs to stay.
        outer: the outer window.
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
    size = sum_by_label(node, area, key.size)
    stays = minimum[code]
    stays[node[merged.region]] = stays[0] = 0.0
    root = key.copy()
    root[node[merged.region]] = merged.root
    code[node[merged.region]] = merged.code
    target = find_targets(size, stays, code, minimum, _renumber(borders, node, key.size))
    root, code = root[target], code[target]
    is_open_node = np.zeros(key.size, np.bool_)
    is_open_node[node[merged.region]] = merged.is_open

    final, number = np.unique(root, return_inverse=True)
    of_region = number[node]
    count = final.size
    codes, is_open = np.zeros(count, np.uint16), np.zeros(count, np.bool_)
    codes[number], is_open[number[is_open_node]] = code, True
    last = max_by_label(of_region, regions.last, count) + np.int32(outer.row)
    total, confidence = (sum_by_label(of_region, values, count) for values in (area, regions.confidence))
    first = np.column_stack(split_keys(final)).astype(np.int32)
    resolved = Regions(total, codes, confidence, first, last)
    new_map = replace(region_map, region=of_region.astype(np.int32)[region_map.region])
    return ResolvedRegions(final, is_open, resolved, new_map)


def _renumber(borders: csr_array, number: Ints, count: int) -> csr_array:
    """Return the borders between regions by other numbers."""
    entries = borders.tocoo()
    one, other = (number[side] for side in entries.coords)
    is_border = one != other
    ends = one[is_border], other[is_border]
    return csr_array(coo_array((entries.data[is_border], ends), shape=(count, count)))
