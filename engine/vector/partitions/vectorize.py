"""Build the road network of one partition and cut it at the borders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...context import RunContext
from ...protocol.options import RoadOptions
from ...raster.probability import ProbabilityRaster
from ..arrays import Bits, Flags, Ints, Labels, concatenate_tables, make_offsets
from ..geodesy import PixelGeodesy
from ..roads.centerlines import Tile
from ..roads.extract import build_graph
from ..roads.graph import Graph
from ..roads.kernels.graph import take_points
from ..roads.layers import classify_nodes
from ..roads.lines import RoadLines, make_lines
from ..roads.ordering import node_keys, pixel_keys
from .layout import grow, network_halo
from .sides import find_sides
from .tables import (
    NO_KEY,
    ComponentTable,
    ForeignNodes,
    Frame,
    LineTable,
    NodeTable,
    PieceTable,
    PointTable,
    RoadPartition,
    is_inside,
)


def vectorize_road_partition(
    source: ProbabilityRaster, window: Tile, options: RoadOptions, *, name: str, context: RunContext
) -> RoadPartition:
    """Extract the road network of one partition of a raster.

    Args:
        source: the probabilities of the whole raster; only the partition and ``reading_margin`` around it are read.
        window: the partition; those of a raster cover it, see ``split_raster``.
        options: of the roads.
        name: of the raster.
        context: receives progress; checked for cancellation.
    """
    geodesy = PixelGeodesy(source.crs, source.transform)
    resolution = geodesy.resolution(source.shape)
    area = grow(window, network_halo(options, resolution), source.shape)
    graph = build_graph(source, options, resolution, context, area)
    crs = "" if geodesy.crs is None else geodesy.crs.to_wkt()
    frame = Frame(name, source.shape, tuple(source.transform)[:6], crs, options)
    return cut_network(graph, window, geodesy, frame)


@dataclass(frozen=True)
class _Cut:
    """The network of a partition with its halo, and what of it lies in the partition.

    Attributes:
        graph: the network, in the order of ``sort_network``.
        node_key: (nodes,), see ``node_keys``.
        kind: (nodes,), see ``classify_nodes``.
        component: (nodes,), component of each node, numbered among those with a part in the partition; -1 for others.
        key: (points,), key of each point.
        is_own: (points,), whether the point lies in the partition.
    """

    graph: Graph
    node_key: Ints
    kind: Bits
    component: Labels
    key: Ints
    is_own: Flags


def cut_network(graph: Graph, window: Tile, geodesy: PixelGeodesy, frame: Frame) -> RoadPartition:
    """Cut the network of a partition with its halo at the border of the partition.

    Args:
        graph: the network, in the order of ``sort_network``.
        window: the partition.
        geodesy: of the raster.
        frame: of the raster.
    """
    key, node_key = pixel_keys(graph.row, graph.col), node_keys(graph)
    is_own, is_own_node = is_inside(key, window), is_inside(node_key, window)
    point_edge = np.repeat(np.arange(graph.edge_count), np.diff(graph.start))
    count = np.bincount(point_edge[is_own], minlength=graph.edge_count)
    label = graph.components()
    used = np.union1d(label[is_own_node], label[graph.ends[count > 0, 0]])
    number = np.full(graph.node_count, NO_KEY, np.int32)
    number[used] = np.arange(used.size, dtype=np.int32)
    cut = _Cut(graph, node_key, classify_nodes(graph), number[label], key, is_own)

    whole = np.flatnonzero(count == np.diff(graph.start))
    lines, road_lines = _make_lines(cut, whole, geodesy, frame)
    first, last = _find_runs(cut)
    start = make_offsets(last + 1 - first)
    taken = np.arange(start[-1]) + np.repeat(first - start[:-1], last + 1 - first)
    pieces = _make_pieces(cut, first, last, point_edge[first], _find_tops(key, taken, start))
    columns = (column[taken] for column in (graph.row, graph.col, graph.width, graph.probability))
    unit = np.full(key.size, -1, np.int32)
    unit[taken] = np.repeat(np.arange(first.size), np.diff(start)) + whole.size
    line = np.full(graph.edge_count, -1, np.int32)
    line[whole] = np.arange(whole.size)
    unit = np.where(line[point_edge] >= 0, line[point_edge], unit).astype(np.int32)
    sides, samples = find_sides(graph, unit, (whole.size, first.size), window, frame.pair_distance(geodesy))
    own = np.flatnonzero(is_own_node)
    nodes = NodeTable(
        node_key[own],
        graph.node_row[own],
        graph.node_col[own],
        graph.degree()[own].astype(np.int32),
        cut.kind[own],
        cut.component[own],
    )
    components = _measure_components(cut, point_edge, used.size, own)
    foreign = _find_foreign_nodes(lines, pieces, window)
    points = PointTable(start, *columns)
    tables = (nodes, lines, road_lines, pieces, points, components, foreign, sides, samples)
    return RoadPartition(frame, window, tables)


def _make_lines(cut: _Cut, edges: Ints, geodesy: PixelGeodesy, frame: Frame) -> tuple[LineTable, RoadLines]:
    """Finish the lines of some edges."""
    graph = cut.graph
    points, start = take_points(graph.start, edges, np.zeros(graph.edge_count, np.bool_))
    taken = replace(graph, ends=graph.ends[edges])
    taken.take_points(points, start)
    table = LineTable(
        key=np.column_stack((cut.key[graph.start[edges]], cut.key[graph.start[edges] + 1])),
        node=cut.node_key[taken.ends],
        kind=cut.kind[taken.ends],
        component=cut.component[taken.ends[:, 0]],
    )
    return table, finish_lines(taken, geodesy, frame)


def finish_lines(graph: Graph, geodesy: PixelGeodesy, frame: Frame) -> RoadLines:
    """Smooth and measure the lines of all edges of a network, see ``make_lines``."""
    resolution = geodesy.resolution(frame.shape)
    smooth, simplify = frame.options.smooth / resolution, frame.options.simplify / resolution
    return concatenate_tables(list(make_lines(graph, geodesy, smooth=smooth, simplify=simplify)))


def _find_runs(cut: _Cut) -> tuple[Ints, Ints]:
    """Find the first and last points of runs that lie in the partition, of edges that do not as a whole."""
    is_first = np.zeros(cut.key.size, np.bool_)
    is_last = is_first.copy()
    is_first[cut.graph.start[:-1]], is_last[cut.graph.start[1:] - 1] = True, True
    before, after = np.roll(cut.is_own, 1) & ~is_first, np.roll(cut.is_own, -1) & ~is_last
    first, last = np.flatnonzero(cut.is_own & ~before), np.flatnonzero(cut.is_own & ~after)
    is_piece = ~(is_first[first] & is_last[last])
    return first[is_piece], last[is_piece]


def _make_pieces(cut: _Cut, first: Ints, last: Ints, edge: Ints, top: Ints) -> PieceTable:
    """Describe pieces, given their first and last points, their edges and their uppermost pixels."""
    graph, key = cut.graph, cut.key
    has_node = np.column_stack((first == graph.start[edge], last == graph.start[edge + 1] - 1))
    outside = np.column_stack((key[np.maximum(first - 1, 0)], key[np.minimum(last + 1, key.size - 1)]))
    inside = np.column_stack((key[np.minimum(first + 1, last)], key[np.maximum(last - 1, first)]))
    second = np.where((first == last)[:, np.newaxis], outside[:, ::-1], inside)
    node = graph.ends[edge]
    return PieceTable(
        corner=np.column_stack((key[first], second[:, 0], key[last], second[:, 1])),
        top=top,
        link=np.where(has_node, NO_KEY, outside),
        node=np.where(has_node, cut.node_key[node], NO_KEY),
        kind=cut.kind[node],
        node_row=graph.node_row[node],
        node_col=graph.node_col[node],
        radius=graph.node_radius[node],
        component=cut.component[node[:, 0]],
    )


def _find_tops(key: Ints, points: Ints, start: Ints) -> Ints:
    """Find the uppermost pixel of each piece and the upper one of its neighbours on the edge; keys (n, 2)."""
    if not points.size:
        return np.zeros((0, 2), np.int64)
    piece = np.repeat(np.arange(start.size - 1), np.diff(start))
    is_top = key[points] == np.minimum.reduceat(key[points], start[:-1])[piece]
    at = points[is_top][np.unique(piece[is_top], return_index=True)[1]]
    return np.column_stack((key[at], np.minimum(key[at - 1], key[np.minimum(at + 1, key.size - 1)])))


def _measure_components(cut: _Cut, point_edge: Ints, count: int, own_nodes: Ints) -> ComponentTable:
    """Measure the part of each component in the partition; a step over the border counts half on each side."""
    steps = cut.graph.seen_step_lengths()
    half = 0.5 * (steps + np.append(steps[1:], 0.0))  # the first step of an edge is 0
    component = cut.component[cut.graph.ends[point_edge[cut.is_own], 0]]
    strongest = np.zeros(count, np.uint8)
    np.maximum.at(strongest, component, cut.graph.probability[cut.is_own])
    is_at_border = np.zeros(count, np.bool_)
    is_at_border[cut.component[own_nodes[cut.graph.raster_border_nodes()[own_nodes]]]] = True
    length = np.bincount(component, half[cut.is_own], minlength=count).astype(np.float64)
    return ComponentTable(length, strongest, is_at_border)


def _find_foreign_nodes(lines: LineTable, pieces: PieceTable, window: Tile) -> ForeignNodes:
    """Find the nodes of other partitions at which lines and pieces end."""
    keys = np.concatenate((lines.node.ravel(), pieces.node.ravel()))
    component = np.concatenate((np.repeat(lines.component, 2), np.repeat(pieces.component, 2)))
    is_foreign = (keys != NO_KEY) & ~is_inside(keys, window)
    return ForeignNodes(keys[is_foreign], component[is_foreign])
