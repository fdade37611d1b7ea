"""Put bridges into the graph: split the edges that they meet, add them as edges of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .bridge import Bridge
from .graph import Graph, Ints, Nodes


def add_bridges(graph: Graph, bridges: Sequence[Bridge]) -> Graph:
    """The graph with ``bridges`` as edges of width 0; the dead ends that they continue are nodes of degree two."""
    if not bridges:
        return graph
    edge_of = np.searchsorted(graph.start, [bridge.target for bridge in bridges], side="right") - 1
    inner = [
        bridge.target
        for bridge, edge in zip(bridges, edge_of.tolist(), strict=True)
        if graph.start[edge] < bridge.target < graph.start[edge + 1] - 1
    ]
    splits = np.unique(np.array(inner, np.int64))
    node_at = dict(zip(splits.tolist(), (graph.nodes + np.arange(splits.size)).tolist(), strict=True))
    first = [int(graph.ends[edge, 0]) for edge in edge_of]
    last = [int(graph.ends[edge, 1]) for edge in edge_of]
    ends = []
    for bridge, edge, a, b in zip(bridges, edge_of.tolist(), first, last, strict=True):
        outer = a if bridge.target == graph.start[edge] else b
        ends.append((bridge.node, node_at.get(bridge.target, outer)))
    return _joined(graph, splits, bridges, np.array(ends, np.int32))


def _joined(graph: Graph, splits: Ints, bridges: Sequence[Bridge], bridge_ends: Nodes) -> Graph:
    """The graph with bridges between the nodes ``bridge_ends``, and with new nodes at the points ``splits``.

    The points of large networks fill the memory: each column is made once.
    """
    edge = np.searchsorted(graph.start, splits, side="right") - 1
    # The point is repeated: it ends one edge and begins the next.
    take = np.insert(np.arange(graph.row.size, dtype=np.int32), splits + 1, splits)
    start = np.sort(np.concatenate((graph.start, splits + 1)))
    start += np.searchsorted(splits + 1, start, side="left")
    nodes = np.repeat(graph.nodes + np.arange(splits.size), 2)
    ends = np.insert(graph.ends.ravel(), np.repeat(2 * edge + 1, 2), nodes).reshape(-1, 2)
    none = np.zeros(splits.size)
    path = np.concatenate([bridge.path for bridge in bridges])
    sizes = [len(bridge.path) for bridge in bridges]
    return replace(
        graph,
        node_row=np.concatenate((graph.node_row, graph.row[splits])),
        node_col=np.concatenate((graph.node_col, graph.col[splits])),
        node_border=np.concatenate((graph.node_border, none.astype(np.bool_))),
        node_radius=np.concatenate((graph.node_radius, none)),
        ends=np.concatenate((ends, bridge_ends)).astype(np.int32),
        start=np.concatenate((start, start[-1] + np.cumsum(sizes))).astype(np.int64),
        row=np.concatenate((graph.row[take], path[:, 0])),
        col=np.concatenate((graph.col[take], path[:, 1])),
        width=np.concatenate((graph.width[take], np.zeros(len(path), np.float32))),
        level=np.concatenate((graph.level[take], *[bridge.level for bridge in bridges])),
    )
