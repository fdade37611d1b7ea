"""Polygons from arcs: regions are put together as soon as the last of their arcs is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...fs.spool import ArraySpool
from ..geodesy import GeodesicGrid
from .arc_buffer import ArcStore
from .arcs import ANCHOR, NO_ARCS, Arcs, normalise, trace_strip
from .kernels.rings import cross_sums, group_halves, link_rings, ring_points, shells_first
from .regions import CodeReader, Labelling, Regions
from .simplify import Guards, finish_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Points of polygons that are handed on at a time; one polygon may have more.
MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class Polygons:
    """Polygons in half pixels.

    Attributes:
        region: int32 (n,), the region of each polygon, ascending.
        points: int32 (points, 2), column and row of the vertices of all rings, each ring closed.
        ring_start: int64 (rings + 1,), where each ring's points begin (and, last, end).
        first_ring: int64 (n + 1,), where each polygon's rings begin: its shell and then its holes.
        area: float64 (n,), square metres on the ellipsoid.
        perimeter: float64 (n,), metres on the ellipsoid, holes included.
    """

    region: Labels
    points: Labels
    ring_start: Ints
    first_ring: Ints
    area: Floats
    perimeter: Floats

    def parts(self) -> Iterator[Polygons]:
        """The polygons in parts of about ``MOST_POINTS`` points."""
        ends = self.ring_start[self.first_ring[1:]]
        low = 0
        while low < len(self.region):
            done = self.ring_start[self.first_ring[low]]
            high = max(low + 1, int(np.searchsorted(ends, done + MOST_POINTS, side="right")))
            yield self._part(low, high)
            low = high

    def _part(self, low: int, high: int) -> Polygons:
        first, last = self.first_ring[low], self.first_ring[high]
        begin, end = self.ring_start[first], self.ring_start[last]
        return Polygons(
            self.region[low:high],
            self.points[begin:end],
            self.ring_start[first : last + 1] - begin,
            self.first_ring[low : high + 1] - first,
            self.area[low:high],
            self.perimeter[low:high],
        )


def assemble(arcs: Arcs, wanted: NDArray[np.bool_], grid: GeodesicGrid) -> Polygons:
    """Link arcs to rings and rings to polygons, and measure them.

    Args:
        arcs: all arcs of the regions to assemble, in half pixels.
        wanted: bool (n, 2), which of the regions on their sides are to be assembled.
        grid: measures lines on the ground.
    """
    half = np.flatnonzero(wanted.ravel())
    region = arcs.sides.ravel()[half]
    begin, way = arcs.corners.ravel(), arcs.ways[:, :2].astype(np.int64).ravel()
    key = begin[half] << 2 | way[half]
    order, group = group_halves(region, key)
    half, key, other = half[order], key[order], half[order] ^ 1
    linked, ring_start, first_ring = link_rings(group, key, begin[other], ((way[other] + 2) & 3).astype(np.int8))
    half = half[linked]
    rings = shells_first(half, ring_start, first_ring, cross_sums(arcs.points, arcs.start))
    points, start = ring_points(half, ring_start, rings, arcs.points, arcs.start)
    area, length = grid.measure_lines(arcs.points, arcs.start, 0.5)
    # All halves of a region follow each other, and holes run in the opposite direction of shells.
    signed = np.where(half & 1, -area[half >> 1], area[half >> 1])
    return Polygons(
        region=region[order][group[:-1]],
        points=points,
        ring_start=start,
        first_ring=first_ring,
        area=np.abs(np.add.reduceat(signed, group[:-1])),
        perimeter=np.add.reduceat(length[half >> 1], group[:-1]),
    )


def stream_polygons(
    reader: CodeReader,
    regions: Regions,
    labelling: Labelling,
    grid: GeodesicGrid,
    *,
    smooth: bool,
    tolerance: float,
    scratch: Path | None,
    check: Callable[[int], None],
) -> Iterator[Polygons]:
    """The second pass over a class raster: trace, simplify and assemble, strip by strip.

    Args:
        reader: gives the rows.
        regions: what is to be assembled.
        labelling: how labels map to regions; its strips are the strips.
        grid: measures lines on the ground.
        smooth: cut the corners of pixels.
        tolerance: of the simplification, in pixels; 0 keeps every vertex.
        scratch: folder for temporary data; None for the system's.
        check: called with the number of rows done after each strip.

    Yields:
        Polygons; the same ones in the same order for every height of the strips.
    """
    rows, cols = reader.shape
    guards = Guards(cols, labelling.strip)
    none = np.zeros(0, np.int32)
    pending, above, block = NO_ARCS, (none, none), 0
    with ArraySpool(scratch) as spill:
        store = ArcStore(rows, regions.last, spill)
        for number in range(len(labelling.base) - 1):
            cracks = labelling.cracks(reader, number)
            row = number * labelling.strip
            end = row + len(cracks.first) - 1
            traced = trace_strip(
                cracks, above, row, cols + 1, pending, last=end == rows, smooth=smooth, guarded=tolerance > 0.0
            )
            pending, above = traced.pending, cracks.last_row
            if tolerance > 0.0:
                guards.add(np.concatenate((traced.guards, _anchors_of(regions, row, end))), end)
            whole = normalise(traced.whole, cols + 1)
            store.add(finish_arcs(whole, guards, smooth=smooth, tolerance=tolerance), block)
            check(end)
            while block < store.last_block and (block + 1) * ANCHOR <= end:
                yield from _assembled(store, block, grid)
                block += 1
        yield from _assembled(store, store.last_block, grid)


def _assembled(store: ArcStore, block: int, grid: GeodesicGrid) -> Iterator[Polygons]:
    """The polygons of all regions that end in a block of rows."""
    taken = store.take(block)
    if taken is None:
        return
    polygons = assemble(*taken, grid)
    del taken
    yield from polygons.parts()


def _anchors_of(regions: Regions, row: int, end: int) -> Ints:
    """The middles of the first pixels of regions that begin in a strip: no simplification may pass over them."""
    first = regions.first[1:]
    low, high = np.searchsorted(first[:, 0], [row, end])
    return 2 * first[low:high].astype(np.int64) + 1
