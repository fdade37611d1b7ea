"""Arcs: the borders between two regions from node to node, traced strip by strip and joined at the seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fs.spool import ArraySpool, SpooledArray
from ..arrays import Flags, Ints, Labels, make_offsets
from .breaks import Breaks
from .kernels.arcs import gather_points, join_arcs, normalize_arcs
from .kernels.boundaries import NODE, SEAM, find_constraint_points, find_corners, link_corners, trace_arcs
from .kernels.rings import link_rings

#: Bytes of arcs that an ``ArcBuffer`` keeps in memory for later blocks; more are written to disk.
BUFFER_BYTES = 64_000_000


class Arcs(NamedTuple):
    """Arcs between regions.

    Attributes:
        points: int32 (points, 2), column and row of the corners at which an arc begins, turns or ends.
        start: int64 (n + 1,), where each arc's points begin (and, last, end).
        sides: int32 (n, 2), the regions left and right in the direction of the arc.
        corners: int64 (n, 2), first and last corner as row * corner columns + column.
        ends: int8 (n, 4), the direction in which the arc leaves its first corner, the direction in which the reversed
            arc leaves its last corner, and the kinds of both corners (``PASS`` where a ring begins).
    """

    points: Labels
    start: Ints
    sides: Labels
    corners: Ints
    ends: NDArray[np.int8]

    @property
    def number(self) -> int:
        """The number of arcs."""
        return len(self.sides)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self)

    def take(self, index: Ints) -> Arcs:
        """Select arcs, in the order of ``index``."""
        points, start = gather_points(self.points, self.start, index)
        return Arcs(points, start, self.sides[index], self.corners[index], self.ends[index])

    def normalize(self, width: int) -> Arcs:
        """Give each arc a direction, and each ring a first point, that do not depend on the strips.

        Args:
            width: corners in a row.
        """
        points, sides, corners, ends = normalize_arcs(*self, width)
        return Arcs(points, self.start, sides, corners, ends)


NO_ARCS = Arcs(
    np.zeros((0, 2), np.int32),
    np.zeros(1, np.int64),
    np.zeros((0, 2), np.int32),
    np.zeros((0, 2), np.int64),
    np.zeros((0, 4), np.int8),
)


def concatenate_arcs(arcs: Sequence[Arcs]) -> Arcs:
    """Concatenate arcs; at least one item."""
    points, starts, *others = zip(*arcs, strict=True)
    start = make_offsets(np.concatenate([np.diff(start) for start in starts]))
    return Arcs(np.concatenate(points), start, *map(np.concatenate, others))


class LinkedRings(NamedTuple):
    """The rings of regions.

    Attributes:
        region: int32 (n,), the regions, ascending.
        first_half_edge: int64 (n,), where each region's half-edges begin.
        half_edge: int64, half-edges in the order of the rings; 2 * arc + side.
        ring_start: int64 (rings + 1,), where each ring begins in ``half_edge`` (and, last, ends).
        first_ring: int64 (n + 1,), where each region's rings begin.
    """

    region: Labels
    first_half_edge: Ints
    half_edge: Ints
    ring_start: Ints
    first_ring: Ints


def link_polygons(arcs: Arcs, is_linked: Flags) -> LinkedRings:
    """Link arcs to the rings of regions.

    Args:
        arcs: all arcs of the regions.
        is_linked: bool (n, 2), which of the regions on their sides are linked; at least one.
    """
    half_edge = np.flatnonzero(is_linked.ravel())
    region = arcs.sides.ravel()[half_edge]
    begin, direction = arcs.corners.ravel(), arcs.ends[:, :2].astype(np.int64).ravel()
    key = begin[half_edge] << 2 | direction[half_edge]
    order = np.lexsort((key, region))
    half_edge, key, region = half_edge[order], key[order], region[order]
    group = np.flatnonzero(np.concatenate(([True], region[1:] != region[:-1], [True])))
    opposite = half_edge ^ 1
    arrival = ((direction[opposite] + 2) & 3).astype(np.int8)
    linked, ring_start, first_ring = link_rings(group, key, begin[opposite], arrival)
    return LinkedRings(region[group[:-1]], group[:-1], half_edge[linked], ring_start, first_ring)


@dataclass(frozen=True)
class BoundaryEdges:
    """The vertical boundary edges of a strip.

    Attributes:
        first: int64 (rows + 1,), where the edges of each row begin (and, last, end).
        col: int32, the column of each.
        east: int32, the region east of it.
    """

    first: Ints
    col: Labels
    east: Labels

    @property
    def last_row(self) -> tuple[Labels, Labels]:
        """Columns of the edges of the last row, and the regions east of them."""
        return self.col[self.first[-2] :].copy(), self.east[self.first[-2] :].copy()


@dataclass(frozen=True)
class StripArcs:
    """The arcs traced in one strip.

    Attributes:
        complete: arcs that are complete.
        open: arcs with an open end on the seam below.
        constraints: int64 (n, 2), row and column in half pixels of the points at the strip's corners that no
            simplification may pass over.
    """

    complete: Arcs
    open: Arcs
    constraints: Ints


def trace_strip(
    edges: BoundaryEdges,
    above: tuple[Labels, Labels],
    row: int,
    width: int,
    open_arcs: Arcs,
    *,
    breaks: Breaks,
    is_last: bool,
    smooth: bool,
    simplify: bool,
) -> StripArcs:
    """Trace the arcs of a strip and join them with those that the strip above left open.

    Args:
        edges: the strip's boundary edges.
        above: the boundary edges of the row above it (``last_row``); none for the first strip.
        row: the strip's first row.
        width: corners in a row.
        open_arcs: arcs with an open end on the seam above.
        breaks: where arcs end.
        is_last: whether the strip is the last.
        smooth: whether arcs will be smoothed.
        simplify: whether arcs will be simplified, which needs the constraints.
    """
    end = row + len(edges.first) - 1
    position, quadrants = find_corners(edges.first, edges.col, edges.east, *above, row)
    links, masks, kinds = link_corners(position, quadrants, row, end, width - 1, row == 0, is_last, breaks)
    traced = Arcs(*trace_arcs(position, quadrants, links, masks, kinds, width))
    at_seam = (traced.ends[:, 2:] == SEAM).any(axis=1)
    top = slice(0, int(np.searchsorted(position[:, 0], row + 1)))
    is_node = np.zeros(width, np.bool_)
    is_node[position[top, 1][kinds[top] == NODE]] = True
    joined = _join_at_seam(_close_at_nodes(open_arcs, is_node, row), traced.take(np.flatnonzero(at_seam)))
    is_open = ((joined.ends[:, 2:] == SEAM) & (joined.corners // width == end)).any(axis=1)
    constraints = np.zeros((0, 2), np.int64)
    if simplify:
        body = slice(0, len(position) if is_last else int(np.searchsorted(position[:, 0], end)))
        constraints = find_constraint_points(position[body], quadrants[body], masks[body], kinds[body], smooth)
    return StripArcs(
        concatenate_arcs((traced.take(np.flatnonzero(~at_seam)), joined.take(np.flatnonzero(~is_open)))),
        joined.take(np.flatnonzero(is_open)),
        constraints,
    )


def _close_at_nodes(open_arcs: Arcs, is_node: Flags, row: int) -> Arcs:
    """Close those open ends on the seam above ``row`` that are nodes (bool by corner column)."""
    at_row, at_col = np.divmod(open_arcs.corners, len(is_node))
    ends = open_arcs.ends.copy()
    ends[:, 2:][(ends[:, 2:] == SEAM) & (at_row == row) & is_node[at_col]] = NODE
    return open_arcs._replace(ends=ends)


def _join_at_seam(open_arcs: Arcs, traced: Arcs) -> Arcs:
    """Join arcs whose ends meet at a seam."""
    if not open_arcs.number:
        return traced
    arcs = concatenate_arcs((open_arcs, traced))
    corner = arcs.corners.ravel()
    seam = np.flatnonzero(arcs.ends[:, 2:].ravel() == SEAM)
    order = seam[np.argsort(corner[seam], kind="stable")]
    partners = np.full(corner.size, -1, np.int64)
    pair = np.flatnonzero(corner[order][1:] == corner[order][:-1])
    a, b = order[pair], order[pair + 1]
    partners[a], partners[b] = b, a
    return Arcs(*join_arcs(*arcs, partners))


@dataclass
class _Block:
    """Arcs of the regions of one block, each with the sides (left, right) that are."""

    in_memory: list[tuple[Arcs, Flags]] = field(default_factory=list)
    on_disk: list[list[SpooledArray]] = field(default_factory=list)


class ArcBuffer:
    """Complete arcs, by the blocks of the regions on their sides.

    All regions of a block are assembled together when it has been traced. Arcs that wait for a later block are written
    to disk where memory would not do.

    Args:
        block_of: block of each region; -1 for those that get no polygon.
        spool: where arcs are written to.
    """

    def __init__(self, block_of: Labels, spool: ArraySpool) -> None:
        self._block_of, self._spool = block_of, spool
        self._blocks: dict[int, _Block] = {}
        self._waiting_bytes = 0

    def add(self, arcs: Arcs, current: int) -> None:
        """Add complete arcs; ``current`` is the block that is being traced."""
        if not arcs.number:
            return
        due = self._block_of[arcs.sides]
        for block in np.unique(due[due >= 0]).tolist():
            is_due = due == block
            index = np.flatnonzero(is_due[:, 0] | is_due[:, 1])
            selected = arcs if len(index) == arcs.number else arcs.take(index)
            self._blocks.setdefault(block, _Block()).in_memory.append((selected, is_due[index]))
            if block > current:
                self._waiting_bytes += selected.nbytes
        if self._waiting_bytes > BUFFER_BYTES:
            self._spool_later_blocks(current)

    def take(self, block: int) -> tuple[Arcs, Flags] | None:
        """Remove the arcs of all regions of a block, with the sides that are; None where there are none."""
        # The next block is traced from now on, so its arcs wait no longer.
        self._waiting_bytes -= sum(arcs.nbytes for arcs, _ in self._blocks.get(block + 1, _Block()).in_memory)
        taken = self._blocks.pop(block, None)
        if taken is None:
            return None
        parts = []
        for spooled in taken.on_disk:
            *arrays, sides = self._spool.read(spooled)
            parts.append((Arcs(*arrays), sides))
        parts += taken.in_memory
        return concatenate_arcs([arcs for arcs, _ in parts]), np.concatenate([sides for _, sides in parts])

    def _spool_later_blocks(self, current: int) -> None:
        for number, block in self._blocks.items():
            if number > current:
                block.on_disk += [self._spool.append((*arcs, sides)) for arcs, sides in block.in_memory]
                block.in_memory.clear()
        self._waiting_bytes = 0
