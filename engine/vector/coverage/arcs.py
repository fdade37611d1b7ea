"""Arcs: the borders between two regions from node to node, traced in strips and joined where strips meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .arc_kernels import NODE, SEAM, corner_masks, guard_points, join_arcs, normalise_arcs, trace_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

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

    def take(self, index: Ints) -> Arcs:
        """Some of the arcs, in the order of ``index``."""
        sizes = np.diff(self.start)[index]
        start = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        offset = np.repeat(self.start[index] - start[:-1], sizes)
        points = self.points[np.arange(start[-1]) + offset]
        return Arcs(points, start, self.sides[index], self.corners[index], self.ways[index])


NO_ARCS = Arcs(
    np.zeros((0, 2), np.int32),
    np.zeros(1, np.int64),
    np.zeros((0, 2), np.int32),
    np.zeros((0, 2), np.int64),
    np.zeros((0, 4), np.int8),
)


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
    labels: Labels, above: Labels, row: int, pending: Arcs, *, last: bool, smooth: bool, guarded: bool
) -> StripArcs:
    """Trace the arcs of a strip and join them with those that the strip above left open.

    Args:
        labels: int32 (rows, columns), regions of the strip's pixels.
        above: int32 (columns,), regions of the row above it; zeros for the first strip.
        row: the strip's first row.
        pending: arcs with an open end on the seam above.
        last: whether the strip is the last.
        smooth: whether arcs will be cut at their corners.
        guarded: whether arcs will be simplified.
    """
    rows, cols = labels.shape
    window = np.zeros((rows + (2 if last else 1), cols + 2), np.int32)
    window[0, 1:-1] = above
    window[1 : rows + 1, 1:-1] = labels
    masks, kinds, ends, turns = corner_masks(window, row, row == 0, last, ANCHOR)
    traced = Arcs(*trace_arcs(window, masks, kinds, row, ends, turns))
    joined = _join(_settle(pending, kinds[0], row), traced)
    is_open = ((joined.ways[:, 2:] == SEAM) & (joined.corners // (cols + 1) == row + rows)).any(axis=1)
    body = slice(0, rows + 1 if last else rows)
    guards = guard_points(window, masks[body], kinds[body], row, smooth) if guarded else np.zeros((0, 2), np.int64)
    return StripArcs(joined.take(np.flatnonzero(~is_open)), joined.take(np.flatnonzero(is_open)), guards)


def _settle(pending: Arcs, kinds: NDArray[np.uint8], row: int) -> Arcs:
    """End those pending arcs whose open end turns out to be a node."""
    if not len(pending):
        return pending
    ways = pending.ways.copy()
    for side in (0, 1):
        at_row, at_col = np.divmod(pending.corners[:, side], len(kinds))
        is_node = (at_row == row) & (kinds[at_col] == NODE)
        ways[is_node & (ways[:, 2 + side] == SEAM), 2 + side] = NODE
    return replace(pending, ways=ways)


def _join(pending: Arcs, traced: Arcs) -> Arcs:
    """Join arcs that meet at seams."""
    if not len(pending):
        return traced
    both = Arcs(
        np.concatenate((pending.points, traced.points)),
        np.concatenate((pending.start, traced.start[1:] + pending.start[-1])),
        np.concatenate((pending.sides, traced.sides)),
        np.concatenate((pending.corners, traced.corners)),
        np.concatenate((pending.ways, traced.ways)),
    )
    corner = both.corners.ravel()
    seam = np.flatnonzero(both.ways[:, 2:].ravel() == SEAM)
    order = seam[np.argsort(corner[seam], kind="stable")]
    mates = np.full(corner.size, -1, np.int64)
    paired = np.flatnonzero(corner[order][1:] == corner[order][:-1])
    one, other = order[paired], order[paired + 1]
    mates[one], mates[other] = other, one
    return Arcs(*join_arcs(both.points, both.start, both.sides, both.corners, both.ways, mates))


def normalise(arcs: Arcs, width: int) -> Arcs:
    """Give arcs a direction and rings a first point that do not depend on the strips; ``width`` corners in a row."""
    points, sides, corners, ways = normalise_arcs(arcs.points, arcs.start, arcs.sides, arcs.corners, arcs.ways, width)
    return Arcs(points, arcs.start, sides, corners, ways)
