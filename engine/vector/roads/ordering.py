"""The order of a network's nodes and edges, which depends on their pixels and on nothing else.

A window of the raster and the whole raster are traced and cleaned in different orders. In this order both have the same
edges in the same directions, and lines made of them are the same to the last digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Flags, Ints
from .centerlines import Tile
from .graph import Graph, find_border
from .kernels.graph import take_points, turn_rings


def sort_network(graph: Graph) -> None:
    """Sort nodes and edges by their pixels, in place; see ``sort_edges`` and ``node_keys``."""
    if graph.edge_count == 0:
        return
    sort_edges(graph, (graph.ends[:, 0] == graph.ends[:, 1]) & (graph.degree()[graph.ends[:, 0]] == 2))
    by_key = np.argsort(node_keys(graph), kind="stable")
    number = np.empty(graph.node_count, np.int32)
    number[by_key] = np.arange(graph.node_count, dtype=np.int32)
    graph.ends = number[graph.ends]
    graph.node_row, graph.node_col = graph.node_row[by_key], graph.node_col[by_key]
    graph.node_border, graph.node_radius = graph.node_border[by_key], graph.node_radius[by_key]


def sort_edges(graph: Graph, is_ring: Flags) -> None:
    """Direct edges away from their upper end, and sort them by their first pixel, then by their second one, in place.

    Args:
        graph: the network, with at least one edge; its nodes stay in their order.
        is_ring: (edges,), rings without a junction, which will begin at their uppermost pixel.
    """
    if is_ring.any():
        _turn_rings(graph, is_ring)
    first, last = graph.start[:-1], graph.start[1:] - 1
    keys = pixel_keys(graph.row, graph.col)
    is_reversed = (keys[last] < keys[first]) | ((keys[last] == keys[first]) & (keys[last - 1] < keys[first + 1]))
    one = np.where(is_reversed, keys[last], keys[first])
    two = np.where(is_reversed, keys[last - 1], keys[first + 1])
    del keys
    order = np.lexsort((two, one))
    graph.ends = np.where(is_reversed[:, np.newaxis], graph.ends[:, ::-1], graph.ends)[order]
    graph.take_points(*take_points(graph.start, order, is_reversed))


def pixel_keys(row: NDArray[np.int32], col: NDArray[np.int32]) -> Ints:
    """Return row * 2^32 + column of pixels."""
    return np.asarray(row.astype(np.int64) << 32 | col, np.int64)


def node_keys(graph: Graph) -> Ints:
    """Find the key of the uppermost, then leftmost pixel at which an edge of each node ends; see ``pixel_keys``."""
    keys = np.full(graph.node_count, np.iinfo(np.int64).max)
    for column, point in enumerate((graph.start[:-1], graph.start[1:] - 1)):
        np.minimum.at(keys, graph.ends[:, column], pixel_keys(graph.row[point], graph.col[point]))
    return keys


def _turn_rings(graph: Graph, is_ring: Flags) -> None:
    graph.take_points(*turn_rings(graph.start, graph.row, graph.col, is_ring))
    node, point = graph.ends[is_ring, 0], graph.start[:-1][is_ring]
    graph.node_row[node], graph.node_col[node] = graph.row[point], graph.col[point]
    graph.node_radius[node] = 0.0
    graph.node_border[node] = find_border(graph.row[point], graph.col[point], Tile(0, 0, *graph.shape))
