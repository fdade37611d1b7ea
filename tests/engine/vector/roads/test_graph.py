"""Tracing against networkx: the same pixels give the same topology."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import skeletonize
from terraspore.engine.vector.roads.centerlines import CenterlinePixels
from terraspore.engine.vector.roads.graph import Graph, trace

masks = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.booleans())


def pixels_of(mask: np.ndarray) -> CenterlinePixels:
    row, col = np.nonzero(mask)
    return CenterlinePixels(
        row.astype(np.int32),
        col.astype(np.int32),
        np.full(len(row), 3.0, np.float32),
        np.full(len(row), 200, np.uint8),
    )


def adjacency(mask: np.ndarray) -> nx.Graph:
    """Pixels as nodes, sides as edges, corners only where no side leads around."""
    graph = nx.Graph()
    cells = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    graph.add_nodes_from(cells)
    for r, c in cells:
        for other in ((r, c + 1), (r + 1, c)):
            if other in cells:
                graph.add_edge((r, c), other)
        for dc in (-1, 1):
            if (r + 1, c + dc) in cells and (r, c + dc) not in cells and (r + 1, c) not in cells:
                graph.add_edge((r, c), (r + 1, c + dc))
    return graph


def steps_of(graph: Graph) -> list[frozenset[tuple[int, int]]]:
    """All steps from point to point of all edges."""
    steps = []
    for first, last in zip(graph.start[:-1], graph.start[1:], strict=True):
        run = list(zip(graph.row[first:last].tolist(), graph.col[first:last].tolist(), strict=True))
        steps += [frozenset(pair) for pair in itertools.pairwise(run)]
    return steps


@settings(max_examples=120)
@given(masks)
def test_every_link_between_pixels_is_in_exactly_one_edge(mask: np.ndarray) -> None:
    expected = sorted(map(sorted, adjacency(mask).edges))
    assert sorted(map(sorted, steps_of(trace(pixels_of(mask), mask.shape)))) == expected


@settings(max_examples=120)
@given(masks)
def test_edges_of_a_skeleton_lie_in_the_mask_and_join_what_it_joins(mask: np.ndarray) -> None:
    skeleton = skeletonize(mask)
    graph = trace(pixels_of(skeleton), skeleton.shape)
    assert mask[graph.row, graph.col].all()
    # Lone pixels are no roads; every other piece of the skeleton is one piece of the graph.
    pieces = [piece for piece in nx.connected_components(adjacency(skeleton)) if len(piece) > 1]
    ours = nx.MultiGraph(graph.ends.tolist())
    assert nx.number_connected_components(ours) == len(pieces) if graph.edge_count else not pieces


@settings(max_examples=100)
@given(masks)
def test_nodes_are_where_the_number_of_links_is_not_two(mask: np.ndarray) -> None:
    reference = adjacency(mask)
    graph = trace(pixels_of(mask), mask.shape)
    nodes = {(int(r), int(c)) for r, c in zip(graph.node_row, graph.node_col, strict=True)}
    wanted = {cell for cell, degree in reference.degree if degree not in (0, 2)}
    rings = [piece for piece in nx.connected_components(reference) if all(reference.degree[c] == 2 for c in piece)]
    assert wanted <= nodes
    assert len(nodes - wanted) == len(rings)
    for (row, col), degree in zip(np.column_stack((graph.node_row, graph.node_col)), graph.degree(), strict=True):
        assert degree == reference.degree[int(row), int(col)]


@settings(max_examples=80)
@given(masks, st.randoms(use_true_random=False))
def test_dissolving_keeps_all_steps_and_leaves_no_pseudo_node(mask: np.ndarray, random: object) -> None:
    graph = trace(pixels_of(mask), mask.shape)
    graph.keep_edges(np.array([random.random() < 0.7 for _ in range(graph.edge_count)], bool))
    before = sorted(map(sorted, steps_of(graph)))
    graph.dissolve_pseudo_nodes()
    assert sorted(map(sorted, steps_of(graph))) == before
    for node in np.flatnonzero(graph.degree() == 2):
        assert (graph.ends == node).all(axis=1).any()  # only the one node of a ring


def test_parallel_edges_and_loops_stay() -> None:
    mask = np.zeros((9, 20), bool)
    mask[4, 0:5] = mask[4, 11:20] = True
    mask[2, 5:11] = mask[6, 5:11] = True
    mask[3, 4] = mask[5, 4] = mask[3, 11] = mask[5, 11] = True
    graph = trace(pixels_of(mask), mask.shape)
    graph.dissolve_pseudo_nodes()
    network = nx.MultiGraph(graph.ends.tolist())
    assert max(network.number_of_edges(a, b) for a, b in set(network.edges())) == 2


def test_wide_rasters_do_not_wrap() -> None:
    count = 70_000
    pixels = CenterlinePixels(
        np.zeros(count, np.int32),
        np.arange(count, dtype=np.int32),
        np.ones(count, np.float32),
        np.ones(count, np.uint8),
    )
    graph = trace(pixels, (1, count))
    assert graph.edge_count == 1
    assert graph.lengths()[0] == count - 1
    assert sorted(graph.node_col.tolist()) == [0.0, count - 1.0]
