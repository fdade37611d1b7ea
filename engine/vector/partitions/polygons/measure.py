"""Label one partition of a class raster, and list the regions that have to be compared with those of others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ....context import Cancellation
from ...arrays import Flags, Floats, Ints, Labels
from ...coverage.codes import CodeSource
from ...coverage.regions import RegionMap, Regions, find_regions, make_borders
from ...roads.centerlines import Tile
from .halo import BorderLines, Halo, list_foreign_pixels, list_foreign_sides, read_border_lines


class SharedRegions(NamedTuple):
    """The regions of a partition whose future is not decided by the partition alone.

    These are the regions at its borders; those below the minimum mapping unit that are connected with them by such
    regions; and their neighbours.

    Attributes:
        region: int32 (n,), number of the region in the partition, ascending.
        area: int64 (n,), pixels in the partition.
        code: uint16 (n,), class code.
        first: int64 (n,), key of the first pixel in the partition and the pixels around it, see ``pixel_keys``.
    """

    region: Labels
    area: Ints
    code: NDArray[np.uint16]
    first: Ints


class SharedBorders(NamedTuple):
    """Borders of ``SharedRegions``, of which one side may be below the minimum mapping unit.

    Attributes:
        one: int32 (n,), index of a region in ``SharedRegions``.
        other: int32 (n,), that of its neighbour, which is higher.
        length: int64 (n,), in pixel sides.
    """

    one: Labels
    other: Labels
    length: Ints


class SharedLines(NamedTuple):
    """Regions along the four sides of a partition, see ``BorderLines``; indices in ``SharedRegions``, or -1."""

    top: Labels
    bottom: Labels
    left: Labels
    right: Labels


class MeasuredPartition(NamedTuple):
    """What a partition tells the others."""

    regions: SharedRegions
    borders: SharedBorders
    outside: SharedLines
    inside: SharedLines


def measure_partition(
    source: CodeSource, halo: Halo, minimum: Floats, strip_rows: int, cancellation: Cancellation
) -> MeasuredPartition:
    """Label a partition and list what others have to know of it.

    Args:
        source: the codes of the outer window of the partition.
        halo: the partition.
        minimum: pixels that a region of each code needs to stay, see ``minimum_pixels``.
        strip_rows: rows that are labelled at a time.
        cancellation: checked between strips.
    """
    regions, region_map, borders = label_partition(source, minimum, strip_rows, cancellation)
    lines = read_border_lines(source, region_map, halo)
    count = len(regions.area)
    area = regions.area - sum(np.bincount(line, minlength=count) for line in list_foreign_pixels(lines, halo))
    borders = _subtract_foreign(borders, lines, halo)
    is_at_border = np.zeros(count, np.bool_)
    for line in (*lines.outside, *lines.inside):
        is_at_border[line] = True
    may_merge = area < minimum[regions.code]
    is_at_border[0] = may_merge[0] = False
    is_open = _find_open(borders, may_merge, is_at_border)
    shared = np.flatnonzero(is_at_border | is_open | _find_neighbours(borders, is_open))

    number = np.full(count, -1, np.int32)
    number[shared] = np.arange(shared.size)
    entries = borders.tocoo()
    one, other = entries.coords
    is_told = (one < other) & (is_open[one] | is_open[other])
    table = SharedBorders(number[one[is_told]], number[other[is_told]], entries.data[is_told])
    outside, inside = (SharedLines(*(number[line] for line in side)) for side in lines)
    first = make_keys(regions.first[shared], halo.outer)
    told = SharedRegions(shared.astype(np.int32), area[shared], regions.code[shared], first)
    return MeasuredPartition(told, table, outside, inside)


def label_partition(
    source: CodeSource, minimum: Floats, strip_rows: int, cancellation: Cancellation
) -> tuple[Regions, RegionMap, csr_array]:
    """Label the outer window of a partition; see ``find_regions``."""
    return find_regions(source, strip_rows, float(minimum.max()), lambda _: cancellation.check())


def make_keys(first: Labels, outer: Tile) -> Ints:
    """Return the keys in the raster of pixels (n, 2; row and column) in a window, see ``pixel_keys``."""
    row, col = first.T.astype(np.int64)
    return np.asarray(row + outer.row << 32 | col + outer.col, np.int64)


def _subtract_foreign(borders: csr_array, lines: BorderLines, halo: Halo) -> csr_array:
    """Subtract the sides of pixels that belong to other partitions from the lengths of borders."""
    pairs = [np.zeros((2, 0), np.int32), *map(np.stack, list_foreign_sides(lines, halo))]
    one, other = np.concatenate(pairs, axis=1)
    is_inside = (one > 0) & (other > 0)
    one, other = one[is_inside], other[is_inside]
    own = csr_array(borders + make_borders(one, other, np.full(one.size, -1, np.int64), borders.shape[0]))
    # Borders between two large regions were left out before.
    own.data[own.data < 0] = 0
    own.eliminate_zeros()
    return own


def _find_open(borders: csr_array, may_merge: Flags, is_at_border: Flags) -> Flags:
    """Find the regions that may merge and are connected, by such regions, with one at a border."""
    members = np.flatnonzero(may_merge)
    _, cluster = connected_components(borders[members][:, members], directed=False)
    is_open_cluster = np.zeros(members.size, np.bool_)
    is_open_cluster[cluster[is_at_border[members]]] = True
    is_open = np.zeros(may_merge.size, np.bool_)
    is_open[members] = is_open_cluster[cluster]
    return is_open


def _find_neighbours(borders: csr_array, is_member: Flags) -> Flags:
    """Find the regions that have a border with one of some regions."""
    found = np.zeros(is_member.size, np.bool_)
    members = borders[np.flatnonzero(is_member)]
    found[members.indices] = True
    return found
