"""Kernels that merge regions below the minimum mapping unit (MMU) into their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints, Labels
from ...jit import jit
from ...search import find_root, heap_push, heap_replace

#: Larger regions, in pixels, are merged in the order of their numbers: 32 bits of a key are for the size.
MAX_SIZE = (1 << 32) - 1


@jit
def find_longest_border(
    region: int,
    parent: Labels,
    follower: Labels,
    first: Ints,
    neighbour: Labels,
    border: Ints,
    total: Ints,
    touched: Labels,
) -> int:
    """Find the neighbour with which a region, including all regions merged into it, has the longest border.

    Of equal borders the neighbour that comes first in the raster is taken.

    Args:
        region: a root.
        parent: the region into which each region was merged.
        follower: the next of the regions that were merged into the same root.
        first: where each region's neighbours begin.
        neighbour: neighbours of all regions.
        border: lengths of the borders with them.
        total: work space, zeros by region; zeros again afterwards.
        touched: work space, by region.

    Returns:
        The neighbour; -1 where there is none.
    """
    number = 0
    member = region
    while member >= 0:
        for k in range(first[member], first[member + 1]):
            other = find_root(parent, neighbour[k])
            if other == region:
                continue
            if total[other] == 0:
                touched[number] = other
                number += 1
            total[other] += border[k]
        member = follower[member]
    best, longest = -1, 0
    for k in range(number):
        other = touched[k]
        if total[other] > longest or (total[other] == longest and other < best):
            best, longest = other, total[other]
        total[other] = 0
    return best


@jit
def merge_small_regions(
    area: Ints,
    minimum: Floats,
    code: NDArray[np.uint16],
    minimum_by_code: Floats,
    first: Ints,
    neighbour: Labels,
    border: Ints,
) -> Labels:
    """Merge every region below its minimum into the neighbour with the longest border, the smallest region first.

    A region takes the code of the one it is merged into. A region without neighbours stays.

    Args:
        area: pixels of each region; region 0 is the outside and takes no part.
        minimum: pixels that each region needs to stay; 0 for one that always stays.
        code: code of each region.
        minimum_by_code: pixels that a merged region of each code needs.
        first: (regions + 1,), where each region's neighbours begin.
        neighbour: neighbours of all regions.
        border: lengths of the borders with them.

    Returns:
        int32, the region into which each region was merged (itself for those that stay).
    """
    count = area.size
    parent, last = np.empty(count, np.int32), np.empty(count, np.int32)
    # Linked lists of the regions merged into each root: the neighbours of a root are those of all of them.
    follower, touched = np.empty(count, np.int32), np.empty(count, np.int32)
    size, total = np.empty(count, np.int64), np.zeros(count, np.int64)
    # At most one key is added for each that is taken.
    heap, waiting = np.empty(count, np.int64), 0
    for region in range(count):
        parent[region], last[region], follower[region], size[region] = region, region, -1, area[region]
        if region > 0 and size[region] < minimum[region]:
            waiting = heap_push(heap, waiting, min(size[region], MAX_SIZE) << 31 | region)
    while waiting > 0:
        pixels, region = heap[0] >> 31, heap[0] & 0x7FFFFFFF
        waiting -= 1
        heap_replace(heap, waiting, heap[waiting])
        if parent[region] != region or min(size[region], MAX_SIZE) != pixels:
            continue
        best = find_longest_border(region, parent, follower, first, neighbour, border, total, touched)
        if best < 0:
            continue
        parent[region] = best
        size[best] += size[region]
        follower[last[best]] = region
        last[best] = last[region]
        if minimum[best] > 0.0 and size[best] < minimum_by_code[code[best]]:
            waiting = heap_push(heap, waiting, min(size[best], MAX_SIZE) << 31 | best)
    for region in range(count):
        parent[region] = find_root(parent, region)
    return parent
