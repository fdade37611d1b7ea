"""Join the regions of all partitions over their borders, and merge those below the minimum mapping unit among them.

Only numbers are in memory: a row for each region at a border, or whose merging depends on one at a border.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ....context import Cancellation
from ...arrays import Flags, Floats, Ints, Labels, concatenate_tables, make_offsets
from ...coverage.regions import find_targets, make_borders, max_by_label, sum_by_label
from ..storage import PartitionFolder, open_tables, write_tables
from .measure import SharedBorders, SharedLines, SharedRegions
from .tables import MEASURED, MERGED

#: The sides of a partition and of its neighbour that have the same pixels.
_ACROSS = (("right", "left", 1), ("bottom", "top", 0))


class MergedRegions(NamedTuple):
    """What becomes of the ``SharedRegions`` of a partition, row by row.

    Attributes:
        region: int32 (n,), number of the region in the partition.
        area: int64 (n,), its pixels in the partition.
        own: int64 (n,), key of the first pixel of the region in the raster, which names it.
        root: int64 (n,), that of the region into which it was merged; ``own`` for one that stays.
        code: uint16 (n,), class code of that region.
        is_open: bool (n,), whether other partitions have a part of that region at their borders, too.
    """

    region: Labels
    area: Ints
    own: Ints
    root: Ints
    code: NDArray[np.uint16]
    is_open: Flags


class OpenRegions(NamedTuple):
    """The regions of a raster that several partitions have a part of, or meet at their borders.

    Attributes:
        key: int64 (n,), of the first pixel, ascending.
        code: uint16 (n,), class code.
        last: int32 (n,), the last of these partitions.
    """

    key: Ints
    code: NDArray[np.uint16]
    last: Labels


def merge_regions(folder: PartitionFolder, minimum: Floats, cancellation: Cancellation) -> OpenRegions:
    """Join and merge the regions of all partitions, and write what becomes of those of each.

    Args:
        folder: the measured partitions.
        minimum: pixels that a region of each code needs to stay.
        cancellation: checked between partitions.

    Raises:
        SourceError: a file is missing or damaged.
        OutputError: a file cannot be written.
    """
    windows = folder.windows
    shared, borders = _read_partitions(folder, cancellation)
    first_row = make_offsets([len(table.region) for table in shared])
    count = int(first_row[-1])
    pairs = [np.zeros((2, 0), np.int64), *_match_neighbours(folder, first_row, cancellation)]
    one, other = np.concatenate(pairs, axis=1)
    _, component = connected_components(coo_array((np.ones(one.size, np.bool_), (one, other)), shape=(count, count)))
    _, area, code, first = concatenate_tables(shared)
    # Regions are numbered from 1 in the order of their first pixels, as in one run.
    key = np.full(int(component.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(key, component, first)
    order = np.argsort(key)
    region = np.empty(key.size, np.int64)
    region[order] = np.arange(1, key.size + 1)
    region, key = region[component], np.concatenate(([-1], key[order]))
    code_of = np.zeros(key.size, np.uint16)
    code_of[region] = code
    offset = np.repeat(first_row[:-1], [len(table.one) for table in borders])
    both = concatenate_tables(borders)
    between = make_borders(region[both.one + offset], region[both.other + offset], both.length, key.size)
    minimum_of = minimum[code_of]
    minimum_of[0] = 0.0  # the outside takes no part
    target = find_targets(sum_by_label(region, area, key.size), minimum_of, code_of, minimum, between)

    root, partition = target[region], np.repeat(np.arange(len(windows)), np.diff(first_row))
    last = max_by_label(root, partition, key.size)
    lowest = np.full(key.size, len(windows))
    np.minimum.at(lowest, root, partition)
    is_open = lowest < last
    for number in range(len(windows)):
        cancellation.check()
        own = slice(first_row[number], first_row[number + 1])
        roots = root[own]
        table = MergedRegions(
            shared[number].region, area[own], key[region[own]], key[roots], code_of[roots], is_open[roots]
        )
        write_tables(folder.file(number, MERGED), {}, [table])
    kept = np.flatnonzero(is_open)
    return OpenRegions(key[kept], code_of[kept], last[kept])


def _read_partitions(
    folder: PartitionFolder, cancellation: Cancellation
) -> tuple[list[SharedRegions], list[SharedBorders]]:
    regions, borders = [], []
    for number in range(len(folder.windows)):
        cancellation.check()
        with open_tables(folder.file(number, MEASURED)) as file:
            regions.append(file.read(SharedRegions))
            borders.append(file.read(SharedBorders))
    return regions, borders


def _match_neighbours(folder: PartitionFolder, first_row: Ints, cancellation: Cancellation) -> Iterator[Ints]:
    """Yield pairs of rows (2, n) of neighbouring partitions that have a pixel in common."""
    for number in range(len(folder.windows)):
        cancellation.check()
        outside, inside = _read_lines(folder, number)
        for side, opposite, is_right in _ACROSS:
            other = number + (1 if is_right else folder.across)
            if not getattr(outside, side).size:
                continue
            other_outside, other_inside = _read_lines(folder, other)
            for here, there in ((outside, other_inside), (inside, other_outside)):
                pair = np.stack((getattr(here, side), getattr(there, opposite))).astype(np.int64)
                pair = np.unique(pair[:, (pair >= 0).all(axis=0)], axis=1)
                yield pair + first_row[[[number], [other]]]


def _read_lines(folder: PartitionFolder, number: int) -> tuple[SharedLines, SharedLines]:
    """Read the regions outside and inside of the sides of a partition."""
    with open_tables(folder.file(number, MEASURED)) as file:
        return file.read(SharedLines, 0), file.read(SharedLines, 1)
