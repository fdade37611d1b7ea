"""The order of a network depends on its pixels and not on how it came about."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
from skimage.morphology import skeletonize
from terraspore.engine.vector.roads.centerlines import CenterlinePixels
from terraspore.engine.vector.roads.graph import Graph, trace
from terraspore.engine.vector.roads.kernels.graph import take_points
from terraspore.engine.vector.roads.ordering import node_keys, pixel_keys, sort_network


def draw_network() -> Graph:
    """Crossing lines, parallel edges between two nodes, a loop at a junction and two rings."""
    mask = np.zeros((200, 200), np.uint8)
    for ends in (((0, 50), (199, 60)), ((50, 0), (60, 199)), ((0, 150), (120, 140))):
        cv2.line(mask, *ends, 1)
    for middle, radius in (((100, 57), 15), ((150, 150), 20), ((30, 100), 12), ((58, 170), 9)):
        cv2.circle(mask, middle, radius, 1)
    row, col = (values.astype(np.int32) for values in np.nonzero(skeletonize(mask)))
    width = (row % 7 + 3).astype(np.float32)
    return trace(CenterlinePixels(row, col, width, (col % 90 + 100).astype(np.uint8)), mask.shape)


def shuffle(graph: Graph, seed: int) -> None:
    """Permute nodes and edges, reverse some edges, and let rings begin elsewhere."""
    rng = np.random.default_rng(seed)
    is_ring = (graph.ends[:, 0] == graph.ends[:, 1]) & (graph.degree()[graph.ends[:, 0]] == 2)
    assert is_ring.sum() == 2
    for edge in np.flatnonzero(is_ring).tolist():
        first, last = int(graph.start[edge]), int(graph.start[edge + 1])
        shift = int(rng.integers(1, last - first - 1))
        turned = first + (np.arange(last - first) + shift) % (last - first - 1)
        for name in ("row", "col", "width", "probability"):
            getattr(graph, name)[first:last] = getattr(graph, name)[turned]
        node = graph.ends[edge, 0]
        graph.node_row[node], graph.node_col[node] = graph.row[first], graph.col[first]
    is_reversed, order = rng.random(graph.edge_count) < 0.5, rng.permutation(graph.edge_count)
    graph.ends = np.where(is_reversed[:, None], graph.ends[:, ::-1], graph.ends)[order]
    graph.take_points(*take_points(graph.start, order, is_reversed))
    number = rng.permutation(graph.node_count).astype(np.int32)
    back = np.argsort(number)
    graph.ends = number[graph.ends]
    for name in ("node_row", "node_col", "node_border", "node_radius"):
        setattr(graph, name, getattr(graph, name)[back])


@pytest.mark.parametrize("seed", range(3))
def test_the_order_does_not_depend_on_that_before(seed: int) -> None:
    expected, graph = draw_network(), draw_network()
    sort_network(expected)
    shuffle(graph, seed)
    sort_network(graph)
    for field in fields(Graph):
        np.testing.assert_array_equal(getattr(graph, field.name), getattr(expected, field.name))


def test_nodes_edges_and_points_are_ordered_by_pixels() -> None:
    graph, before = draw_network(), draw_network()
    sort_network(graph)
    keys, nodes = pixel_keys(graph.row, graph.col), node_keys(graph)
    first, last = keys[graph.start[:-1]], keys[graph.start[1:] - 1]
    assert (np.diff(nodes) > 0).all()
    assert (first <= last).all()
    assert (np.diff(first) >= 0).all()
    assert sorted(keys.tolist()) == sorted(pixel_keys(before.row, before.col).tolist())
    position = (graph.node_row.astype(np.int64) << 32) + graph.node_col.astype(np.int64)
    assert (position[graph.ends] == np.column_stack((first, last))).all()
    for edge in np.flatnonzero(first == last).tolist():
        points = keys[graph.start[edge] : graph.start[edge + 1]]
        assert points[1] < points[-2]
        if graph.degree()[graph.ends[edge, 0]] == 2:
            assert points.min() == points[0]


@pytest.mark.parametrize("is_reversed", [[False, False], [True, False], [False, True], [True, True]])
def test_where_a_road_and_a_closed_gap_meet_the_point_is_the_roads(is_reversed: list[bool]) -> None:
    """Whichever way the edges lead: the direction in which they are joined differs between windows of a raster."""
    col = np.array([0, 1, 2, 3, 3, 4, 5, 6], np.int32)
    width = np.array([5, 5, 5, 5, 0, 0, 0, 0], np.float32)
    nodes, none = np.array([0.0, 3.0, 6.0]), np.zeros(3)
    ends, start = np.array([[0, 1], [1, 2]], np.int32), np.array([0, 4, 8])
    row, probability = np.zeros(8, np.int32), np.full(8, 200, np.uint8)
    graph = Graph(none, nodes, none > 0, none, ends, start, row, col, width, probability, (10, 10))
    turned = np.array(is_reversed)
    graph.ends = np.where(turned[:, None], ends[:, ::-1], ends)
    graph.take_points(*take_points(start, np.arange(2), turned))
    graph.dissolve_pseudo_nodes()
    sort_network(graph)
    assert graph.col.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert graph.width.tolist() == [5, 5, 5, 5, 0, 0, 0]
