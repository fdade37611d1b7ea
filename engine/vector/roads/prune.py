"""Drop the spurs that thinning leaves at the bumps of a road's edge."""

from __future__ import annotations

import numpy as np

from .graph import Flags, Graph, dissolve, keep_edges

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
