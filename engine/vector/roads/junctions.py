"""Merge the clusters of junctions that thinning makes of one crossing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .graph import Flags, Floats, Graph, dissolve, keep_edges

#: Loops and twins that a merged junction closes are no roads where they are shorter than this many widths.
LOOP_FACTOR = 3.5


def merge_junctions(graph: Graph) -> Graph:
    """Merge junctions that are closer along the line than the road is wide; the new node is their mean.

    Loops that arise and are shorter than 3.5 widths go with it; true loops (turning circles, roundabouts) stay.
    """
    if graph.edges == 0:
        return graph
    degree = graph.degree()
    lengths = graph.lengths()
    width = node_widths(graph)[graph.ends].max(axis=1)
    short = (lengths <= width) & (degree[graph.ends] > 2).all(axis=1) & (graph.ends[:, 0] != graph.ends[:, 1])
    short &= ~graph.node_border[graph.ends].any(axis=1)
    if short.any():
        graph = _contract(graph, short, width)
    # One name alone is kept: graphs of large rasters fill the memory.
    graph = keep_edges(graph, ~short & ~_small_loops(graph, lengths, width))
    return dissolve(graph)


def node_widths(graph: Graph) -> Floats:
    """The width of the widest road that meets at each node; that of a bridge is where it leaves the road."""
    seen = np.flatnonzero(graph.width)
    start, stop = np.searchsorted(seen, graph.start[:-1]), np.searchsorted(seen, graph.start[1:])
    road = np.flatnonzero(stop > start)  # edges that are more than a bridge
    width = np.zeros(graph.nodes)
    np.maximum.at(width, graph.ends[road, 0], graph.width[seen[start[road]]])
    np.maximum.at(width, graph.ends[road, 1], graph.width[seen[stop[road] - 1]])
    return width


def _contract(graph: Graph, short: Flags, width: Floats) -> Graph:
    """The same edges between merged nodes."""
    pairs = graph.ends[short]
    matrix = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(graph.nodes,) * 2)
    count, group = connected_components(matrix, directed=False)
    size = np.bincount(group, minlength=count)
    radius = np.zeros(count)
    np.maximum.at(radius, group[pairs[:, 0]], 0.5 * width[short])
    border = np.zeros(count, np.bool_)
    np.logical_or.at(border, group, graph.node_border)
    np.maximum.at(radius, group, graph.node_radius)
    return replace(
        graph,
        node_row=np.bincount(group, weights=graph.node_row, minlength=count) / size,
        node_col=np.bincount(group, weights=graph.node_col, minlength=count) / size,
        node_border=border,
        node_radius=radius,
        ends=group[graph.ends].astype(np.int32),
    )


def _small_loops(graph: Graph, lengths: Floats, width: Floats) -> Flags:
    """Loops that are shorter than the road's own outline would be."""
    return np.asarray((graph.ends[:, 0] == graph.ends[:, 1]) & (lengths < LOOP_FACTOR * width), np.bool_)
