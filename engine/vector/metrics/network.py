"""Road networks as graphs in metres: noded lines, points along them, and the matrix for shortest paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import csr_array

from ..arrays import Floats, Ints, Lines
from ..roads.graph import label_components

#: Vertices closer than this are the same, metres.
PRECISION = 0.01


@dataclass(frozen=True)
class Network:
    """A graph of lines between nodes, in metres.

    Attributes:
        nodes: float64 (nodes, 2), coordinates.
        ends: int64 (edges, 2), first and last node of each line.
        lines: LineStrings (edges,).
        length: float64 (edges,).
    """

    nodes: Floats
    ends: Ints
    lines: Lines
    length: Floats

    def degree(self) -> Ints:
        """Count the line ends at each node, (nodes,)."""
        return np.asarray(np.bincount(self.ends.ravel(), minlength=len(self.nodes)), np.int64)

    def take(self, edges: Ints) -> Network:
        """Some of the edges, with all nodes."""
        return Network(self.nodes, self.ends[edges], self.lines[edges], self.length[edges])


@dataclass(frozen=True)
class EdgePoints:
    """Points on the edges of a network.

    Attributes:
        edge: int64 (n,), the edge of each point.
        along: float64 (n,), distance from the edge's first node, metres.
        xy: float64 (n, 2), coordinates.
    """

    edge: Ints
    along: Floats
    xy: Floats

    def __len__(self) -> int:
        return len(self.edge)

    def take(self, index: Ints) -> EdgePoints:
        """Some of the points."""
        return EdgePoints(self.edge[index], self.along[index], self.xy[index])

    def join(self, other: EdgePoints) -> EdgePoints:
        """These points and then others."""
        return EdgePoints(
            np.concatenate((self.edge, other.edge)),
            np.concatenate((self.along, other.along)),
            np.concatenate((self.xy, other.xy)),
        )


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall, 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic_mean(self.precision, self.recall)


def harmonic_mean(a: float, b: float) -> float:
    """Harmonic mean of two numbers; 0 where one of them is 0."""
    return 2.0 * a * b / (a + b) if a > 0.0 and b > 0.0 else 0.0


def build_network(lines: Lines, *, nodes_crossings: bool = True) -> Network:
    """Split lines (in metres) where they meet or cross, and join what is left between nodes.

    Args:
        lines: LineStrings or MultiLineStrings.
        nodes_crossings: whether lines that cross without a shared vertex meet in a node; a bridge over a road counts as
            a crossing then, because plain lines do not tell them apart.
    """
    lines = lines[~(shapely.is_empty(lines) | shapely.is_missing(lines))]
    noded = shapely.union_all(lines, grid_size=PRECISION) if nodes_crossings else _split_at_vertices(lines)
    merged = shapely.line_merge(noded)
    edges = np.asarray(shapely.get_parts(merged), np.object_)
    edges = edges[shapely.length(edges) > 0.0]
    if not len(edges):
        return Network(np.zeros((0, 2)), np.zeros((0, 2), np.int64), edges, np.zeros(0))
    ends = np.concatenate([shapely.get_coordinates(shapely.get_point(edges, index)) for index in (0, -1)])
    cells = np.rint(ends / PRECISION).astype(np.int64)
    _, index, inverse = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return Network(ends[index], inverse.reshape(2, -1).T.astype(np.int64), edges, shapely.length(edges))


def sample_points(network: Network, spacing: float, *, with_nodes: bool) -> EdgePoints:
    """Sample points along every edge at equal distances of at most ``spacing`` metres.

    Args:
        network: the network.
        spacing: largest distance between neighbouring points, metres.
        with_nodes: whether the nodes are among the points (each once); otherwise each point lies in the middle of its
            section of the edge.
    """
    sections = np.maximum(1, np.ceil(network.length / spacing - 1e-9)).astype(np.int64)
    return divide_edges(network, sections, with_nodes=with_nodes)


def divide_edges(network: Network, sections: Ints, *, with_nodes: bool) -> EdgePoints:
    """Place points at equal distances along every edge.

    Args:
        network: the network.
        sections: number of equal parts of each edge, at least 1.
        with_nodes: as for ``sample_points``; the nodes come first.
    """
    edge = np.repeat(np.arange(len(sections)), sections)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(sections) - sections, sections)
    section_length = network.length / sections
    if not with_nodes:
        return interpolate(network, edge, section_length[edge] * (number + 0.5))
    _, first_end = np.unique(network.ends.ravel(), return_index=True)
    node_edge, is_last = np.divmod(first_end, 2)
    inner = edge[number > 0]
    along = np.concatenate((network.length[node_edge] * is_last, section_length[inner] * number[number > 0]))
    return interpolate(network, np.concatenate((node_edge, inner)), along)


def measure_vertices(network: Network, spacing: float) -> tuple[Ints, Floats]:
    """Divide the segments between vertices, and find the end of each part.

    Segments longer than 1.5 times the spacing are divided into equal parts shorter than it.

    Returns:
        Edge of each part, ascending, and the distance of its end from the edge's first node, metres.
    """
    xy, line = shapely.get_coordinates(network.lines, return_index=True)
    is_segment = line[1:] == line[:-1]
    length, edge = np.hypot(*np.diff(xy, axis=0).T)[is_segment], line[1:][is_segment]
    parts = np.where(length > 1.5 * spacing, (length / spacing).astype(np.int64) + 1, 1)
    step = np.repeat(length / parts, parts)
    along, edge = np.cumsum(step), np.repeat(edge, parts)
    begin = np.concatenate((np.zeros(1), along))[np.searchsorted(edge, np.arange(len(network.lines)))]
    return edge.astype(np.int64), along - begin[edge]


def measure_directions(network: Network, points: EdgePoints) -> Floats:
    """Unit vectors along the edges after points, float64 (n, 2): at a vertex those of the segment that follows."""
    begin = np.maximum(np.minimum(points.along, network.length[points.edge] - 0.1), 0.0)
    ends = [interpolate(network, points.edge, begin + offset).xy for offset in (0.0, 0.1)]
    step = ends[1] - ends[0]
    return np.asarray(step / np.maximum(np.hypot(*step.T), 1e-9)[:, None], np.float64)


def draw_sources(count: int, most: int, seed: int) -> Ints:
    """Draw at most ``most`` of ``count`` indices by a seeded generator, ascending."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False)).astype(np.int64)


def snap_points(network: Network, xy: Floats, distance: float) -> tuple[EdgePoints, Ints]:
    """Find the nearest points of the network.

    Args:
        network: the network.
        xy: float64 (n, 2), coordinates in metres.
        distance: points further away from the network than this are dropped, metres.

    Returns:
        The points on the network and the index into ``xy`` of each.
    """
    if not len(network.lines) or not len(xy):
        return interpolate(network, np.zeros(0, np.int64), np.zeros(0)), np.zeros(0, np.int64)
    points = shapely.points(xy)
    index, edge = shapely.STRtree(network.lines).query_nearest(points, max_distance=distance, all_matches=False)
    along = shapely.line_locate_point(network.lines[edge], points[index])
    return interpolate(network, edge.astype(np.int64), along), index.astype(np.int64)


def build_adjacency_matrix(network: Network, points: EdgePoints) -> tuple[csr_array, Ints]:
    """Build the adjacency matrix of the nodes and some points on the edges, for shortest paths.

    Returns:
        Symmetric sparse matrix of distances in metres between neighbours, nodes first; the row of each point in it.
    """
    count, edges = len(network.nodes), len(network.lines)
    vertex = np.concatenate((network.ends[:, 0], network.ends[:, 1], count + np.arange(len(points))))
    edge = np.concatenate((np.arange(edges), np.arange(edges), points.edge))
    along = np.concatenate((np.zeros(edges), network.length, points.along))
    rank = np.concatenate((np.zeros(edges), np.full(edges, 2), np.ones(len(points))))
    order = np.lexsort((rank, along, edge))
    a, b = vertex[order][:-1], vertex[order][1:]
    is_same_edge = edge[order][1:] == edge[order][:-1]
    # A sparse matrix does not store a distance of 0.
    step = np.maximum(np.diff(along[order]), 1e-9)[is_same_edge]
    low, high = np.minimum(a, b)[is_same_edge], np.maximum(a, b)[is_same_edge]
    order = np.lexsort((step, high, low))
    low, high, step = low[order], high[order], step[order]
    # Keep the shortest of parallel edges, because a sparse matrix would add them up.
    is_kept = np.ones(len(low), np.bool_)
    is_kept[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    is_kept &= low != high
    low, high, step = low[is_kept], high[is_kept], step[is_kept]
    size = count + len(points)
    rows, columns = np.concatenate((low, high)), np.concatenate((high, low))
    matrix = csr_array((np.concatenate((step, step)), (rows, columns)), shape=(size, size))
    return matrix, count + np.arange(len(points))


def find_components(network: Network) -> Ints:
    """Number the connected components from 0; return the number of that of each node."""
    return label_components(network.ends, len(network.nodes))


def interpolate(network: Network, edge: Ints, along: Floats) -> EdgePoints:
    """Points at distances in metres from the first nodes of edges."""
    points = shapely.line_interpolate_point(network.lines[edge], along)
    return EdgePoints(edge, along, shapely.get_coordinates(points))


def _split_at_vertices(lines: Lines) -> object:
    """Split lines into the different segments between their vertices, rounded to ``PRECISION``."""
    xy, line = shapely.get_coordinates(shapely.get_parts(lines), return_index=True)
    cells = np.rint(xy / PRECISION).astype(np.int64)
    pairs = np.stack((cells[:-1], cells[1:]), axis=1)[line[1:] == line[:-1]]
    is_turned = (pairs[:, 0, 0] > pairs[:, 1, 0]) | (
        (pairs[:, 0, 0] == pairs[:, 1, 0]) & (pairs[:, 0, 1] > pairs[:, 1, 1])
    )
    pairs[is_turned] = pairs[is_turned][:, ::-1]
    pairs = np.unique(pairs[(pairs[:, 0] != pairs[:, 1]).any(axis=1)], axis=0)
    return shapely.multilinestrings(shapely.linestrings(pairs * PRECISION))
