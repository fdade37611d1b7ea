"""The compiled loop that merges small regions into their neighbours (see ``jit``)."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ...jit import jit
from .runs import find_root

Ints = NDArray[np.int64]
Labels = NDArray[np.int32]


@jit
def sums_by(index: Labels, values: Ints, count: int) -> Ints:
    """Sums of ``values`` by index, from 0 to before ``count``."""
    sums = np.zeros(count, np.int64)
    for n in range(index.size):
        sums[index[n]] += values[n]
    return sums


@jit
def largest_by(index: Labels, values: Labels, count: int) -> Labels:
    """The largest of ``values``, which are not negative, by index, from 0 to before ``count``."""
    largest = np.zeros(count, np.int32)
    for n in range(index.size):
        largest[index[n]] = max(largest[index[n]], values[n])
    return largest


@jit
def list_neighbours(pairs: Labels, sides: Ints, count: int) -> tuple[Ints, Labels, Ints]:
    """The neighbours of every region, region by region.

    Args:
        pairs: int32 (n, 2), regions that share sides.
        sides: (n,), how many.
        count: number of regions.

    Returns:
        Where each region's neighbours begin (and, last, end); the neighbours; the sides shared with them.
    """
    first = np.zeros(count + 1, np.int64)
    for n in range(sides.size):
        first[pairs[n, 0] + 1] += 1
        first[pairs[n, 1] + 1] += 1
    for region in range(count):
        first[region + 1] += first[region]
    free = first[:-1].copy()
    neighbour, shared = np.empty(2 * sides.size, np.int32), np.empty(2 * sides.size, np.int64)
    for one in range(2):
        for n in range(sides.size):
            region = pairs[n, one]
            neighbour[free[region]], shared[free[region]] = pairs[n, 1 - one], sides[n]
            free[region] += 1
    return first, neighbour, shared


@jit
def heaviest_neighbour(
    region: int,
    parent: Labels,
    follower: Labels,
    first: Ints,
    neighbour: Labels,
    sides: Ints,
    weight: Ints,
    touched: Labels,
) -> int:
    """The region with which a region, with all that was merged into it, shares most sides; -1 where it has none.

    Ties go to the region that comes first in the raster.

    Args:
        region: a root.
        parent: the region into which each region went.
        follower: the next of the regions that were merged into one.
        first: where each region's neighbours begin.
        neighbour: neighbours of all regions.
        sides: sides shared with them.
        weight: zeros, by region; zeros again afterwards.
        touched: room for as many numbers as there are regions.
    """
    number = 0
    member = region
    while member >= 0:
        for k in range(first[member], first[member + 1]):
            other = find_root(parent, neighbour[k])
            if other == region:
                continue
            if weight[other] == 0:
                touched[number] = other
                number += 1
            weight[other] += sides[k]
        member = follower[member]
    best, most = -1, 0
    for k in range(number):
        other = touched[k]
        if weight[other] > most or (weight[other] == most and other < best):
            best, most = other, weight[other]
        weight[other] = 0
    return best


@jit
def merge_small(
    area: Ints,
    minimum: NDArray[np.float64],
    code: NDArray[np.uint16],
    minimum_by_code: NDArray[np.float64],
    first: Ints,
    neighbour: Labels,
    sides: Ints,
) -> Labels:
    """Merge every region below its minimum into the neighbour with which it shares most sides, the smallest first.

    A region takes the code of the one it is merged into. Ties go to the region that comes first in the raster. A
    region without neighbours stays.

    Args:
        area: pixels of each region; region 0 is the outside and takes no part.
        minimum: pixels that each region needs to stay; 0 for one that stays in any case.
        code: code of each region.
        minimum_by_code: pixels that a merged region of each code needs.
        first: (regions + 1,), where each region's neighbours begin.
        neighbour: neighbours of all regions.
        sides: sides shared with them.

    Returns:
        int32: the region into which each region went (itself for those that stay).
    """
    count = area.size
    parent = np.arange(count).astype(np.int32)
    size = area.copy()
    # Lists of the regions that were merged into a root, so that its neighbours are those of all of them.
    follower = np.full(count, -1, np.int32)
    last = np.arange(count).astype(np.int32)
    weight = np.zeros(count, np.int64)
    heap = [(np.int64(0), np.int64(0))]
    heap.pop()
    for region in range(1, count):
        if size[region] < minimum[region]:
            heap.append((size[region], np.int64(region)))
    heapq.heapify(heap)
    touched = np.empty(count, np.int32)
    while len(heap) > 0:
        pixels, number_of = heapq.heappop(heap)
        region = int(number_of)
        if parent[region] != region or size[region] != pixels:
            continue
        best = heaviest_neighbour(region, parent, follower, first, neighbour, sides, weight, touched)
        if best < 0:
            continue
        parent[region] = best
        size[best] += size[region]
        follower[last[best]] = region
        last[best] = last[region]
        if minimum[best] > 0.0 and size[best] < minimum_by_code[code[best]]:
            heapq.heappush(heap, (size[best], np.int64(best)))
    for region in range(count):
        parent[region] = find_root(parent, region)
    return parent
