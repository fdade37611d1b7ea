"""From edges in pixels to smooth, simple lines with their attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geodesy import PixelGeodesy
from .graph import Floats, Graph, run_sums
from .kernels.lines import shape_edges

#: Points that are worked on at a time.
_BATCH_POINTS = 1_000_000


@dataclass(frozen=True)
class RoadLines:
    """Edges of the network as they are written.

    Attributes:
        geometry: LineStrings in the CRS of the raster; the ends are exactly the positions of the nodes.
        ends: int32 (n, 2), first and last node.
        length: float64 (n,), metres on the ellipsoid.
        width: float64 (n,), mean width in metres where the road was seen; NaN for an edge that is all bridge.
        width_spread: float64 (n,), standard deviation of the width in metres.
        confidence: float64 (n,), mean probability along the edge.
        bridged: float64 (n,), metres of the edge that bridge a gap.
    """

    geometry: NDArray[np.object_]
    ends: NDArray[np.int32]
    length: Floats
    width: Floats
    width_spread: Floats
    confidence: Floats
    bridged: Floats


NO_LINES = RoadLines(
    np.zeros(0, object), np.zeros((0, 2), np.int32), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)
)


def node_positions(graph: Graph, ground: PixelGeodesy) -> Floats:
    """Coordinates (nodes, 2) of the nodes in the CRS of the raster."""
    return ground.to_crs(_node_pixels(graph))


def road_lines(
    graph: Graph, ground: PixelGeodesy, *, smooth: float, simplify: float, levels: int
) -> Iterator[RoadLines]:
    """Make the lines of all edges, some at a time.

    Without edges there is one empty batch.

    Args:
        graph: the network.
        ground: where its pixels lie.
        smooth: standard deviation of the smoothing along the line, in pixels.
        simplify: largest distance between a line and its simplification, in pixels.
        levels: level of probability 1.
    """
    if graph.edges == 0:  # an empty batch, so that the layer is there in any case
        yield NO_LINES
    edge = 0
    while edge < graph.edges:
        stop = int(np.searchsorted(graph.start, graph.start[edge] + _BATCH_POINTS))
        stop = min(max(stop, edge + 1), graph.edges)
        yield _batch(_part(graph, edge, stop), ground, smooth, simplify, levels)
        edge = stop


def _node_pixels(graph: Graph) -> Floats:
    return np.column_stack((graph.node_col + 0.5, graph.node_row + 0.5))


def _part(graph: Graph, first: int, last: int) -> Graph:
    points = slice(int(graph.start[first]), int(graph.start[last]))
    return Graph(
        graph.node_row,
        graph.node_col,
        graph.node_border,
        graph.node_radius,
        graph.ends[first:last],
        graph.start[first : last + 1] - graph.start[first],
        graph.row[points],
        graph.col[points],
        graph.width[points],
        graph.level[points],
        graph.shape,
    )


def _batch(graph: Graph, ground: PixelGeodesy, smooth: float, simplify: float, levels: int) -> RoadLines:
    points, start = shape_edges(
        graph.start,
        graph.row,
        graph.col,
        np.ascontiguousarray(graph.ends),
        _node_pixels(graph),
        graph.node_radius,
        round(2.0 * smooth**2),
    )
    pixel_lines = shapely.linestrings(points, indices=np.repeat(np.arange(graph.edges), np.diff(start)))
    if simplify > 0.0:
        pixel_lines = shapely.simplify(pixel_lines, simplify, preserve_topology=False)
    pixel, edge = shapely.get_coordinates(pixel_lines, return_index=True)
    world = ground.to_crs(pixel)
    inner = edge[1:] == edge[:-1]
    length = np.asarray(
        np.bincount(edge[1:][inner], weights=ground.segment_lengths(world)[inner], minlength=graph.edges), np.float64
    )
    pixel_steps = np.hypot(*np.diff(pixel, axis=0).T)
    pixel_length = np.bincount(edge[1:][inner], weights=pixel_steps[inner], minlength=graph.edges)
    middle = pixel[np.searchsorted(edge, np.arange(graph.edges))]
    # A stripe keeps its area: width times length on the ground is width times length in pixels times a pixel's area.
    across = ground.pixel_area(middle) * pixel_length / np.maximum(length, 1e-12)
    width, spread = _width(graph)
    steps = graph.point_steps()
    path_length = np.maximum(run_sums(steps, graph.start), 1e-12)
    return RoadLines(
        geometry=shapely.linestrings(world, indices=edge),
        ends=graph.ends,
        length=length,
        width=width * across,
        width_spread=spread * across,
        confidence=run_sums(graph.level.astype(np.float64), graph.start) / np.diff(graph.start) / levels,
        bridged=run_sums(np.where(graph.width == 0.0, steps, 0.0), graph.start) / path_length * length,
    )


def _width(graph: Graph) -> tuple[Floats, Floats]:
    """Mean and standard deviation in pixels of the width of each edge where the road was seen; NaN where nowhere."""
    width = graph.width.astype(np.float64)
    count = run_sums((width > 0.0).astype(np.float64), graph.start)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, run_sums(width, graph.start) / count, np.nan)
        square = np.where(count > 0, run_sums(width**2, graph.start) / count, np.nan)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))
