"""Join the regions of all partitions over their borders, and merge those below the minimum mapping unit among them.

Only numbers are in memory: a row for each region at a border, or whose merging depends on one at a border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ....context import Cancellation
from ...arrays import Flags, Floats, Ints, Labels
from ...coverage.kernels.mmu import merge_small_regions
from ...roads.centerlines import Tile
from .measure import SharedBorders, SharedLines, SharedRegions
from .storage import open_tables, write_tables

#: Names of tables in the files.
REGIONS, BORDERS, OUTSIDE, INSIDE, MERGED, OPEN = "regions", "borders", "outside", "inside", "merged", "open"
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


def merge_regions(
    windows: Sequence[Tile],
    measured: Callable[[int], Path],
    merged: Callable[[int], Path],
    minimum: Floats,
    cancellation: Cancellation,
) -> OpenRegions:
    """Join and merge the regions of all partitions, and write what becomes of those of each.

    Args:
        windows: the partitions, row by row.
        measured: returns the file of a ``MeasuredPartition``.
        merged: returns the file to write for a partition.
        minimum: pixels that a region of each code needs to stay.
        cancellation: checked between partitions.

    Raises:
        SourceError: a file is missing or damaged.
        OutputError: a file cannot be written.
    """
    shared, borders = _read_partitions(len(windows), measured, cancellation)
    first_row = np.cumsum([0, *(len(table.region) for table in shared)])
    count = int(first_row[-1])
    pairs = [np.zeros((2, 0), np.int64), *_match_neighbours(windows, measured, first_row, cancellation)]
    one, other = np.concatenate(pairs, axis=1)
    _, component = connected_components(coo_array((np.ones(one.size, np.bool_), (one, other)), shape=(count, count)))
    area, code, first = (np.concatenate([getattr(t, name) for t in shared]) for name in ("area", "code", "first"))
    # Regions are numbered from 1 in the order of their first pixels, as in one run.
    key = np.full(int(component.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(key, component, first)
    order = np.argsort(key)
    region = np.empty(key.size, np.int64)
    region[order] = np.arange(1, key.size + 1)
    region, key = region[component], np.concatenate(([-1], key[order]))
    code_of = np.zeros(key.size, np.uint16)
    code_of[region] = code
    area_of = np.zeros(key.size, np.int64)
    np.add.at(area_of, region, area)
    offset = np.repeat(first_row[:-1], [len(table.one) for table in borders])
    sides = [np.concatenate([getattr(table, name) for table in borders]) + offset for name in ("one", "other")]
    length = np.concatenate([table.length for table in borders])
    target = _merge(area_of, code_of, minimum, [region[side] for side in sides], length)

    root, partition = target[region], np.repeat(np.arange(len(windows)), np.diff(first_row))
    last = np.zeros(key.size, np.int32)
    np.maximum.at(last, root, partition)
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
        write_tables(merged(number), {}, [(MERGED, table)])
    kept = np.flatnonzero(is_open)
    return OpenRegions(key[kept], code_of[kept], last[kept])


def _read_partitions(
    count: int, measured: Callable[[int], Path], cancellation: Cancellation
) -> tuple[list[SharedRegions], list[SharedBorders]]:
    regions, borders = [], []
    for number in range(count):
        cancellation.check()
        with open_tables(measured(number)) as file:
            regions.append(file.read(SharedRegions, REGIONS))
            borders.append(file.read(SharedBorders, BORDERS))
    return regions, borders


def _match_neighbours(
    windows: Sequence[Tile], measured: Callable[[int], Path], first_row: Ints, cancellation: Cancellation
) -> Iterator[Ints]:
    """Yield pairs of rows (2, n) of neighbouring partitions that have a pixel in common."""
    across = sum(window.row == windows[0].row for window in windows)
    for number in range(len(windows)):
        cancellation.check()
        with open_tables(measured(number)) as file:
            own = file.read(SharedLines, OUTSIDE), file.read(SharedLines, INSIDE)
        for side, opposite, is_right in _ACROSS:
            other = number + (1 if is_right else across)
            if not getattr(own[0], side).size:
                continue
            with open_tables(measured(other)) as file:
                theirs = file.read(SharedLines, INSIDE), file.read(SharedLines, OUTSIDE)
            for here, there in zip(own, theirs, strict=True):
                pair = np.stack((getattr(here, side), getattr(there, opposite))).astype(np.int64)
                pair = np.unique(pair[:, (pair >= 0).all(axis=0)], axis=1)
                yield pair + first_row[[[number], [other]]]


def _merge(area: Ints, code: NDArray[np.uint16], minimum: Floats, sides: Sequence[Ints], length: Ints) -> Ints:
    """Return the region into which each region is merged, given the borders between them."""
    one, other = sides
    is_border = one != other
    one, other, length = one[is_border], other[is_border], length[is_border]
    ends = np.concatenate((one, other)), np.concatenate((other, one))
    borders = coo_array((np.tile(length, 2), ends), shape=(area.size, area.size)).tocsr()
    first, neighbour = borders.indptr.astype(np.int64), borders.indices.astype(np.int32)
    own = minimum[code]
    own[0] = 0.0  # the outside takes no part
    target = merge_small_regions(area, own, code, minimum, first, neighbour, borders.data.astype(np.int64))
    return np.asarray(target, np.int64)
