"""Place the nodes of a network: junctions where roads point, dead ends where roads end. Graphs are changed in place."""

from __future__ import annotations

import numpy as np
import shapely

from ..arrays import Flags, Floats, make_offsets
from .cleaning import node_widths, round_position
from .graph import Graph
from .kernels.placement import place_junctions

#: Dead ends are moved on by this many half widths: thinning shortens a square end by 1 and a round one by 0.
END_SHARE = 0.5
#: The direction of a dead end is estimated from this many points.
_END_POINTS = 12
#: Faces with a shorter border, in pixels, may be roundabouts.
_RING_LENGTH = 300.0
#: A roundabout fills this share of the smallest circle around it; a square fills 0.64.
_ROUNDNESS = 0.8


def place_nodes(graph: Graph) -> None:
    """Move junctions, those of roundabouts, and dead ends off the points of thinning; nodes on the border stay.

    The radius of a junction becomes half the width of its widest road at least, so that lines lead straight to it.
    """
    if graph.edge_count == 0:
        return
    degree, half_width = graph.degree(), 0.5 * node_widths(graph)
    junction = degree > 2
    graph.node_radius = np.where(junction, np.maximum(graph.node_radius, half_width), graph.node_radius)
    _extend_dead_ends(graph, (degree == 1) & ~graph.node_border, half_width)
    placed = place_junctions(
        graph.start,
        graph.row,
        graph.col,
        graph.width,
        make_offsets(degree),
        np.argsort(graph.ends.ravel(), kind="stable").astype(np.int32),
        np.column_stack((graph.node_row, graph.node_col)),
        graph.node_radius,
        graph.node_border,
    )
    _place_on_rings(graph, placed, junction & ~graph.node_border)
    row, col = round_position(placed[:, 0]), round_position(placed[:, 1])
    moved = np.hypot(row - graph.node_row, col - graph.node_col)
    graph.node_radius = np.where(junction, np.maximum(graph.node_radius, moved), graph.node_radius)
    graph.node_row, graph.node_col = row, col


def _extend_dead_ends(graph: Graph, dead: Flags, half_width: Floats) -> None:
    """Move dead ends on by a share of half their width, as far as the raster reaches."""
    halves = np.flatnonzero(dead[graph.ends.ravel()])
    edge, last = np.divmod(halves, 2)
    sign = np.where(last == 1, -1, 1)
    end = np.where(last == 1, graph.start[edge + 1] - 1, graph.start[edge])
    back = end + sign * np.minimum(_END_POINTS, np.diff(graph.start)[edge] - 1)
    down, right = (values[end] - values[back] for values in (graph.row, graph.col))
    node = graph.ends.ravel()[halves]
    reach = END_SHARE * half_width[node] / np.maximum(np.hypot(down, right), 1e-9)
    graph.node_row[node] = np.clip(graph.node_row[node] + reach * down, 0, graph.shape[0] - 1)
    graph.node_col[node] = np.clip(graph.node_col[node] + reach * right, 0, graph.shape[1] - 1)


def _place_on_rings(graph: Graph, placed: Floats, junction: Flags) -> None:
    """Place the junctions of roundabouts on circles with the areas of their faces.

    The straight lines of the arms of a ring meet outside of it, and thinning moves junctions outwards.
    """
    points = np.column_stack((graph.row, graph.col)).astype(np.float64)
    nodes = np.column_stack((graph.node_row, graph.node_col))
    points[graph.start[:-1]], points[graph.start[1:] - 1] = nodes[graph.ends[:, 0]], nodes[graph.ends[:, 1]]
    lines = shapely.linestrings(points, indices=np.repeat(np.arange(graph.edge_count), np.diff(graph.start)))
    faces = shapely.get_parts(shapely.polygonize(lines[shapely.length(lines) < _RING_LENGTH]))
    circle = np.pi * shapely.minimum_bounding_radius(faces) ** 2
    rings = faces[(shapely.length(faces) < _RING_LENGTH) & (shapely.area(faces) > _ROUNDNESS * circle)]
    junctions = np.flatnonzero(junction)
    ring, found = shapely.STRtree(shapely.points(nodes[junctions])).query(rings, predicate="touches")
    node, middle = junctions[found], shapely.get_coordinates(shapely.centroid(rings))[ring]
    outwards = nodes[node] - middle
    radius = np.sqrt(shapely.area(rings)[ring] / np.pi)
    placed[node] = middle + outwards * (radius / np.hypot(*outwards.T))[:, np.newaxis]
