"""The search for links finds what trying every point with every point of the raster finds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.morphology import skeletonize
from terraspore.engine.vector.roads.centerlines import CenterlinePixels
from terraspore.engine.vector.roads.gaps import build_index
from terraspore.engine.vector.roads.graph import Graph, trace
from terraspore.engine.vector.roads.kernels.graph_index import GraphIndex
from terraspore.engine.vector.roads.kernels.links import (
    ARM_POINTS,
    FEWEST,
    LinkRules,
    Ways,
    find_link,
    find_links,
    follow_ways,
    goes_straight_on,
    longest_way,
    reset_ways,
)
from terraspore.engine.vector.roads.links import find_boxes, make_ways

RULES = LinkRules(reach=25.0, detour=60.0)


def lines_of_noise(seed: int, top: int = 0, left: int = 0) -> Graph:
    """The centre lines of blobs of noise in a raster: rings, loops, and pieces of all lengths side by side."""
    field = cv2.GaussianBlur(np.random.default_rng(seed).random((150, 220)).astype(np.float32), (0, 0), 4.0)
    row, col = (
        at + begin for at, begin in zip(np.nonzero(skeletonize(field > np.median(field))), (top, left), strict=True)
    )
    width, probability = np.full(row.size, 3.0, np.float32), np.full(row.size, 200, np.uint8)
    return trace(
        CenterlinePixels(row.astype(np.int32), col.astype(np.int32), width, probability), (top + 150, left + 220)
    )


def search_everywhere(index: GraphIndex, ways: Ways, shape: tuple[int, int]) -> list[tuple[int, int, float]]:
    """Search the whole raster for the link of every point."""
    found, is_long, window = [], np.ones(len(index.ends), np.bool_), (0, 0, shape[0] - 1, shape[1] - 1)
    for edge, (first, stop) in enumerate(zip(index.start[:-1].tolist(), index.start[1:].tolist(), strict=True)):
        counts = follow_ways(index, RULES, ways, edge)
        for point in range(first, stop):
            for side in (-1, 1):
                back = min(max(point + side * ARM_POINTS, first), stop - 1)
                if abs(back - point) >= FEWEST and not goes_straight_on(index, edge, point, back):
                    target, score = find_link(index, RULES, ways, is_long, window, edge, point, back)
                    found += [(point, target, score)] if target >= 0 else []
        reset_ways(ways, counts)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_links_are_those_of_a_search_of_the_whole_raster(seed: int) -> None:
    graph = lines_of_noise(seed)
    index, ways = build_index(graph, np.zeros(0, np.int64)), make_ways(graph)
    expected = search_everywhere(index, ways, graph.shape)
    links = find_links(index, RULES, ways, find_boxes(graph), np.ones(graph.edge_count, np.bool_))
    assert list(zip(*(column.tolist() for column in links), strict=True)) == expected
    assert len(expected) > 20


def test_the_grid_of_a_partition_does_not_depend_on_the_raster() -> None:
    links, cells = [], []
    for top, left in ((0, 0), (640, 128_000)):
        graph = lines_of_noise(5, top, left)
        index, ways, boxes = build_index(graph, np.zeros(0, np.int64)), make_ways(graph), find_boxes(graph)
        links.append(find_links(index, RULES, ways, boxes, np.ones(graph.edge_count, np.bool_)))
        cells.append(boxes.cell_first)
    np.testing.assert_array_equal(np.stack(links[0]), np.stack(links[1]))
    np.testing.assert_array_equal(*cells)


def test_no_way_between_two_edges_is_longer_than_the_limit_of_their_ends() -> None:
    graph = lines_of_noise(4)
    index, ways = build_index(graph, np.zeros(0, np.int64)), make_ways(graph)
    checked = 0
    for edge in range(graph.edge_count):
        counts = follow_ways(index, RULES._replace(detour=200.0), ways, edge)
        for other in range(graph.edge_count):
            limit = longest_way(index, ways, edge, other)
            if other == edge or not np.isfinite(limit):
                continue
            here, there = (ways.along[graph.start[one] : graph.start[one + 1]] for one in (edge, other))
            one, two = graph.ends[other]
            by_first = np.minimum(ways.first[one] + there, ways.first[two] + index.length[other] - there)
            by_last = np.minimum(ways.last[one] + there, ways.last[two] + index.length[other] - there)
            way = np.minimum(here[:, None] + by_first, index.length[edge] - here[:, None] + by_last)
            assert way.max() <= limit
            checked += 1
        reset_ways(ways, counts)
    assert checked > 100
