"""Polygons from arcs: regions are put together as soon as the last of their arcs is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .arcs import ANCHOR, NO_ARCS, Arcs, normalise, trace_strip
from .regions import CodeReader, Labelling, Regions
from .ring_kernels import link_rings, ring_points
from .simplify import Guards, finish_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Polygons:
    """Polygons in half pixels.

    Attributes:
        region: int32 (n,), the region of each polygon, ascending.
        points: int32 (points, 2), column and row of the vertices of all rings, each ring closed.
        ring_start: int64 (rings + 1,), where each ring's points begin (and, last, end).
        first_ring: int64 (n + 1,), where each polygon's rings begin: its shell and then its holes.
    """

    region: Labels
    points: Labels
    ring_start: Ints
    first_ring: Ints


@dataclass
class ArcStore:
    """Finished arcs that wait for the regions on either side to be complete.

    A region is put together with all others that end within the same ``ANCHOR`` rows, so that the order of polygons
    does not depend on the strips.
    """

    last_block: int
    region_last: Labels
    chunks: dict[int, Arcs] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    due: dict[int, list[tuple[int, int, Ints]]] = field(default_factory=dict)
    _next: int = 0

    def add(self, arcs: Arcs) -> None:
        """Take arcs; regions 0 (outside) get no polygon."""
        if not len(arcs):
            return
        number, self._next = self._next, self._next + 1
        self.chunks[number] = arcs
        self.waiting[number] = int((arcs.sides > 0).sum())
        for side in (0, 1):
            region = arcs.sides[:, side]
            block = np.minimum((self.region_last[region] + 1) // ANCHOR, self.last_block)
            inside = region > 0
            for value in np.unique(block[inside]).tolist():
                index = np.flatnonzero(inside & (block == value))
                self.due.setdefault(value, []).append((number, side, index))

    def take(self, block: int) -> Polygons | None:
        """The polygons of all regions that end in a block of rows; None where there are none."""
        entries = self.due.pop(block, [])
        if not entries:
            return None
        parts = [self.chunks[number].take(index) for number, _, index in entries]
        sides = [np.full(len(index), side) for _, side, index in entries]
        for number, _, index in entries:
            self.waiting[number] -= len(index)
            if self.waiting[number] == 0:
                del self.chunks[number], self.waiting[number]
        return assemble(parts, np.concatenate(sides))


def assemble(parts: list[Arcs], side: Ints) -> Polygons:
    """Link arcs to rings and rings to polygons.

    Args:
        parts: arcs that border the regions to assemble; one that borders two of them comes twice.
        side: for each arc, which of its sides is to be assembled: 0 left, 1 right.
    """
    points = np.concatenate([part.points for part in parts])
    offsets = np.cumsum([0] + [len(part.points) for part in parts])
    start = np.concatenate([part.start[:-1] + offset for part, offset in zip(parts, offsets, strict=False)])
    stop = np.concatenate([part.start[1:] + offset for part, offset in zip(parts, offsets, strict=False)]) - 1
    row = np.arange(len(side))
    region = np.concatenate([part.sides for part in parts])[row, side].astype(np.int64)
    corners = np.concatenate([part.corners for part in parts])
    ways = np.concatenate([part.ways for part in parts])
    begin, end = corners[row, side], corners[row, 1 - side]
    leave, arrive = ways[row, side], (ways[row, 1 - side] + 2) & 3
    order = np.lexsort((leave, begin, region))
    halves, rings = link_rings(region[order], begin[order], end[order], leave[order], arrive[order].astype(np.int8))
    forward = side == 0
    first, last = np.where(forward, start, stop)[order], np.where(forward, stop, start)[order]
    ring_xy, ring_start, area = ring_points(halves, rings, first, last, points)
    return _group(ring_xy, ring_start, region[order][halves[rings[:-1]]], area < 0)


def _group(points: Labels, start: Ints, region: Ints, shell: NDArray[np.bool_]) -> Polygons:
    """Put rings in the order of their regions, the shell of each before its holes."""
    order = np.lexsort((~shell, region))
    sizes = np.diff(start)[order]
    new_start = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    source = np.arange(new_start[-1]) + np.repeat(start[:-1][order] - new_start[:-1], sizes)
    first = np.flatnonzero(shell[order])
    return Polygons(
        region=region[order][first].astype(np.int32),
        points=points[source],
        ring_start=new_start,
        first_ring=np.concatenate((first, [len(order)])).astype(np.int64),
    )


def stream_polygons(
    reader: CodeReader,
    regions: Regions,
    labelling: Labelling,
    *,
    smooth: bool,
    tolerance: float,
    check: Callable[[int], None],
) -> Iterator[Polygons]:
    """The second pass over a class raster: trace, simplify and assemble, strip by strip.

    Args:
        reader: gives the rows.
        regions: what is to be assembled.
        labelling: how labels map to regions; its strips are the strips.
        smooth: cut the corners of pixels.
        tolerance: of the simplification, in pixels; 0 keeps every vertex.
        check: called with the number of rows done after each strip.

    Yields:
        Polygons; the same ones in the same order for every height of the strips.
    """
    rows, cols = reader.shape
    store = ArcStore(rows // ANCHOR, regions.last)
    guards = Guards(2 * cols + 2)
    pending, above, block = NO_ARCS, np.zeros(cols, np.int32), 0
    for number in range(len(labelling.base) - 1):
        labels = labelling.strip_regions(reader, number)
        row = number * labelling.strip
        end = row + len(labels)
        traced = trace_strip(labels, above, row, pending, last=end == rows, smooth=smooth, guarded=tolerance > 0.0)
        pending, above = traced.pending, labels[-1]
        if tolerance > 0.0:
            guards.add(np.concatenate((traced.guards, _anchors_of(regions, row, end))), row, end)
        whole = normalise(traced.whole, cols + 1)
        store.add(finish_arcs(whole, guards, smooth=smooth, tolerance=tolerance))
        check(end)
        while block < store.last_block and (block + 1) * ANCHOR <= end:
            yield from _some(store.take(block))
            block += 1
    yield from _some(store.take(store.last_block))


def _some(polygons: Polygons | None) -> Iterator[Polygons]:
    if polygons is not None:
        yield polygons


def _anchors_of(regions: Regions, row: int, end: int) -> Ints:
    """The middles of the first pixels of regions that begin in a strip: no simplification may pass over them."""
    first = regions.first[1:]
    low, high = np.searchsorted(first[:, 0], [row, end])
    return 2 * first[low:high].astype(np.int64) + 1
