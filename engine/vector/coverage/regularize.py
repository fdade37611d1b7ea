"""Regularize regions: give their borders straight walls and right angles, and let their neighbours follow.

A ring of a region is fitted alone. Its arcs are shared with its neighbours, and arcs of others that end on it follow
to where their node has moved. Then everything nearby is compared: a ring keeps its simplified arcs where its walls
would touch or pass over another border. So the result is always a coverage.

Arcs wait in bands of rows, at whose borders they end, whatever the strips are. Two bands are looked at together, so
that the surroundings of every region are known that is decided there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..arrays import Flags, Floats, Ints, Labels, find_sorted, make_offsets
from .arcs import NO_ARCS, Arcs, LinkedRings, concatenate_arcs, link_polygons
from .detours import lead_around
from .kernels.arcs import gather_points
from .kernels.boundaries import NODE
from .kernels.conflicts import find_conflicts
from .kernels.rectify import rectify_rings
from .kernels.rings import gather_ring_points
from .simplify import UNITS

#: So many points of an arc that ends at a ring are looked at to find where it meets the walls.
_MAX_TAIL = 16


@dataclass(frozen=True)
class Regularization:
    """Which regions are regularized, and how far.

    Attributes:
        rank: int64, by region: 0 for one that is not regularized; where two touch, the one with the lower rank is.
        last: last row of each region.
        reach: largest distance between old and new borders, in pixels.
        scale: returns the sizes (n, 2), along rows and along columns, of the pixels at some points (n, 2), relative to
            those that ``reach`` counts.
    """

    rank: Ints
    last: Labels
    reach: float
    scale: Callable[[Floats], Floats]


class _Band(NamedTuple):
    """Arcs that begin in a band of rows.

    Attributes:
        raw: at the edges of the pixels; those of regions that are not regularized have no points.
        arcs: simplified, on the lattice.
        is_moved: bool (n, 2), which ends of them were moved.
    """

    raw: Arcs
    arcs: Arcs
    is_moved: Flags

    def take(self, index: Ints) -> _Band:
        """Select arcs, in the order of ``index``."""
        return _Band(self.raw.take(index), self.arcs.take(index), self.is_moved[index])


def _concatenate(bands: Sequence[_Band]) -> _Band:
    """Concatenate bands; at least one."""
    raw, arcs, is_moved = zip(*bands, strict=True)
    return _Band(concatenate_arcs(raw), concatenate_arcs(arcs), np.concatenate(is_moved))


class _Fit(NamedTuple):
    """The walls of rings, by half-edge: their points, the new positions of their nodes, and what is dropped there.

    Attributes:
        ending: end of the arc of others that is shortened at each node, 2 * arc + end; -1 for none.
        moved: (half-edges, 3), the new position, and how many points behind that end are dropped.
    """

    rings: LinkedRings
    ending: Ints
    is_right: Flags
    points: Labels
    start: Ints
    moved: Labels


class Regularizer:
    """Regularize arcs that are added strip by strip.

    Args:
        regularization: regions and limits.
        shape: rows and columns of the raster.
        break_rows: height of a band of rows, see ``Breaks``.
        rows: first row of the arcs that will be added, at which a band begins, and row behind the last one; None for
            all rows of the raster.

    Attributes:
        settled_rows: row of the raster above which all arcs were returned.
    """

    def __init__(
        self,
        regularization: Regularization,
        shape: tuple[int, int],
        break_rows: int,
        rows: tuple[int, int] | None = None,
    ) -> None:
        self.settled_rows, self._end = rows or (0, shape[0])
        self._shape, self._regularization, self._height = shape, regularization, break_rows
        self._bands: dict[int, list[_Band]] = {}
        self._window = self.settled_rows // break_rows
        self._last_band = self._end // break_rows
        self._was_released = np.zeros(len(regularization.rank), np.bool_)

    def add(self, raw: Arcs, arcs: Arcs, end: int) -> Iterator[Arcs]:
        """Add the complete arcs of a strip, and return those that are settled.

        Args:
            raw: with points at the corners of pixels.
            arcs: the same, simplified, on the lattice.
            end: row behind the strip.
        """
        if raw.number:
            is_needed = (self._regularization.rank[raw.sides] > 0).any(axis=1)
            band_of = np.minimum.reduceat(raw.points[:, 1], raw.start[:-1]) // self._height
            for band in np.unique(band_of).tolist():
                index = np.flatnonzero(band_of == band)
                kept = _drop_points(raw.take(index), is_needed[index])
                added = _Band(kept, arcs.take(index), np.zeros((len(index), 2), np.bool_))
                self._bands.setdefault(band, []).append(added)
        is_last = end == self._end
        while self._window <= self._last_band and (is_last or (self._window + 2) * self._height < end):
            yield self._settle()

    def _settle(self) -> Arcs:
        """Regularize in two bands and return the arcs of the first."""
        bands = [self._take(self._window), self._take(self._window + 1)]
        both = _concatenate(bands)
        for rank in range(1, int(self._regularization.rank.max()) + 1):
            both = self._regularize(both, rank)
        first = np.arange(bands[0].arcs.number)
        rest = np.arange(bands[0].arcs.number, both.arcs.number)
        self._window += 1
        if rest.size:
            self._bands[self._window] = [both.take(rest)]
        released = both.arcs.take(first)
        self._was_released[released.sides] = True
        self.settled_rows = min(self._window * self._height, self._end)
        return released

    def _take(self, band: int) -> _Band:
        """Remove the arcs of a band, in an order that does not depend on the strips."""
        parts = self._bands.pop(band, [])
        if not parts:
            return _Band(NO_ARCS, NO_ARCS, np.zeros((0, 2), np.bool_))
        joined = _concatenate(parts)
        return joined.take(np.lexsort((joined.arcs.ends[:, 0], joined.arcs.corners[:, 0])))

    def _regularize(self, band: _Band, rank: int) -> _Band:
        """Regularize the regions of one rank whose surroundings are known."""
        is_chosen = self._choose(band, rank)[band.arcs.sides]
        if not is_chosen.any():
            return band
        rings = link_polygons(band.arcs, is_chosen)
        fit = self._fit(band, rings)
        accepted = fit.is_right & _have_free_nodes(band, rings)
        rebuilt = _Rebuilt.make(band.arcs, fit)
        # The frame of the raster stays, and islands are not pressed together.
        may_be_led = ~_find_frame(band.arcs, self._shape) & (band.arcs.corners[:, 0] != band.arcs.corners[:, 1])
        while True:
            arcs, is_moved = rebuilt.apply(accepted)
            is_conflict = _find_conflicts(arcs, is_moved)
            arcs, is_led = rebuilt.lead_around(arcs, is_conflict, may_be_led, accepted, self._regularization.reach)
            if is_led.any():
                is_moved |= is_led[:, None]
                is_conflict = _find_conflicts(arcs, is_moved)
                if (is_conflict & is_led).any():
                    may_be_led &= ~(is_conflict & is_led)
                    continue
            rejected = rebuilt.find_rejected(arcs, is_conflict, accepted)
            if not (rejected & accepted).any():
                return band._replace(arcs=arcs, is_moved=band.is_moved | is_moved)
            accepted &= ~rejected

    def _choose(self, band: _Band, rank: int) -> Flags:
        """Choose the regions of a rank, bool by region, that lie in this window with all that may be near them."""
        regularization, margin = self._regularization, math.ceil(self._regularization.reach) + 2
        is_chosen: Flags = (regularization.rank == rank) & ~self._was_released
        has_points = np.diff(band.raw.start) > 0
        if not has_points.any():
            return np.zeros_like(is_chosen)
        top = np.full(len(is_chosen), self._shape[0])
        arc_top = np.minimum.reduceat(band.raw.points[:, 1], band.raw.start[:-1][has_points])
        np.minimum.at(top, band.raw.sides[has_points], arc_top[:, None])
        is_chosen &= np.maximum(top - margin, 0) // self._height == self._window
        lowest = (self._window + 2) * self._height
        if lowest <= self._shape[0]:
            is_chosen &= regularization.last + 1 + margin <= lowest
        return is_chosen

    def _fit(self, band: _Band, rings: LinkedRings) -> _Fit:
        """Fit walls to rings."""
        corner = band.raw.points[band.raw.start[rings.half_edge[rings.ring_start[:-1]] >> 1]]
        scale = self._regularization.scale(corner.astype(np.float64))
        has_node = band.raw.ends[:, 2] == NODE
        reach = self._regularization.reach
        tails, ending = _find_tails(band.arcs, rings)
        fitted = rectify_rings(
            rings.half_edge,
            rings.ring_start,
            band.raw.points,
            band.raw.start,
            has_node,
            tails,
            scale,
            self._shape,
            reach,
            UNITS,
        )
        return _Fit(rings, ending, *fitted)


def _drop_points(arcs: Arcs, is_kept: Flags) -> Arcs:
    """Drop the points of the arcs that are not kept; the arcs stay."""
    sizes = np.diff(arcs.start)
    start = make_offsets(np.where(is_kept, sizes, 0))
    return arcs._replace(points=arcs.points[np.repeat(is_kept, sizes)], start=start)


def _find_nodes(arcs: Arcs, rings: LinkedRings) -> Ints:
    """Find at the beginning of which half-edge of some rings each end of an arc is, by its index there; -1 for none."""
    corner = arcs.corners.ravel()[rings.half_edge]
    order = np.argsort(corner, kind="stable")
    found, is_there = find_sorted(corner[order], arcs.corners)
    return np.where(is_there, order[found], -1)


def _find_tails(arcs: Arcs, rings: LinkedRings) -> tuple[Floats, Ints]:
    """Find the arcs of others that end at the beginnings of the half-edges of rings.

    Returns:
        Their points, in pixels, from that end on, (half-edges, _MAX_TAIL, 2), filled up with NaN; the first one alone
        where several arcs end. The end of the only arc by half-edge, 2 * arc + end; -1 for none.
    """
    node = _find_nodes(arcs, rings)
    node[rings.half_edge >> 1] = -1
    ends = np.flatnonzero(node.ravel() >= 0)
    number, first, count = np.unique(node.ravel()[ends], return_index=True, return_counts=True)
    arc, is_last = ends[first] >> 1, ends[first] & 1
    at = np.where(is_last, arcs.start[arc + 1] - 1, arcs.start[arc])
    point = at[:, None] + np.arange(_MAX_TAIL) * np.where(is_last, -1, 1)[:, None]
    is_inside = (point >= arcs.start[arc][:, None]) & (point < arcs.start[arc + 1][:, None])
    is_inside[count > 1, 1:] = False
    tails, ending = np.full((len(rings.half_edge), _MAX_TAIL, 2), np.nan), np.full(len(rings.half_edge), -1)
    tails[number] = np.where(is_inside[..., None], arcs.points[np.where(is_inside, point, 0)], np.nan)
    ending[number[count == 1]] = ends[first[count == 1]]
    return tails / UNITS, ending


def _find_frame(arcs: Arcs, shape: tuple[int, int]) -> Flags:
    """Find arcs, bool (n,), that may lie on the frame of the raster: they have two points there."""
    x, y = arcs.points.T
    on_frame = (x == 0) | (x == shape[1] * UNITS) | (y == 0) | (y == shape[0] * UNITS)
    return np.asarray(np.add.reduceat(on_frame.astype(np.int64), arcs.start[:-1]) > 1)


def _find_conflicts(arcs: Arcs, is_moved: Flags) -> Flags:
    """Find arcs, bool (n,), that meet others elsewhere than at their nodes, where those of moved ends may."""
    vertex = -1 - np.arange(len(arcs.points))
    vertex[arcs.start[:-1]], vertex[arcs.start[1:] - 1] = arcs.corners.T
    return find_conflicts(arcs.points, arcs.start, vertex, is_moved.any(axis=1))


def _have_free_nodes(band: _Band, rings: LinkedRings) -> Flags:
    """Whether no node of a ring, bool (rings,), is one of another ring, or was moved before."""
    corner = band.arcs.corners.ravel()[rings.half_edge]
    _, inverse, count = np.unique(corner, return_inverse=True, return_counts=True)
    is_taken = (count[inverse] > 1) | band.is_moved[rings.half_edge >> 1].any(axis=1)
    return np.asarray(np.add.reduceat(is_taken.astype(np.int64), rings.ring_start[:-1]) == 0)


@dataclass(frozen=True)
class _Rebuilt:
    """Arcs of a window with and without the walls of each ring.

    Attributes:
        arcs: as they were.
        fit: the walls.
        position: int64 (n,), the half-edge of ``fit`` that each arc is, by its index there; -1 for none.
        end: int64 (n, 2), the half-edge of ``fit`` at whose node each end of an arc is, likewise.
        ring: int64 (half-edges + 1,), the ring of each half-edge of ``fit``, and -1.
        dropped: int64 (n, 2), how many points behind each end of an arc lie before the walls that it meets.
    """

    arcs: Arcs
    fit: _Fit
    position: Ints
    end: Ints
    ring: Ints
    dropped: Ints

    @classmethod
    def make(cls, arcs: Arcs, fit: _Fit) -> _Rebuilt:
        """Find which arcs belong to the rings or end at them."""
        half_edge = fit.rings.half_edge
        position = np.full(arcs.number, -1)
        position[half_edge >> 1] = np.arange(len(half_edge))
        end = _find_nodes(arcs, fit.rings)
        ring = np.repeat(np.arange(len(fit.is_right)), np.diff(fit.rings.ring_start))
        dropped = np.zeros((arcs.number, 2), np.int64)
        dropped.ravel()[fit.ending[fit.ending >= 0]] = fit.moved[fit.ending >= 0, 2]
        dropped[dropped.sum(axis=1) + 2 > np.diff(arcs.start)] = 0
        return cls(arcs, fit, position, end, np.append(ring, -1), dropped)

    def apply(self, accepted: Flags) -> tuple[Arcs, Flags]:
        """Return the arcs with the walls of the accepted rings, and which ends of them (n, 2) are moved or walls."""
        is_accepted = np.append(accepted, False)  # of no ring
        is_wall, is_moved = is_accepted[self.ring[self.position]], is_accepted[self.ring[self.end]]
        pool = np.concatenate((self.arcs.points, self.fit.points))
        pool_start = np.concatenate((self.arcs.start, self.fit.start[1:] + len(self.arcs.points)))
        index = np.where(is_wall, self.arcs.number + self.position, np.arange(self.arcs.number))
        points, start = gather_points(pool, pool_start, index)
        keep = np.ones(len(points), np.bool_)
        for side, at in enumerate((start[:-1], start[1:] - 1)):
            is_third = is_moved[:, side] & ~is_wall
            points[at[is_third]] = self.fit.moved[self.end[is_third, side], :2]
            for step in range(1, _MAX_TAIL):
                is_dropped = is_third & (self.dropped[:, side] >= step)
                keep[at[is_dropped] + (-step if side else step)] = False
        start = make_offsets(keep)[start]
        return self.arcs._replace(points=points[keep], start=start), is_moved | is_wall[:, None]

    def lead_around(
        self, arcs: Arcs, is_conflict: Flags, may_be_led: Flags, accepted: Flags, reach: float
    ) -> tuple[Arcs, Flags]:
        """Lead arcs of others that are in conflict around the walls that are; return also which, bool (n,), were."""
        is_wall = np.append(accepted, False)[self.ring[self.position]]
        rings = np.unique(self.ring[self.position[is_conflict & is_wall]])
        outlines = _make_outlines(arcs, self.fit.rings, rings)
        # Regions are on the left of their half-edges: clockwise around a region, the other way around its holes.
        is_outer = ~shapely.is_ccw(shapely.get_exterior_ring(outlines))
        return lead_around(arcs, is_conflict & ~is_wall & may_be_led, outlines[is_outer], reach * UNITS)

    def find_rejected(self, arcs: Arcs, is_conflict: Flags, accepted: Flags) -> Flags:
        """Find the rings whose walls, or arcs that end on them, touch or pass over another border."""
        rejected = np.zeros(len(accepted) + 1, np.bool_)
        rejected[self.ring[self.position[is_conflict]]] = True
        if not (rejected[:-1] & accepted).any():  # arcs that end at a ring are to blame, not the walls
            rejected[self.ring[self.end[is_conflict]].ravel()] = True
        rejected[self._find_swaps(arcs, np.flatnonzero(accepted))] = True
        return rejected[:-1]

    def _find_swaps(self, arcs: Arcs, rings: Ints) -> Ints:
        """Find which of some rings have another arc on another side than before."""
        pairs = []
        for state in (self.arcs, arcs):
            middle = (state.start[:-1] + state.start[1:] - 1) // 2
            points = shapely.points((state.points[middle] + state.points[middle + 1]) / 2)
            outlines = _make_outlines(state, self.fit.rings, rings)
            arc, number = shapely.STRtree(outlines).query(points, predicate="intersects")
            is_other = self.ring[self.position[arc]] != rings[number]
            pairs.append(rings[number[is_other]] * arcs.number + arc[is_other])
        return np.asarray(np.setxor1d(*pairs) // arcs.number)


def _make_outlines(arcs: Arcs, linked: LinkedRings, rings: Ints) -> NDArray[np.object_]:
    """Make a polygon of each of some rings."""
    points, start = gather_ring_points(linked.half_edge, linked.ring_start, rings, arcs.points, arcs.start)
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, points.astype(np.float64), (start, np.arange(len(rings) + 1))
    )
    return np.asarray(polygons, np.object_)
