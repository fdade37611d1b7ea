"""Smooth and simplify the edges of a network to lines, and measure their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ...raster.probability import PROBABILITY_SCALE
from ..arrays import Floats, Ints
from ..geodesy import PixelGeodesy
from .graph import Graph
from .kernels.smoothing import shape_edges, weigh_points

#: The penalty on bending is the fourth power of a length: this many times ``smooth``.
STIFFNESS = 2.0
#: Reliable points are moved by at most about this many times ``smooth``.
LIMIT = 0.6
#: Points of the edges of one batch.
_BATCH_POINTS = 1_000_000


class RoadLines(NamedTuple):
    """Lines of some edges of the network.

    Attributes:
        geometry: LineStrings in the CRS of the raster; their ends are exactly the positions of the nodes.
        length: float64 (n,), metres on the ellipsoid.
        width: float64 (n,), mean width in metres where the road was seen; NaN for an edge that is all closed gap.
        width_sd: float64 (n,), standard deviation of the width in metres.
        confidence: float64 (n,), mean probability along the edge.
        bridged: float64 (n,), metres of closed gaps.
        gap_at: float64 (n,), metres along the line to the middle of its longest closed gap; NaN for none.
    """

    geometry: NDArray[np.object_]
    length: Floats
    width: Floats
    width_sd: Floats
    confidence: Floats
    bridged: Floats
    gap_at: Floats


def make_lines(graph: Graph, geodesy: PixelGeodesy, *, smooth: float, simplify: float) -> Iterator[RoadLines]:
    """Make the lines of all edges in batches; of a network without edges, one empty batch.

    Args:
        graph: the network.
        geodesy: of the raster.
        smooth: length in pixels; lines are fitted so that wobbles shorter than about ten times this go.
        simplify: largest distance between a line and its simplification, in pixels; 0 keeps every vertex.
    """
    if graph.edge_count == 0:  # the layer is created by its first batch
        none = np.zeros(0)
        yield RoadLines(np.zeros(0, object), none, none, none, none, none, none)
    first = 0
    while first < graph.edge_count:
        last = int(np.searchsorted(graph.start, graph.start[first] + _BATCH_POINTS))
        last = min(max(last, first + 1), graph.edge_count)
        points = slice(int(graph.start[first]), int(graph.start[last]))
        batch = replace(
            graph,
            ends=graph.ends[first:last],
            start=graph.start[first : last + 1] - graph.start[first],
            row=graph.row[points],
            col=graph.col[points],
            width=graph.width[points],
            probability=graph.probability[points],
        )
        yield _make_batch(batch, geodesy, smooth, simplify)
        first = last


def node_pixels(graph: Graph) -> Floats:
    """Return the pixel coordinates (x, y) of the nodes; (nodes, 2), the centre of a pixel lies at .5."""
    return np.column_stack((graph.node_col + 0.5, graph.node_row + 0.5))


def _make_batch(graph: Graph, geodesy: PixelGeodesy, smooth: float, simplify: float) -> RoadLines:
    points, start = shape_edges(
        graph.start,
        graph.row,
        graph.col,
        weigh_points(graph.start, graph.width),
        np.ascontiguousarray(graph.ends),
        node_pixels(graph),
        graph.node_radius,
        (STIFFNESS * smooth) ** 4,
        LIMIT * smooth,
    )
    pixel_lines = shapely.linestrings(points, indices=np.repeat(np.arange(graph.edge_count), np.diff(start)))
    if simplify > 0.0:
        pixel_lines = shapely.simplify(pixel_lines, simplify, preserve_topology=False)
    pixel, edge = shapely.get_coordinates(pixel_lines, return_index=True)
    xy = geodesy.to_crs(pixel)
    inner = edge[1:] == edge[:-1]

    def sum_by_edge(segments: Floats) -> Floats:
        sums = np.bincount(edge[1:][inner], weights=segments[inner], minlength=graph.edge_count)
        return np.asarray(sums, np.float64)

    length = sum_by_edge(geodesy.segment_lengths(xy))
    pixel_length = sum_by_edge(np.hypot(*np.diff(pixel, axis=0).T))
    first_vertex = pixel[np.searchsorted(edge, np.arange(graph.edge_count))]
    # A strip keeps its area: width times length on the ground is width times length in pixels times a pixel's area.
    metres = geodesy.pixel_area(first_vertex) * pixel_length / np.maximum(length, 1e-12)
    width, width_sd = _measure_width(graph)
    steps = graph.step_lengths()
    total_steps = np.maximum(_sum_runs(steps, graph.start), 1e-12)
    confidence = _sum_runs(graph.probability.astype(np.float64), graph.start) / np.diff(graph.start)
    return RoadLines(
        geometry=shapely.linestrings(xy, indices=edge),
        length=length,
        width=width * metres,
        width_sd=width_sd * metres,
        confidence=confidence / PROBABILITY_SCALE,
        bridged=_sum_runs(np.where(graph.width == 0.0, steps, 0.0), graph.start) / total_steps * length,
        gap_at=_locate_gaps(graph) / total_steps * length,
    )


def _locate_gaps(graph: Graph) -> Floats:
    """Distance, in pixels, of the middle of the longest closed gap from the beginning of each edge; else NaN."""
    edge = np.repeat(np.arange(graph.edge_count), np.diff(graph.start))
    along = graph.distances_along()
    is_gap = np.concatenate(([False], graph.width == 0.0, [False]))
    changes = np.concatenate(([True], edge[1:] != edge[:-1], [True]))
    first = np.flatnonzero(is_gap[1:-1] & (~is_gap[:-2] | changes[:-1]))
    last = np.flatnonzero(is_gap[1:-1] & (~is_gap[2:] | changes[1:]))
    order = np.argsort(along[last] - along[first], kind="stable")  # the longest of an edge is assigned last
    middle = np.full(graph.edge_count, np.nan)
    middle[edge[first[order]]] = (along[first] + along[last])[order] / 2.0
    return middle


def _measure_width(graph: Graph) -> tuple[Floats, Floats]:
    """Mean and standard deviation, in pixels, of the width of each edge where the road was seen; else NaN."""
    width = graph.width.astype(np.float64)
    count = _sum_runs((width > 0.0).astype(np.float64), graph.start)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, _sum_runs(width, graph.start) / count, np.nan)
        square = np.where(count > 0, _sum_runs(width**2, graph.start) / count, np.nan)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _sum_runs(values: Floats, start: Ints) -> Floats:
    """Sum over runs that are not empty: run i is ``values[start[i]:start[i + 1]]``."""
    return np.asarray(np.add.reduceat(values, start[:-1]), np.float64)
