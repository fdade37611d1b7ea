"""The road network as a multigraph in flat arrays; parallel edges and loops are kept.

An edge is a sequence of points on the pixel lattice that includes both of its nodes. Nodes have positions of their own,
since merging junctions moves them off the lattice. Methods change a graph in place, one column after the other, because
the points of a large network fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..arrays import Flags, Floats, Ints, make_offsets
from .centerlines import CenterlinePixels, Tile
from .kernels.graph import follow_chains, join_points, link_pixels, measure_edges, trace_edges

#: Number of bits set in each byte.
_BIT_COUNTS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


@dataclass
class Graph:
    """A road network in pixels.

    Attributes:
        node_row: float64 (nodes,), row of each node; the centre of a pixel has whole coordinates.
        node_col: float64 (nodes,), column of each node.
        node_border: bool (nodes,), whether the node lies on the raster's border.
        node_radius: float64 (nodes,), edges lead straight to a merged junction within this many pixels of it; 0 for
            other nodes.
        ends: int32 (edges, 2), first and last node of each edge.
        start: int64 (edges + 1,), offset of each edge's points.
        row: int32 (points,), row of each point.
        col: int32 (points,), column of each point.
        width: float32 (points,), width of the road in pixels; 0 in closed gaps.
        probability: uint8 (points,), quantized probability.
        shape: rows and columns of the raster.
        window: the part of the raster whose network this is; None for all of it. Edges that leave it end with a node on
            its outermost pixels, for which ``node_border`` is set.
    """

    node_row: Floats
    node_col: Floats
    node_border: Flags
    node_radius: Floats
    ends: NDArray[np.int32]
    start: Ints
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]
    probability: NDArray[np.uint8]
    shape: tuple[int, int]
    window: Tile | None = None

    @property
    def edge_count(self) -> int:
        """The number of edges."""
        return len(self.ends)

    @property
    def node_count(self) -> int:
        """The number of nodes, isolated ones included."""
        return len(self.node_row)

    def degree(self) -> Ints:
        """Count the edge ends at each node; a loop counts twice."""
        return np.bincount(self.ends.ravel(), minlength=self.node_count)

    def lengths(self) -> Floats:
        """Measure each edge along its points, in pixels."""
        return measure_edges(self.start, self.row, self.col, np.zeros(0))

    def seen_lengths(self) -> Floats:
        """Measure each edge along its points without its closed gaps, in pixels."""
        edge = np.repeat(np.arange(self.edge_count), np.diff(self.start))
        return np.bincount(edge, self.seen_step_lengths(), self.edge_count).astype(np.float64)

    def raster_border_nodes(self) -> Flags:
        """Find the nodes on the raster's border."""
        return find_border(self.node_row, self.node_col, Tile(0, 0, *self.shape))

    def step_lengths(self) -> Floats:
        """Measure the distance of each point from the one before on its edge; 0 for the first point of an edge."""
        steps = np.zeros(self.row.size)
        steps[1:] = np.hypot(np.diff(self.row), np.diff(self.col))
        steps[self.start[:-1]] = 0.0
        return steps

    def seen_step_lengths(self) -> Floats:
        """Measure steps as ``step_lengths``, without closed gaps; a step into or out of one counts half."""
        is_seen = (self.width > 0.0).astype(np.float64)
        return self.step_lengths() * 0.5 * (is_seen + np.roll(is_seen, 1))

    def cut_nodes(self) -> Flags:
        """Find the nodes at which edges leave the window, although they go on in the raster."""
        if self.window is None:
            return np.zeros(self.node_count, np.bool_)
        return find_border(self.node_row, self.node_col, self.window) & ~self.raster_border_nodes()

    def distances_along(self) -> Floats:
        """Measure the distance of each point from the first point of its edge, along the edge, in pixels."""
        along = np.zeros(self.row.size)
        measure_edges(self.start, self.row, self.col, along)
        return along

    def components(self) -> Ints:
        """Label the connected component of each node."""
        return label_components(self.ends, self.node_count)

    def keep_edges(self, keep: Flags) -> None:
        """Remove the edges that are not in the mask ``keep``, and the nodes that lose their last edge."""
        if keep.all():
            return
        sizes = np.diff(self.start)
        self._select(self.ends[keep], make_offsets(sizes[keep]), np.repeat(keep, sizes))

    def keep_points(self, keep: Flags) -> None:
        """Remove the points that are not in the mask ``keep``; at least two of each edge have to stay."""
        counts = np.add.reduceat(keep.astype(np.int64), self.start[:-1])
        self._select(self.ends, make_offsets(counts), keep)

    def dissolve_pseudo_nodes(self) -> None:
        """Join the two edges at every node of degree two; a ring keeps one node."""
        degree = self.degree()
        keep = degree != 2
        if keep.all():
            return
        tail = self.ends.ravel()
        node_halves = np.argsort(tail, kind="stable").astype(np.int32)
        order, chain_start = follow_chains(make_offsets(degree), node_halves, tail, keep)
        points, start = join_points(order, chain_start, self.start, self.row, self.col, self.width)
        first, last = order[chain_start[:-1]], order[chain_start[1:] - 1]
        self._select(np.column_stack((tail[first], tail[last ^ 1])), start, points)

    def _select(self, ends: NDArray[np.int32], start: Ints, points: NDArray[np.int32] | Flags) -> None:
        """Replace the edges; keep the nodes that they use and the selected points."""
        used, inverse = np.unique(ends, return_inverse=True)
        self.ends = inverse.reshape(-1, 2).astype(np.int32)
        self.node_row = self.node_row[used]
        self.node_col = self.node_col[used]
        self.node_border = self.node_border[used]
        self.node_radius = self.node_radius[used]
        self.take_points(points, start)

    def take_points(self, points: NDArray[np.int32] | Flags, start: Ints) -> None:
        """Replace the points of the edges by some of them; ``start`` is the offset of each edge in these."""
        self.start = start
        self.row = self.row[points]
        self.col = self.col[points]
        self.width = self.width[points]
        self.probability = self.probability[points]


def label_components(pairs: NDArray[np.integer[Any]], nodes: int) -> Ints:
    """Label the connected component of each of some nodes, which are joined by ``pairs`` (n, 2)."""
    matrix = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))
    return np.asarray(connected_components(matrix, directed=False)[1], np.int64)


def find_border(row: NDArray[np.number[Any]], col: NDArray[np.number[Any]], window: Tile) -> Flags:
    """Find the points that lie on the outermost pixels of a window."""
    is_on_side = (row == window.row) | (row == window.row + window.height - 1)
    return np.asarray(is_on_side | (col == window.col) | (col == window.col + window.width - 1), np.bool_)


def trace(pixels: CenterlinePixels, shape: tuple[int, int], window: Tile | None = None) -> Graph:
    """Trace centre-line pixels of a raster of ``shape``, or of a window of it, into a graph.

    Nodes are ends and crossings, and one pixel of each ring.
    """
    row_start = np.searchsorted(pixels.row, np.arange(shape[0] + 1)).astype(np.int64)
    above, below, near, linked = link_pixels(row_start, pixels.col)
    path, start = trace_edges(above, below, near, linked, _BIT_COUNTS[linked])
    del above, below, near, linked
    firsts, lasts = path[start[:-1]], path[start[1:] - 1]
    node_pixels, ends = np.unique(np.concatenate((firsts, lasts)), return_inverse=True)
    row, col = pixels.row[node_pixels], pixels.col[node_pixels]
    border = find_border(row, col, Tile(0, 0, *shape))
    graph = Graph(
        node_row=row.astype(np.float64),
        node_col=col.astype(np.float64),
        node_border=border if window is None else border | find_border(row, col, window),
        node_radius=np.zeros(row.size),
        ends=ends.reshape(2, -1).T.astype(np.int32),
        start=start,
        row=pixels.row[path],
        col=pixels.col[path],
        width=pixels.width[path],
        probability=pixels.probability[path],
        shape=shape,
        window=window,
    )
    graph.keep_edges(np.diff(start) > 1)  # single pixels are no roads
    return graph
