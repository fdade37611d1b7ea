"""Second pass over a class raster: polygons from arcs, as soon as the last arc of a region is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...fs.spool import ArraySpool
from ..arrays import Flags, Floats, Ints, Labels
from ..geodesy import GeodesicGrid
from .arcs import NO_ARCS, ArcBuffer, Arcs, link_polygons, trace_strip
from .breaks import Breaks
from .codes import CodeSource
from .kernels.rings import gather_ring_points, order_shells_first, sum_cross_products
from .regions import RegionMap, Regions
from .regularize import Regularization, Regularizer
from .simplify import UNITS, ConstraintBitmap, simplify_arcs

#: Points of the polygons that are yielded at a time; a single polygon may have more.
MAX_POINTS = 1_000_000


class Polygons(NamedTuple):
    """Polygons on the lattice.

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

    def split(self) -> Iterator[Polygons]:
        """Split the polygons into groups of about ``MAX_POINTS`` points."""
        point_ends = self.ring_start[self.first_ring[1:]]
        low = 0
        while low < len(self.region):
            first = self.first_ring[low]
            begin = self.ring_start[first]
            high = max(low + 1, int(np.searchsorted(point_ends, begin + MAX_POINTS, side="right")))
            last = self.first_ring[high]
            yield Polygons(
                self.region[low:high],
                self.points[begin : self.ring_start[last]],
                self.ring_start[first : last + 1] - begin,
                self.first_ring[low : high + 1] - first,
                self.area[low:high],
                self.perimeter[low:high],
            )
            low = high


def assemble_polygons(arcs: Arcs, is_assembled: Flags, grid: GeodesicGrid) -> Polygons:
    """Link arcs to rings and rings to polygons, and measure them.

    Args:
        arcs: all arcs of the regions to assemble, on the lattice.
        is_assembled: bool (n, 2), which of the regions on their sides are assembled.
        grid: measures lines on the ellipsoid.
    """
    region, first_half_edge, half_edge, ring_start, first_ring = link_polygons(arcs, is_assembled)
    cross = sum_cross_products(arcs.points, arcs.start)
    rings = order_shells_first(half_edge, ring_start, first_ring, cross)
    points, start = gather_ring_points(half_edge, ring_start, rings, arcs.points, arcs.start)
    area, length = grid.measure_lines(arcs.points, arcs.start, 1 / UNITS)
    # Half-edges are grouped by region, and holes run in the opposite direction of shells.
    signed_area = np.where(half_edge & 1, -area[half_edge >> 1], area[half_edge >> 1])
    return Polygons(
        region=region,
        points=points,
        ring_start=start,
        first_ring=first_ring,
        area=np.abs(np.add.reduceat(signed_area, first_half_edge)),
        perimeter=np.add.reduceat(length[half_edge >> 1], first_half_edge),
    )


@dataclass(frozen=True)
class LineOptions:
    """How arcs are smoothed and simplified.

    Attributes:
        smooth: whether to cut the corners of pixels.
        tolerance: of the simplification, in pixels; 0 keeps every vertex.
    """

    smooth: bool
    tolerance: float


class TracedArcs(NamedTuple):
    """Complete arcs of a strip.

    Attributes:
        end: row behind the strip.
        raw: with points at the corners of pixels.
        simplified: the same, on the lattice.
    """

    end: int
    raw: Arcs
    simplified: Arcs


def trace_arcs(
    source: CodeSource,
    region_map: RegionMap,
    first: Labels,
    *,
    lines: LineOptions,
    breaks: Breaks,
    is_own: Callable[[Arcs], Flags] | None = None,
) -> Iterator[TracedArcs]:
    """Trace and simplify the arcs of a class raster, strip by strip.

    Args:
        source: the class codes.
        region_map: maps the components of strips to regions; its strips are used.
        first: int32 (n, 2), row and column of the first pixel of each region, ascending by row.
        lines: smoothing and simplification.
        breaks: where arcs end.
        is_own: chooses complete arcs, bool (n,); the others are left out. None for all.
    """
    rows, cols = source.shape
    constraints = ConstraintBitmap(cols, region_map.strip_rows, breaks.rows)
    none = np.zeros(0, np.int32)
    open_arcs, above = NO_ARCS, (none, none)
    simplify = lines.tolerance > 0.0
    for number in range(region_map.strips):
        edges = region_map.find_boundary_edges(source, number, breaks)
        row = number * region_map.strip_rows
        end = row + len(edges.first) - 1
        traced = trace_strip(
            edges,
            above,
            row,
            cols + 1,
            open_arcs,
            breaks=breaks,
            is_last=end == rows,
            smooth=lines.smooth,
            simplify=simplify,
        )
        open_arcs, above = traced.open, edges.last_row
        if simplify:
            # Lines may pass over neither a vertex nor the centre of the first pixel of a region.
            begun = slice(*np.searchsorted(first[:, 0], [row, end]))
            constraints.add(np.concatenate((traced.constraints, 2 * first[begun].astype(np.int64) + 1)), end)
        complete = traced.complete
        if is_own is not None:
            complete = complete.take(np.flatnonzero(is_own(complete)))
        complete = complete.normalize(cols + 1)
        simplified = simplify_arcs(complete, constraints, smooth=lines.smooth, tolerance=lines.tolerance)
        yield TracedArcs(end, complete, simplified)


class SettledArcs(NamedTuple):
    """Arcs that do not change any more.

    Attributes:
        end: row behind the strip that was traced last.
        settled: row above which all arcs are settled.
        arcs: those that were not before.
    """

    end: int
    settled: int
    arcs: list[Arcs]


def settle_arcs(traced: Iterable[TracedArcs], regularizer: Regularizer | None) -> Iterator[SettledArcs]:
    """Regularize arcs, if there is a ``regularizer``; yield what is settled after each strip."""
    for end, raw, simplified in traced:
        if regularizer is None:
            yield SettledArcs(end, end, [simplified])
        else:
            arcs = list(regularizer.add(raw, simplified, end))
            yield SettledArcs(end, regularizer.settled_rows, arcs)


def stream_polygons(
    source: CodeSource,
    regions: Regions,
    region_map: RegionMap,
    grid: GeodesicGrid,
    *,
    lines: LineOptions,
    breaks: Breaks,
    regularization: Regularization | None,
    scratch: Path | None,
    on_progress: Callable[[int], None],
) -> Iterator[Polygons]:
    """Trace, simplify and assemble the regions of a class raster, strip by strip.

    Args:
        source: the class codes.
        regions: the regions.
        region_map: maps the components of strips to regions; its strips are used.
        grid: measures lines on the ellipsoid.
        lines: smoothing and simplification.
        breaks: where arcs end; those of the whole raster.
        regularization: which regions get right angles; None for none.
        scratch: folder for temporary data; None for the system's.
        on_progress: called with the number of rows done after each strip.

    Yields:
        Polygons; the same ones in the same order for every height of the strips.
    """
    rows = source.shape[0]
    regularizer = None if regularization is None else Regularizer(regularization, source.shape, breaks.rows)
    blocks = PolygonBlocks(regions.last, rows, breaks.rows)
    with ArraySpool(scratch) as spool:
        buffer = ArcBuffer(blocks.block_of, spool)
        traced = trace_arcs(source, region_map, regions.first[1:], lines=lines, breaks=breaks)
        for strip in settle_arcs(traced, regularizer):
            for arcs in strip.arcs:
                buffer.add(arcs, blocks.current)
            on_progress(strip.end)
            for block in blocks.take_settled(strip.settled):
                yield from assemble_block(buffer, block, grid)


class PolygonBlocks:
    """Blocks of rows: the polygons of all regions that end in one are assembled together.

    So their order does not depend on the strips.

    Args:
        last: last row of each region; region 0 is outside and gets no polygon.
        rows: row of the raster behind the last one.
        height: of a block.
        first_row: row of the raster with which the first block begins.

    Attributes:
        block_of: block of each region.
        current: the first block whose rows are not settled.
    """

    def __init__(self, last: Labels, rows: int, height: int, first_row: int = 0) -> None:
        self._rows, self._height, self._last_block = rows, height, rows // height
        self.current = first_row // height
        self.block_of = np.minimum((last + 1) // height, self._last_block).astype(np.int32)
        self.block_of[0] = -1

    def take_settled(self, settled: int) -> Iterator[int]:
        """Yield the blocks that are settled when all arcs above the row ``settled`` are."""
        while self.current < self._last_block and (self.current + 1) * self._height <= settled:
            self.current += 1
            yield self.current - 1
        if settled == self._rows:
            yield self._last_block


def assemble_block(buffer: ArcBuffer, block: int, grid: GeodesicGrid) -> Iterator[Polygons]:
    """Assemble the polygons of all regions of a block."""
    taken = buffer.take(block)
    if taken is None:
        return
    polygons = assemble_polygons(*taken, grid)
    del taken  # the arcs are not needed while polygons are written
    yield from polygons.split()
