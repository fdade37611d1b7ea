"""Put bridges into the graph: split the edges that they meet, add them as edges of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .bridge import Bridge
from .graph import Graph, dissolve


def add_bridges(graph: Graph, bridges: Sequence[Bridge]) -> Graph:
    """The graph with ``bridges`` as edges of width 0, and without the dead ends that they continue."""
    if not bridges:
        return graph
    edge_of = np.searchsorted(graph.start, [bridge.target for bridge in bridges], side="right") - 1
    inner = [
        bridge.target
        for bridge, edge in zip(bridges, edge_of.tolist(), strict=True)
        if graph.start[edge] < bridge.target < graph.start[edge + 1] - 1
    ]
    split, node_at = _split(graph, np.unique(np.array(inner, np.int64)))
    first = [int(graph.ends[edge, 0]) for edge in edge_of]
    last = [int(graph.ends[edge, 1]) for edge in edge_of]
    ends = []
    for bridge, edge, a, b in zip(bridges, edge_of.tolist(), first, last, strict=True):
        outer = a if bridge.target == graph.start[edge] else b
        ends.append((bridge.node, node_at.get(bridge.target, outer)))
    sizes = [len(bridge.path) for bridge in bridges]
    path = np.concatenate([bridge.path for bridge in bridges])
    return dissolve(
        replace(
            split,
            ends=np.concatenate((split.ends, np.array(ends, np.int32))),
            start=np.concatenate((split.start, split.start[-1] + np.cumsum(sizes))).astype(np.int64),
            row=np.concatenate((split.row, path[:, 0])),
            col=np.concatenate((split.col, path[:, 1])),
            width=np.concatenate((split.width, np.zeros(len(path), np.float32))),
            level=np.concatenate((split.level, *[bridge.level for bridge in bridges])),
        )
    )


def _split(graph: Graph, points: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[Graph, dict[int, int]]:
    """Make nodes of inner points; returns the graph and the new node of each point."""
    if points.size == 0:
        return graph, {}
    nodes = graph.nodes + np.arange(points.size)
    edge = np.searchsorted(graph.start, points, side="right") - 1
    # The point is repeated: it ends one edge and begins the next.
    take = np.insert(np.arange(graph.row.size), points + 1, points)
    start = np.sort(np.concatenate((graph.start, points + 1)))
    shifted = start + np.searchsorted(points + 1, start, side="left")
    ends = np.insert(graph.ends.ravel(), np.repeat(2 * edge + 1, 2), np.repeat(nodes, 2)).reshape(-1, 2)
    none = np.zeros(points.size)
    split = replace(
        graph,
        node_row=np.concatenate((graph.node_row, graph.row[points])),
        node_col=np.concatenate((graph.node_col, graph.col[points])),
        node_border=np.concatenate((graph.node_border, none.astype(np.bool_))),
        node_radius=np.concatenate((graph.node_radius, none)),
        ends=ends.astype(np.int32),
        start=shifted,
        row=graph.row[take],
        col=graph.col[take],
        width=graph.width[take],
        level=graph.level[take],
    )
    return split, dict(zip(points.tolist(), nodes.tolist(), strict=True))
