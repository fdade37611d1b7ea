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


#: A spur is no road where it is shorter than this many half widths of the road it leaves, and the option ``spur``.
RADIUS_FACTOR = 1.2


def prune(graph: Graph, spur: float) -> Graph:
    """Drop dead ends shorter than 1.2 half widths plus ``spur`` pixels, the shortest first, until there are none.

    At a junction that a dropped spur has made part of a line, nothing more is dropped in the same round: of the two
    prongs at a road's end one goes and the other becomes the end. Roads that leave the raster stay.
    """
    while True:
        doomed = _spurs(graph, spur)
        if not doomed.any():
            return graph
        graph = keep_edges(graph, ~doomed)
        graph = dissolve(graph)


def _spurs(graph: Graph, spur: float) -> Flags:
    """The spurs that go in one round."""
    degree = graph.degree()
    end_degree = degree[graph.ends]
    dead = (end_degree == 1) & ~graph.node_border[graph.ends]
    candidate = (dead[:, 0] & (end_degree[:, 1] > 2)) | (dead[:, 1] & (end_degree[:, 0] > 2))
    lengths, widths = graph.lengths(), graph.end_widths()
    junction_side = np.where(dead[:, 0], 1, 0)
    index = np.arange(graph.edges)
    limit = RADIUS_FACTOR * 0.5 * widths[index, junction_side] + spur
    chosen = np.flatnonzero(candidate & (lengths < limit))
    doomed = np.zeros(graph.edges, np.bool_)
    if chosen.size == 0:
        return doomed
    # Ties are decided by position, so that the result depends on nothing else.
    first = graph.start[chosen]
    chosen = chosen[np.lexsort((graph.col[first], graph.row[first], lengths[chosen]))]
    left = degree.copy()
    for edge in chosen.tolist():
        junction = graph.ends[edge, junction_side[edge]]
        if left[junction] > 2:
            left[junction] -= 1
            doomed[edge] = True
    return doomed
