"""A road network for measuring: lines noded where they meet, and shortest paths between points on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Vertices closer than this are the same, metres.
PRECISION = 0.01


@dataclass(frozen=True)
class Network:
    """Lines between nodes, in metres.

    Attributes:
        nodes: float64 (nodes, 2), coordinates.
        ends: int64 (edges, 2), first and last node of each line.
        lines: LineStrings (edges,).
        length: float64 (edges,).
    """

    nodes: Floats
    ends: Ints
    lines: NDArray[np.object_]
    length: Floats

    def degree(self) -> Ints:
        """The number of line ends at each node."""
        return np.asarray(np.bincount(self.ends.ravel(), minlength=len(self.nodes)), np.int64)


@dataclass(frozen=True)
class Places:
    """Points on the lines of a network.

    Attributes:
        edge: int64 (n,), the line of each.
        along: float64 (n,), its distance from the line's first point.
        xy: float64 (n, 2), its coordinates.
    """

    edge: Ints
    along: Floats
    xy: Floats

    def __len__(self) -> int:
        """The number of places."""
        return len(self.edge)


def build_network(lines: NDArray[np.object_]) -> Network:
    """Node lines (in metres) where they meet or cross, and join what is left between nodes.

    A bridge over a road is taken for a crossing: lines do not say which it is.
    """
    lines = lines[~(shapely.is_empty(lines) | shapely.is_missing(lines))]
    merged = shapely.line_merge(shapely.union_all(lines, grid_size=PRECISION))
    parts = np.asarray(shapely.get_parts(merged), np.object_)
    parts = parts[shapely.length(parts) > 0.0]
    if not len(parts):
        return Network(np.zeros((0, 2)), np.zeros((0, 2), np.int64), parts, np.zeros(0))
    first = shapely.get_coordinates(shapely.get_point(parts, 0))
    last = shapely.get_coordinates(shapely.get_point(parts, -1))
    cells = np.rint(np.concatenate((first, last)) / PRECISION).astype(np.int64)
    _, index, inverse = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    nodes = np.concatenate((first, last))[index]
    return Network(nodes, inverse.reshape(2, -1).T.astype(np.int64), parts, shapely.length(parts))


def regular_places(network: Network, spacing: float, *, with_ends: bool) -> Places:
    """Points at equal distances of at most ``spacing`` metres along every line.

    Args:
        network: the network.
        spacing: largest distance between neighbours.
        with_ends: whether the nodes are among the points (each once).
    """
    parts = np.maximum(1, np.ceil(network.length / spacing - 1e-9)).astype(np.int64)
    edge = np.repeat(np.arange(len(parts)), parts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)
    if with_ends:
        inner = number > 0
        _, at = np.unique(network.ends.ravel(), return_index=True)
        node_edge, is_last = np.divmod(at, 2)
        edge_all = np.concatenate((node_edge, edge[inner]))
        along = np.concatenate(
            (network.length[node_edge] * is_last, (network.length / parts)[edge[inner]] * number[inner])
        )
        return _places(network, edge_all, along)
    return _places(network, edge, (network.length / parts)[edge] * (number + 0.5))


def nearest_places(network: Network, xy: Floats, distance: float) -> tuple[Places, Ints]:
    """The points of the network next to other points.

    Args:
        network: the network.
        xy: float64 (n, 2).
        distance: points further away than this have none.

    Returns:
        The places and, for each, the number of its point; points without a place are missing.
    """
    if not len(network.lines) or not len(xy):
        return _places(network, np.zeros(0, np.int64), np.zeros(0)), np.zeros(0, np.int64)
    points = shapely.points(xy)
    tree = shapely.STRtree(network.lines)
    which, edge = tree.query_nearest(points, max_distance=distance, all_matches=False)
    along = shapely.line_locate_point(network.lines[edge], points[which])
    return _places(network, edge.astype(np.int64), along), which.astype(np.int64)


def path_matrix(network: Network, places: Places) -> tuple[csr_array, Ints]:
    """Distances between neighbours among the nodes and some places, for shortest paths.

    Returns:
        A symmetric sparse matrix and the row of each place in it. The nodes have the first rows.
    """
    count, edges = len(network.nodes), len(network.lines)
    vertex = np.concatenate((network.ends[:, 0], network.ends[:, 1], count + np.arange(len(places))))
    edge = np.concatenate((np.arange(edges), np.arange(edges), places.edge))
    along = np.concatenate((np.zeros(edges), network.length, places.along))
    rank = np.concatenate((np.zeros(edges), np.full(edges, 2), np.ones(len(places))))
    order = np.lexsort((rank, along, edge))
    a, b = vertex[order][:-1], vertex[order][1:]
    inner = edge[order][1:] == edge[order][:-1]
    # A distance of nothing is none to a sparse matrix.
    step = np.maximum(np.diff(along[order]), 1e-9)[inner]
    low, high = np.minimum(a, b)[inner], np.maximum(a, b)[inner]
    size = count + len(places)
    by_length = np.lexsort((step, high, low))
    low, high, step = low[by_length], high[by_length], step[by_length]
    # Of parallel lines the shortest counts: a sparse matrix would add them up.
    first = np.ones(len(low), np.bool_)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first &= low != high
    one, other, metres = low[first], high[first], step[first]
    matrix = csr_array(
        (np.concatenate((metres, metres)), (np.concatenate((one, other)), np.concatenate((other, one)))),
        shape=(size, size),
    )
    return matrix, count + np.arange(len(places))


def _places(network: Network, edge: Ints, along: Floats) -> Places:
    points = shapely.line_interpolate_point(network.lines[edge], along)
    return Places(edge, along, shapely.get_coordinates(points))
