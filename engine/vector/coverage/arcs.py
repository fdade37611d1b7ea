"""Arcs: the borders between two regions from node to node, traced in strips and joined where strips meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .kernels.arcs import gather_points, join_arcs, normalise_arcs
from .kernels.boundaries import NODE, SEAM, find_corners, guard_points, link_corners, trace_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]

#: Arcs that come from above end at the corners of every so many rows of the raster, whatever the strips are. So no
#: arc is longer than the window in which its surroundings are known.
ANCHOR = 2048


@dataclass(frozen=True)
class Arcs:
    """Arcs between regions.

    Attributes:
        points: int32 (points, 2), column and row of the corners at which an arc begins, turns or ends.
        start: int64 (n + 1,), where each arc's points begin (and, last, end).
        sides: int32 (n, 2), the regions left and right in the direction of the arc.
        corners: int64 (n, 2), first and last corner as row * corner columns + column.
        ways: int8 (n, 4), the direction in which the arc leaves its first corner, that in which it leaves its last,
            going back, and the kinds of both corners (``PASS`` for the corner at which a ring begins).
    """

    points: Labels
    start: Ints
    sides: Labels
    corners: Ints
    ways: NDArray[np.int8]

    def __len__(self) -> int:
        """The number of arcs."""
        return len(self.sides)

    @property
    def arrays(self) -> tuple[Labels, Ints, Labels, Ints, NDArray[np.int8]]:
        """All arrays, in the order of the fields."""
        return self.points, self.start, self.sides, self.corners, self.ways

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(array.nbytes for array in self.arrays)

    def take(self, index: Ints) -> Arcs:
        """Some of the arcs, in the order of ``index``."""
        points, start = gather_points(self.points, self.start, index)
        return Arcs(points, start, self.sides[index], self.corners[index], self.ways[index])


def concatenate(parts: Sequence[Arcs]) -> Arcs:
    """All arcs of some parts; one part at least."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0] + [len(part.points) for part in parts])
    starts = [part.start[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
    return Arcs(
        np.concatenate([part.points for part in parts]),
        np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
        np.concatenate([part.sides for part in parts]),
        np.concatenate([part.corners for part in parts]),
        np.concatenate([part.ways for part in parts]),
    )


NO_ARCS = Arcs(
    np.zeros((0, 2), np.int32),
    np.zeros(1, np.int64),
    np.zeros((0, 2), np.int32),
    np.zeros((0, 2), np.int64),
    np.zeros((0, 4), np.int8),
)


@dataclass(frozen=True)
class Cracks:
    """The upright cracks of a strip.

    Attributes:
        first: int64 (rows + 1,), where the cracks of each row begin (and, last, end).
        col: int32, the column of each.
        east: int32, the region east of it.
    """

    first: Ints
    col: Labels
    east: Labels

    @property
    def last_row(self) -> tuple[Labels, Labels]:
        """Columns and regions of the cracks of the last row."""
        return self.col[self.first[-2] :].copy(), self.east[self.first[-2] :].copy()


@dataclass(frozen=True)
class StripArcs:
    """What tracing one strip gives.

    Attributes:
        whole: arcs that are complete.
        pending: arcs with an open end on the seam below.
        guards: int64 (n, 2), row and column in half pixels of all vertices at the strip's corners.
    """

    whole: Arcs
    pending: Arcs
    guards: Ints


def trace_strip(
    cracks: Cracks,
    above: tuple[Labels, Labels],
    row: int,
    width: int,
    pending: Arcs,
    *,
    last: bool,
    smooth: bool,
    guarded: bool,
) -> StripArcs:
    """Trace the arcs of a strip and join them with those that the strip above left open.

    Args:
        cracks: the strip's upright cracks.
        above: the cracks of the row above it; none for the first strip.
        row: the strip's first row.
        width: corners in a row.
        pending: arcs with an open end on the seam above.
        last: whether the strip is the last.
        smooth: whether arcs will be cut at their corners.
        guarded: whether arcs will be simplified.
    """
    end = row + len(cracks.first) - 1
    place, around = find_corners(cracks.first, cracks.col, cracks.east, *above, row)
    along, masks, kinds = link_corners(place, around, row, end, width - 1, row == 0, last, ANCHOR)
    traced = Arcs(*trace_arcs(place, around, along, masks, kinds, width))
    at_seam = (traced.ways[:, 2:] == SEAM).any(axis=1)
    top = slice(0, int(np.searchsorted(place[:, 0], row + 1)))
    settled = _settle(pending, place[top, 1], kinds[top], row, width)
    joined = _join(settled, traced.take(np.flatnonzero(at_seam)))
    is_open = ((joined.ways[:, 2:] == SEAM) & (joined.corners // width == end)).any(axis=1)
    guards = np.zeros((0, 2), np.int64)
    if guarded:
        body = slice(0, len(place) if last else int(np.searchsorted(place[:, 0], end)))
        guards = guard_points(place[body], around[body], masks[body], kinds[body], smooth)
    return StripArcs(
        concatenate((traced.take(np.flatnonzero(~at_seam)), joined.take(np.flatnonzero(~is_open)))),
        joined.take(np.flatnonzero(is_open)),
        guards,
    )


def _settle(pending: Arcs, col: Labels, kinds: NDArray[np.uint8], row: int, width: int) -> Arcs:
    """End those pending arcs whose open end turns out to be a node.

    Args:
        pending: the arcs.
        col: columns of the corners of the seam.
        kinds: their kinds.
        row: row of the seam.
        width: corners in a row.
    """
    if not len(pending):
        return pending
    is_node = np.zeros(width, np.bool_)
    is_node[col[kinds == NODE]] = True
    at_row, at_col = np.divmod(pending.corners, width)
    ways = pending.ways.copy()
    ways[:, 2:][(ways[:, 2:] == SEAM) & (at_row == row) & is_node[at_col]] = NODE
    return replace(pending, ways=ways)


def _join(pending: Arcs, traced: Arcs) -> Arcs:
    """Join arcs that meet at seams."""
    if not len(pending):
        return traced
    both = concatenate((pending, traced))
    corner = both.corners.ravel()
    seam = np.flatnonzero(both.ways[:, 2:].ravel() == SEAM)
    order = seam[np.argsort(corner[seam], kind="stable")]
    mates = np.full(corner.size, -1, np.int64)
    paired = np.flatnonzero(corner[order][1:] == corner[order][:-1])
    one, other = order[paired], order[paired + 1]
    mates[one], mates[other] = other, one
    return Arcs(*join_arcs(*both.arrays, mates))


def normalise(arcs: Arcs, width: int) -> Arcs:
    """Give arcs a direction and rings a first point that do not depend on the strips; ``width`` corners in a row."""
    points, sides, corners, ways = normalise_arcs(*arcs.arrays, width)
    return Arcs(points, arcs.start, sides, corners, ways)
