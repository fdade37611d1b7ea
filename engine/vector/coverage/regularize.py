"""Regularize regions: give their borders straight walls and right angles, and let their neighbours follow.

A ring of a region is fitted alone. Its arcs are shared with its neighbours, and arcs of others that end on it follow
to where their node has moved. Then everything nearby is compared: a ring keeps its simplified arcs where its walls
would touch or pass over another border. So the result is always a coverage.

Arcs wait in bands of ``BREAK_ROWS`` rows, whatever the strips are. Two bands are looked at together, so that the
surroundings of every region are known that is decided there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..arrays import Flags, Floats, Ints, Labels
from .arcs import BREAK_ROWS, NO_ARCS, Arcs, LinkedRings, concatenate_arcs, link_polygons
from .kernels.arcs import gather_points
from .kernels.boundaries import NODE
from .kernels.conflicts import find_conflicts
from .kernels.rectify import rectify_rings
from .kernels.rings import gather_ring_points
from .simplify import UNITS

#: So many points at the end of an arc are dropped at most where the walls on which it ends cover them.
_MAX_COVERED = 8


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
    """The walls of rings: their points by half-edge, and the new positions of their nodes by half-edge."""

    rings: LinkedRings
    is_right: Flags
    points: Labels
    start: Ints
    moved: Labels


class Regularizer:
    """Regularize arcs that are added strip by strip.

    Args:
        regularization: regions and limits.
        shape: rows and columns of the raster.

    Attributes:
        settled_rows: rows of the raster whose arcs were all returned.
    """

    def __init__(self, regularization: Regularization, shape: tuple[int, int]) -> None:
        self.settled_rows = 0
        self._shape, self._regularization = shape, regularization
        self._bands: dict[int, list[_Band]] = {}
        self._window = 0
        self._last_band = shape[0] // BREAK_ROWS
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
            band_of = np.minimum.reduceat(raw.points[:, 1], raw.start[:-1]) // BREAK_ROWS
            for band in np.unique(band_of).tolist():
                index = np.flatnonzero(band_of == band)
                kept = _drop_points(raw.take(index), is_needed[index])
                added = _Band(kept, arcs.take(index), np.zeros((len(index), 2), np.bool_))
                self._bands.setdefault(band, []).append(added)
        is_last = end == self._shape[0]
        while self._window <= self._last_band and (is_last or (self._window + 2) * BREAK_ROWS < end):
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
        self.settled_rows = min(self._window * BREAK_ROWS, self._shape[0])
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
        while True:
            arcs, is_moved = rebuilt.apply(accepted)
            rejected = rebuilt.find_rejected(arcs, is_moved, accepted)
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
        is_chosen &= np.maximum(top - margin, 0) // BREAK_ROWS == self._window
        lowest = (self._window + 2) * BREAK_ROWS
        if lowest <= self._shape[0]:
            is_chosen &= regularization.last + 1 + margin <= lowest
        return is_chosen

    def _fit(self, band: _Band, rings: LinkedRings) -> _Fit:
        """Fit walls to rings."""
        corner = band.raw.points[band.raw.start[rings.half_edge[rings.ring_start[:-1]] >> 1]]
        scale = self._regularization.scale(corner.astype(np.float64))
        has_node = band.raw.ends[:, 2] == NODE
        reach = self._regularization.reach
        coming = _find_coming(band.arcs, rings, reach)
        fitted = rectify_rings(
            rings.half_edge,
            rings.ring_start,
            band.raw.points,
            band.raw.start,
            has_node,
            coming,
            scale,
            self._shape,
            reach,
            UNITS,
        )
        return _Fit(rings, *fitted)


def _drop_points(arcs: Arcs, is_kept: Flags) -> Arcs:
    """Drop the points of the arcs that are not kept; the arcs stay."""
    sizes = np.diff(arcs.start)
    start = np.concatenate(([0], np.cumsum(np.where(is_kept, sizes, 0)))).astype(np.int64)
    return arcs._replace(points=arcs.points[np.repeat(is_kept, sizes)], start=start)


def _find_nodes(arcs: Arcs, rings: LinkedRings) -> Ints:
    """Find at the beginning of which half-edge of some rings each end of an arc is, by its index there; -1 for none."""
    corner = arcs.corners.ravel()[rings.half_edge]
    order = np.argsort(corner, kind="stable")
    found = np.minimum(np.searchsorted(corner[order], arcs.corners), len(order) - 1)
    return np.where(corner[order][found] == arcs.corners, order[found], -1)


def _find_coming(arcs: Arcs, rings: LinkedRings, reach: float) -> Floats:
    """Find from where arcs of others come to the beginnings of the half-edges of rings.

    Returns:
        (half-edges, 2): the first point, in pixels, further than ``reach`` from the end of the arc; NaN for none.
    """
    coming = np.full((len(rings.half_edge), 2), np.nan)
    node = _find_nodes(arcs, rings)
    node[rings.half_edge >> 1] = -1
    for side, at in enumerate((arcs.start[:-1], arcs.start[1:] - 1)):
        ending = np.flatnonzero(node[:, side] >= 0)
        first, point = at[ending], at[ending]
        for _ in range(_MAX_COVERED):
            distance = np.hypot(*(arcs.points[point] - arcs.points[first]).T)
            step = point + (-1 if side else 1)
            is_inside = (step >= arcs.start[ending]) & (step < arcs.start[ending + 1])
            point = np.where((distance <= reach * UNITS) & is_inside, step, point)
        coming[node[ending, side]] = arcs.points[point] / UNITS
    return coming


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
        covered: int64 (n, 2), how many points behind each end of an arc the walls of the ring there cover.
    """

    arcs: Arcs
    fit: _Fit
    position: Ints
    end: Ints
    ring: Ints
    covered: Ints

    @classmethod
    def make(cls, arcs: Arcs, fit: _Fit) -> _Rebuilt:
        """Find which arcs belong to the rings or end at them."""
        half_edge = fit.rings.half_edge
        position = np.full(arcs.number, -1)
        position[half_edge >> 1] = np.arange(len(half_edge))
        end = _find_nodes(arcs, fit.rings)
        ring = np.repeat(np.arange(len(fit.is_right)), np.diff(fit.rings.ring_start))
        rebuilt = cls(arcs, fit, position, end, np.append(ring, -1), np.zeros((arcs.number, 2), np.int64))
        return replace(rebuilt, covered=rebuilt._count_covered())

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
            points[at[is_third]] = self.fit.moved[self.end[is_third, side]]
            for step in range(1, _MAX_COVERED + 1):
                is_covered = is_third & (self.covered[:, side] >= step)
                keep[at[is_covered] + (-step if side else step)] = False
        start = np.concatenate(([0], np.cumsum(keep)))[start].astype(np.int64)
        return self.arcs._replace(points=points[keep], start=start), is_moved | is_wall[:, None]

    def _count_covered(self) -> Ints:
        """Count the points behind the ends of arcs that would lie within the ring to which the end moves."""
        rings = np.flatnonzero(self.fit.is_right)
        arcs, _ = self.apply(self.fit.is_right)
        outlines = np.full(len(self.fit.is_right) + 1, None, object)
        outlines[rings] = _make_outlines(arcs, self.fit.rings, rings)
        covered = np.zeros((arcs.number, 2), np.int64)
        for side, at in enumerate((arcs.start[:-1], arcs.start[1:] - 1)):
            outline = outlines[self.ring[self.end[:, side]]]
            is_covered = (self.position < 0) & (outline != None)  # noqa: E711
            for step in range(1, _MAX_COVERED + 1):
                is_covered &= np.diff(arcs.start) > step + 1
                point = arcs.points[(at + (-step if side else step))[is_covered]]
                is_covered[is_covered] = shapely.intersects_xy(outline[is_covered], *point.T)
                covered[is_covered, side] += 1
        covered[covered.sum(axis=1) + 2 > np.diff(arcs.start)] = 0
        return covered

    def find_rejected(self, arcs: Arcs, is_moved: Flags, accepted: Flags) -> Flags:
        """Find the rings whose walls, or arcs that end on them, touch or pass over another border."""
        vertex = -1 - np.arange(len(arcs.points))
        vertex[arcs.start[:-1]], vertex[arcs.start[1:] - 1] = arcs.corners.T
        is_conflict = find_conflicts(arcs.points, arcs.start, vertex, is_moved.any(axis=1))
        involved = np.concatenate((self.ring[self.position[is_conflict]], self.ring[self.end[is_conflict]].ravel()))
        rejected = np.zeros(len(accepted) + 1, np.bool_)
        rejected[involved] = True
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
