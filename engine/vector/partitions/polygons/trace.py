"""Trace one partition of a coverage, given what becomes of the regions at its borders."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ....context import Cancellation
from ....fs.spool import ArraySpool
from ...arrays import Flags, Ints
from ...coverage.arcs import ArcBuffer, Arcs
from ...coverage.codes import CodeSource, minimum_pixels
from ...coverage.extract import find_included, line_options, plan_regularization, strip_height
from ...coverage.polygons import PolygonBlocks, TracedArcs, assemble_block, settle_arcs, trace_arcs
from ...coverage.regions import drop_codes
from ...coverage.regularize import Regularization, Regularizer
from ...coverage.simplify import UNITS
from ...geodesy import PixelGeodesy
from ..storage import write_tables
from ..tables import is_inside
from .halo import Halo
from .measure import label_partition
from .merge import MergedRegions
from .resolve import ResolvedRegions, resolve_regions
from .tables import CoverageFrame, FirstPixels, PolygonTable, RegionParts

#: In the header of a file: how many regions keep borders without right angles because they are close to others.
KEPT_PLAIN = "kept_plain"


def trace_partition(
    source: CodeSource,
    halo: Halo,
    frame: CoverageFrame,
    geodesy: PixelGeodesy,
    *,
    merged: MergedRegions,
    path: Path,
    cancellation: Cancellation,
) -> None:
    """Trace a partition and write its file.

    Args:
        source: the codes of the outer window; the confidence of pixels of other partitions is 0.
        halo: the partition.
        frame: of the raster.
        geodesy: of the raster.
        merged: what becomes of its regions at borders.
        path: the file to write.
        cancellation: checked between strips.

    Raises:
        OutputError: the file cannot be written.
    """
    minimum = minimum_pixels(frame.options, geodesy.resolution(frame.shape) ** 2)
    rows = strip_height(frame.options, halo.outer.width)
    labelled = label_partition(source, minimum, rows, cancellation)
    resolved = resolve_regions(labelled, merged, minimum, halo.outer)
    del labelled, merged
    tracer = _Tracer(source, halo, frame, geodesy, resolved)
    header = {KEPT_PLAIN: tracer.kept_plain, "window": list(halo.window)}
    with ArraySpool(path.parent) as spool:
        write_tables(path, header, tracer.trace(spool, cancellation))


@dataclass
class _Tracer:
    source: CodeSource
    halo: Halo
    frame: CoverageFrame
    geodesy: PixelGeodesy
    resolved: ResolvedRegions

    def __post_init__(self) -> None:
        self.key, self.is_open, self.regions, self.region_map = self.resolved
        options = self.frame.options
        self.resolution = self.geodesy.resolution(self.frame.shape)
        self.is_included: Flags = find_included(options)[self.regions.code]
        self.is_included[0] = False
        self.kept_plain = 0
        self.regularization = self._plan_regularization()

    def trace(self, spool: ArraySpool, cancellation: Cancellation) -> Iterator[tuple[Any, ...]]:
        """Yield the tables of the partition while it is traced."""
        regions, window = self.regions, self.halo.window
        first = self._find_first_pixels()
        yield FirstPixels(self.key[first], self.is_included[first])
        is_open = self.is_open & self.is_included
        parts = np.flatnonzero(is_open)
        yield RegionParts(self.key[parts], regions.area[parts], regions.confidence[parts])
        end = window.row + window.height
        blocks = PolygonBlocks(regions.last, end, self.frame.breaks.rows, window.row)
        blocks.block_of[is_open] = -1
        buffer = ArcBuffer(blocks.block_of, spool)
        number = np.zeros(self.key.size, np.int32)
        number[parts] = np.arange(1, parts.size + 1)
        grid = self.geodesy.make_grid(self.frame.shape, (window.row, end))
        regularizer = None
        if self.regularization is not None:
            rows = (window.row, end)
            regularizer = Regularizer(self.regularization, self.frame.shape, self.frame.breaks.rows, rows)
        for strip in settle_arcs(self._trace(), regularizer):
            cancellation.check()
            for arcs in strip.arcs:
                buffer.add(arcs, blocks.current)
                told = arcs.take(np.flatnonzero(is_open[arcs.sides].any(axis=1)))
                if told.number:
                    yield told._replace(sides=number[told.sides])
            for block in blocks.take_settled(strip.settled):
                for polygons in assemble_block(buffer, block, grid):
                    region = polygons.region
                    yield PolygonTable(
                        self.key[region], regions.code[region], regions.area[region], regions.confidence[region]
                    )
                    yield polygons

    def _find_first_pixels(self) -> Ints:
        """Find the regions whose first pixel lies in the partition."""
        return np.flatnonzero(is_inside(self.key, self.halo.window) & (self.key >= 0))

    def _trace(self) -> Iterator[TracedArcs]:
        """Trace the arcs of the partition; yield them in the coordinates of the raster."""
        halo, outer = self.halo, self.halo.outer
        lines, breaks = line_options(self.frame.options, self.resolution), self.frame.breaks
        first = self.regions.first[self._find_first_pixels()] - np.array((outer.row, outer.col), np.int32)
        for traced in trace_arcs(
            self.source,
            drop_codes(self.regions, self.region_map, find_included(self.frame.options)),
            first,
            lines=lines,
            breaks=breaks._replace(row=outer.row, col=outer.col),
            is_own=lambda arcs: _find_own(arcs, halo),
        ):
            end = halo.window.row + halo.window.height
            if traced.end < outer.height:
                end = min(outer.row + traced.end, end - 1)
            raw, simplified = _move(traced.raw, halo, 1), _move(traced.simplified, halo, UNITS)
            yield TracedArcs(end, raw, simplified)

    def _plan_regularization(self) -> Regularization | None:
        """Find the regions to regularize: none that is so close to another partition that both would have to."""
        plan = plan_regularization(
            self.frame.regularized, self.regions, self.geodesy, self.frame.options, self.resolution
        )
        if plan is None:
            return None
        is_close = self._find_close(math.ceil(plan.reach) + 3)
        is_close |= self.is_open
        is_wanted = (plan.rank > 0) & self.is_included
        self.kept_plain = int((is_wanted & is_close & ~self.is_open).sum())
        rank = np.where(is_close | ~is_wanted, 0, plan.rank)
        return replace(plan, rank=rank) if rank.any() else None

    def _find_close(self, margin: int) -> Flags:
        """Find the regions with a pixel up to ``margin`` pixels from another partition, bool by region."""
        is_close = np.zeros(self.key.size, np.bool_)
        rows, cols = self.halo.outer.height, self.halo.outer.width
        top, bottom, left, right = self.halo.has_neighbour
        for number in range(self.region_map.strips):
            runs, region_of = self.region_map.read_strip(self.source, number)
            row = np.repeat(np.arange(len(runs.start) - 1), np.diff(runs.start)) + number * self.region_map.strip_rows
            end = np.append(runs.col[1:], cols)
            end[runs.start[1:] - 1] = cols
            found = (left & (runs.col <= margin)) | (right & (end >= cols - margin))
            found |= (top & (row <= margin)) | (bottom & (row >= rows - 1 - margin))
            is_close[region_of[runs.component[found]]] = True
        return is_close


def _find_own(arcs: Arcs, halo: Halo) -> Flags:
    """Find the arcs, bool (n,), in the coordinates of the outer window, that belong to the partition."""
    if not arcs.number:
        return np.zeros(0, np.bool_)
    window, outer = halo.window, halo.outer
    _, bottom, _, right = halo.has_neighbour
    low = np.minimum.reduceat(arcs.points, arcs.start[:-1])
    top, left = window.row - outer.row, window.col - outer.col
    # At the end of the raster there is no partition to which the lower or right side would belong.
    is_own = (low[:, 0] >= left) & (low[:, 0] < left + window.width + (not right))
    is_own &= (low[:, 1] >= top) & (low[:, 1] < top + window.height + (not bottom))
    return np.asarray(is_own, np.bool_)


def _move(arcs: Arcs, halo: Halo, units: int) -> Arcs:
    """Return arcs of the outer window in the coordinates of the raster, with ``units`` of them in a pixel."""
    outer = halo.outer
    offset = np.array([outer.col, outer.row], np.int32) * np.int32(units)
    row, col = np.divmod(arcs.corners, outer.width + 1)
    corners: Ints = (row + outer.row) * (halo.shape[1] + 1) + col + outer.col
    return arcs._replace(points=arcs.points + offset, corners=corners)
