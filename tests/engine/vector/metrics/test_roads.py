"""Scores of road networks against hand-worked graphs and networkx."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.vector.metrics.apls import one_way_apls
from terraspore.engine.vector.metrics.definitions import AplsRules, TopoRules
from terraspore.engine.vector.metrics.network import Network, build_adjacency_matrix, build_network, sample_points
from terraspore.engine.vector.metrics.roads import (
    buffer_scores,
    count_components,
    junction_scores,
    score_roads,
)
from terraspore.engine.vector.metrics.topo import topo


def network(*lines: list[tuple[float, float]]) -> Network:
    return build_network(np.array([shapely.LineString(line) for line in lines], object))


def apls(result: Network, truth: Network) -> float:
    return score_roads(result, truth).apls


SQUARE = network([(0, 0), (100, 0)], [(100, 0), (100, 100)], [(100, 100), (0, 100)], [(0, 100), (0, 0)])


def test_lines_are_noded_where_they_cross() -> None:
    cross = network([(-50, 0), (50, 0)], [(0, -50), (0, 50)])
    assert (len(cross.nodes), len(cross.lines)) == (5, 4)
    assert sorted(cross.degree().tolist()) == [1, 1, 1, 1, 4]


def test_a_network_against_itself_is_perfect() -> None:
    scores = score_roads(SQUARE, SQUARE)
    for name in ("apls", "topo_f1", "completeness", "correctness", "quality", "junction_f1"):
        assert getattr(scores, name) == pytest.approx(1.0)


def test_apls_of_a_broken_line_by_hand() -> None:
    """Truth 0 to 100 with control points at 0, 50, 100; the result lacks what is beyond 50.

    Ordered paths of the truth: 0-50 (there), 0-100 and 50-100 (missing), each twice: 1 - 4/6. The result's own paths
    are all in the truth.
    """
    truth, result = network([(0, 0), (100, 0)]), network([(0, 0), (50, 0)])
    assert one_way_apls(truth, result) == pytest.approx(1 / 3)
    assert one_way_apls(result, truth) == pytest.approx(1.0)
    assert apls(result, truth) == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))


def test_apls_of_a_detour_by_hand() -> None:
    """The result lacks one side of a square: the path between that side's ends is 300 instead of 100."""
    result = network([(0, 0), (0, 100)], [(0, 100), (100, 100)], [(100, 100), (100, 0)])
    truth = network([(0, 0), (0, 100)], [(0, 100), (100, 100)], [(100, 100), (100, 0)], [(100, 0), (0, 0)])
    # One closed line of 400 m has control points every 100 m: four corners, of which two pairs are 200 m apart.
    # Ordered pairs: 8 of 100 m, of which 2 take 300 m now (error 1); 4 of 200 m, unchanged.
    assert one_way_apls(truth, result, AplsRules(spacing=100.0, undivided=100.0)) == pytest.approx(1 - 2 / 12)


def test_apls_drops_where_the_result_is_off_by_more_than_the_buffer() -> None:
    moved = build_network(shapely.transform(SQUARE.lines, lambda xy: xy + 30.0))
    assert apls(moved, SQUARE) < 0.2
    assert apls(build_network(shapely.transform(SQUARE.lines, lambda xy: xy + 1.0)), SQUARE) > 0.9


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9, unique=True))
def test_paths_equal_those_of_networkx(corners: list[tuple[int, int]]) -> None:
    lines = [[(10.0 * a[0], 10.0 * a[1]), (10.0 * b[0], 10.0 * b[1])] for a, b in itertools.pairwise(corners)]
    ours = network(*lines)
    reference = nx.Graph()
    for (a, b), length in zip(ours.ends.tolist(), ours.length.tolist(), strict=True):
        if a != b and length < reference.get_edge_data(a, b, {"weight": math.inf})["weight"]:
            reference.add_edge(a, b, weight=length)
    from scipy.sparse.csgraph import dijkstra

    matrix, _ = build_adjacency_matrix(ours, sample_points(ours, 7.0, with_nodes=False))
    found = dijkstra(matrix)[: len(ours.nodes), : len(ours.nodes)]
    for source, lengths in nx.all_pairs_dijkstra_path_length(reference):
        for target, length in lengths.items():
            assert found[source, target] == pytest.approx(length, abs=1e-6)


def test_topo_by_hand() -> None:
    """Half of a line of 200 m is missing. From the places that are there 20 points are wanted and 10 reached.

    Places of the truth: the 10 that are there want 20 points and reach 10, the others want 20 and reach none. Places
    of the result: 10, which want 20 and reach 10. Recall 200 / 600, precision 1.
    """
    truth, result = network([(0, 0), (200, 0)]), network([(0, 0), (100, 0)])
    scores = topo(result, truth, TopoRules(tolerance=4.0))
    assert scores.precision == pytest.approx(1.0)
    assert scores.recall == pytest.approx(200 / 600)


def test_topo_sees_a_missing_junction_that_buffers_do_not() -> None:
    truth = network([(0, 0), (100, 0), (200, 0)], [(100, 0), (100, 100)])
    apart = network([(0, 0), (200, 0)], [(100, 5), (100, 100)])
    assert min(buffer_scores(apart, truth, 5.0)) > 0.98
    assert topo(apart, truth).f1 < 0.85


def test_completeness_correctness_and_quality_by_hand() -> None:
    truth = network([(0, 0), (100, 0)])
    result = network([(0, 2), (50, 2)], [(0, 50), (50, 50)])
    # Around the end of the result the buffer reaches sqrt(25 - 4) m further along the truth.
    reach = 50 + math.sqrt(21)
    completeness, correctness, quality = buffer_scores(result, truth, 5.0)
    assert completeness == pytest.approx(reach / 100, abs=1e-3)
    assert correctness == pytest.approx(0.5)
    assert quality == pytest.approx(50 / (100 + 100 - reach), abs=1e-3)


def test_junctions_are_matched_one_to_one() -> None:
    truth = network([(-50, 0), (50, 0)], [(0, -50), (0, 50)])
    twice = network([(-50, 0), (50, 0)], [(-3, 0), (-3, 50)], [(3, 0), (3, -50)])
    scores = junction_scores(twice, truth)
    assert (scores.precision, scores.recall) == (0.5, 1.0)
    assert count_components(network([(0, 0), (1, 0)], [(5, 5), (6, 6)])) == 2


@pytest.mark.parametrize("measure", [apls, lambda r, t: topo(r, t).f1, lambda r, t: buffer_scores(r, t, 5.0)[0]])
def test_nothing_scores_nothing(measure: object) -> None:
    empty = build_network(np.zeros(0, object))
    assert measure(empty, SQUARE) == 0.0
