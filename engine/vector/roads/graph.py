"""The road network as a multigraph of flat arrays: parallel edges and loops are kept, nothing is an object.

An edge is a run of points on the pixel lattice, its two nodes included. Positions of nodes are apart, since merging
junctions moves nodes off the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .centerlines import Pixels, link
from .kernels.lines import edge_lengths
from .kernels.tracing import count_links, follow_chains, join_points, trace_edges

Ints = NDArray[np.int64]
Nodes = NDArray[np.int32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Graph:
    """A road network in pixels.

    Attributes:
        node_row: float64 (nodes,), row of each node; a pixel's centre has whole coordinates.
        node_col: float64 (nodes,), column of each node.
        node_border: bool (nodes,), whether the node lies on the raster's edge.
        node_radius: float64 (nodes,), within this many pixels of a merged junction its edges lead straight to it;
            0 for a node that was not merged.
        ends: int32 (edges, 2), first and last node of each edge.
        start: int64 (edges + 1,), where each edge's points begin.
        row: int32 (points,), row of each point.
        col: int32 (points,), column of each point.
        width: float32 (points,), width of the road in pixels; 0 on bridges.
        level: uint8 (points,), probability in units of 1/250.
        shape: rows and columns of the raster.
    """

    node_row: Floats
    node_col: Floats
    node_border: Flags
    node_radius: Floats
    ends: Nodes
    start: Ints
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]
    level: NDArray[np.uint8]
    shape: tuple[int, int]

    @property
    def edges(self) -> int:
        """The number of edges."""
        return len(self.ends)

    @property
    def nodes(self) -> int:
        """The number of nodes, also those without edges."""
        return len(self.node_row)

    def degree(self) -> Ints:
        """The number of edge ends at each node (a loop counts twice)."""
        return np.bincount(self.ends.ravel(), minlength=self.nodes)

    def lengths(self) -> Floats:
        """The length of each edge in pixels, along its points."""
        return edge_lengths(self.start, self.row, self.col)

    def point_steps(self) -> Floats:
        """The distance of each point from the one before on its edge; 0 for the first point of an edge."""
        steps = np.zeros(self.row.size)
        steps[1:] = np.hypot(np.diff(self.row), np.diff(self.col))
        steps[self.start[:-1]] = 0.0
        return steps

    def end_widths(self) -> NDArray[np.float32]:
        """The width at the first and last point of each edge; (edges, 2)."""
        return np.column_stack((self.width[self.start[:-1]], self.width[self.start[1:] - 1]))


def run_sums(values: NDArray[np.float64], start: Ints) -> Floats:
    """Sums over runs that are not empty: run i is ``values[start[i]:start[i + 1]]``."""
    if start.size <= 1:
        return np.zeros(0)
    return np.asarray(np.add.reduceat(values, start[:-1]), np.float64)


def trace(pixels: Pixels) -> Graph:
    """Trace centre-line pixels into a graph: nodes are ends and crossings, and one pixel of each ring."""
    path, start = _trace_pixels(pixels)
    firsts, lasts = path[start[:-1]], path[start[1:] - 1]
    node_pixels, ends = np.unique(np.concatenate((firsts, lasts)), return_inverse=True)
    row, col = pixels.row[node_pixels], pixels.col[node_pixels]
    rows, cols = pixels.shape
    graph = Graph(
        node_row=row.astype(np.float64),
        node_col=col.astype(np.float64),
        node_border=(row == 0) | (col == 0) | (row == rows - 1) | (col == cols - 1),
        node_radius=np.zeros(row.size),
        ends=ends.reshape(2, -1).T.astype(np.int32),
        start=start,
        row=pixels.row[path],
        col=pixels.col[path],
        width=pixels.width[path],
        level=pixels.level[path],
        shape=pixels.shape,
    )
    return keep_edges(graph, np.diff(start) > 1)  # lone pixels are no roads


def _trace_pixels(pixels: Pixels) -> tuple[NDArray[np.int32], Ints]:
    """The pixels of all edges and where each starts, as ``trace_edges`` gives them; the links are gone afterwards."""
    links = link(pixels)
    return trace_edges(links.above, links.below, links.near, links.linked, count_links(links.linked))


def keep_edges(graph: Graph, keep: Flags) -> Graph:
    """The graph without some edges and without the nodes that no edge is left at."""
    if keep.all():
        return graph
    sizes = np.diff(graph.start)
    points = np.repeat(keep, sizes)
    kept_ends = graph.ends[keep]
    used, ends = np.unique(kept_ends, return_inverse=True)
    return replace(
        graph,
        node_row=graph.node_row[used],
        node_col=graph.node_col[used],
        node_border=graph.node_border[used],
        node_radius=graph.node_radius[used],
        ends=ends.reshape(-1, 2).astype(np.int32),
        start=np.concatenate(([0], np.cumsum(sizes[keep]))).astype(np.int64),
        row=graph.row[points],
        col=graph.col[points],
        width=graph.width[points],
        level=graph.level[points],
    )


def dissolve(graph: Graph) -> Graph:
    """Join the two edges at every node of degree two; a ring keeps one node."""
    degree = graph.degree()
    keep = degree != 2
    if keep.all():
        return graph
    tail = graph.ends.ravel()
    node_halves = np.argsort(tail, kind="stable").astype(np.int32)
    node_first = np.concatenate(([0], np.cumsum(degree))).astype(np.int64)
    order, chain_start = follow_chains(node_first, node_halves, tail, keep)
    take, start = join_points(order, chain_start, graph.start, graph.row, graph.col)
    first, last = order[chain_start[:-1]], order[chain_start[1:] - 1]
    ends = np.column_stack((tail[first], tail[last ^ 1]))
    used, ends = np.unique(ends, return_inverse=True)
    return replace(
        graph,
        node_row=graph.node_row[used],
        node_col=graph.node_col[used],
        node_border=graph.node_border[used],
        node_radius=graph.node_radius[used],
        ends=ends.reshape(-1, 2).astype(np.int32),
        start=start,
        row=graph.row[take],
        col=graph.col[take],
        width=graph.width[take],
        level=graph.level[take],
    )


def components(graph: Graph) -> Ints:
    """The connected component of each node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(graph.edges, np.int8)
    matrix = coo_array((ones, (graph.ends[:, 0], graph.ends[:, 1])), shape=(graph.nodes, graph.nodes))
    return np.asarray(connected_components(matrix, directed=False)[1], np.int64)


def drop_weak(graph: Graph, strong_level: int, min_length: float) -> Graph:
    """Drop connected pieces that reach ``strong_level`` nowhere or have less than ``min_length`` pixels of road."""
    if graph.edges == 0:
        return graph
    piece = components(graph)[graph.ends[:, 0]]
    count = int(piece.max()) + 1
    length = np.bincount(piece, weights=graph.lengths(), minlength=count)
    strongest = np.zeros(count, np.int64)
    np.maximum.at(strongest, piece, np.maximum.reduceat(graph.level, graph.start[:-1]))
    return keep_edges(graph, ((length >= min_length) & (strongest >= strong_level))[piece])
