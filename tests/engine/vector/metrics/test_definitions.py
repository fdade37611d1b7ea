"""The rules of the named definitions on small networks, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from terraspore.engine.vector.metrics.apls import one_way_apls
from terraspore.engine.vector.metrics.definitions import DEFINITIONS
from terraspore.engine.vector.metrics.network import Network, build_network, measure_vertices
from terraspore.engine.vector.metrics.roads import score_roads
from terraspore.engine.vector.metrics.topo import topo

COSMIQ, SAT2GRAPH, SAM_ROAD = (DEFINITIONS[name] for name in ("cosmiq", "sat2graph", "sam_road"))
#: Nothing is within the margins of it.
EVERYWHERE = (-1e4, -1e4, 1e4, 1e4)

Line = list[tuple[float, float]]


def network(*lines: Line) -> Network:
    return build_network(np.array([shapely.LineString(line) for line in lines], object), nodes_crossings=False)


def vertices(*lines: Line) -> list[Line]:
    """The lines with a vertex every 20 m, as those of Sat2Graph's graphs."""
    return [shapely.get_coordinates(shapely.segmentize(shapely.LineString(line), 20.0)).tolist() for line in lines]


def test_lines_meet_only_at_shared_vertices() -> None:
    across = network([(-50, 0), (50, 0)], [(0, -50), (0, 50)])
    assert (len(across.nodes), len(across.lines)) == (4, 2)
    shared = network([(-50, 0), (0, 0), (50, 0)], [(0, -50), (0, 0), (0, 50)], [(50, 0), (0, 0)])
    assert sorted(shared.degree().tolist()) == [1, 1, 1, 1, 4]
    assert shared.length.sum() == pytest.approx(200.0)  # the segment that is there twice counts once
    assert len(network().lines) == 0


def test_cosmiq_places_points_every_50_m_on_straight_edges_too() -> None:
    straight, half = network([(0, 0), (200, 0)]), network([(0, 0), (100, 0)])
    # Points at 0, 50, ... 200 m. From each of the first three two paths are right and two missing, from the others all.
    assert one_way_apls(straight, half, COSMIQ.apls) == pytest.approx(6 / 20)
    short, part = network([(0, 0), (37, 0)]), network([(0, 0), (20, 0)])
    assert one_way_apls(short, part, COSMIQ.apls) == 0.0  # ends alone: less than three quarters of 50 m


def test_cosmiq_leaves_out_rings_at_a_junction_and_short_pieces() -> None:
    road = [(0, 0), (100, 0)]
    with_ring = network(road, [(100, 0), (130, 30), (130, -30), (100, 0)])
    assert one_way_apls(with_ring, network(road), COSMIQ.apls) == pytest.approx(1.0)
    assert one_way_apls(with_ring, network(road), dataclasses.replace(COSMIQ.apls, has_rings=True)) < 0.7
    roundabout = network([(0, 0), (30, 30), (60, 0), (30, -30), (0, 0)])  # hangs on nothing, so it is not lost
    assert one_way_apls(roundabout, roundabout, COSMIQ.apls) == pytest.approx(1.0)
    with_mark = network(road, [(50, 40), (54, 40)])
    assert one_way_apls(with_mark, network(road), COSMIQ.apls) == pytest.approx(1.0)
    assert one_way_apls(with_mark, network(road), dataclasses.replace(COSMIQ.apls, smallest=0.0)) < 1.0


def test_further_points_on_long_bent_edges_alone() -> None:
    """The result ends halfway along the truth, so its path is missing wherever the truth has both of its ends only."""
    rules = dataclasses.replace(COSMIQ.apls, spacing=200.0, undivided=150.0, curvature=0.12)
    straight, half = network([(0, 0), (500, 0)]), network([(0, 0), (250, 0)])
    assert one_way_apls(straight, half, rules) == 0.0  # the one path has no end in the result
    bent, part = network([(0, 0), (150, 0), (150, 150)]), network([(0, 0), (150, 0)])
    # Points at 0, 150 and 300 m. From the last one, which is missing, two paths; from the others one right, one wrong.
    assert one_way_apls(bent, part, rules) == pytest.approx(1 - 4 / 6)
    short, part = network([(0, 0), (70, 0), (70, 70)]), network([(0, 0), (70, 0)])
    assert one_way_apls(short, part, rules) == 0.0  # 140 m: less than three quarters of 200 m


def test_cosmiq_gives_a_place_to_one_control_point() -> None:
    """Two ends of the truth are nearest to the same end of the result; the later one takes it."""
    truth = network([(0, 0), (100, 0)], [(100, 3), (100, 30), (0, 30), (0, 3)])
    result = network([(0, 0), (100, 0)])
    rules = dataclasses.replace(COSMIQ.apls, is_one_to_one=False)
    assert one_way_apls(truth, result, COSMIQ.apls) < one_way_apls(truth, result, rules)


def test_cosmiq_has_no_topo_and_a_harmonic_mean() -> None:
    truth, result = network([(0, 0), (37, 0), (37, 37)]), network([(0, 0), (37, 0)])
    scores = score_roads(result, truth, definition=COSMIQ)
    assert (scores.topo_precision, scores.topo_recall, scores.topo_f1) == (None, None, None)
    # Points at 0, 37 and 74 m. From the last one, which is missing, two paths; from the others one right, one wrong.
    assert scores.apls == pytest.approx(2 * (1 / 3) * 1 / (1 / 3 + 1))


def test_edges_are_measured_in_steps_of_two_metres() -> None:
    edge, along = measure_vertices(network([(0, 0), (100, 0), (103, 0)], [(0, 9), (0, 10)]), 2.0)
    # 100 m are divided into 51 parts, 3 m and 1 m are not divided.
    assert np.bincount(edge).tolist() in ([52, 1], [1, 52])
    assert sorted(along)[-1] == pytest.approx(103.0)


def test_sat2graph_counts_every_pair_with_an_unmatched_point() -> None:
    """Of two roads of 200 m that are not connected the result has one.

    Each has 101 steps, so five parts and six points. Within a road six pairs are more than 100 m apart. The 6 * 6
    pairs between the roads and the 15 in the missing one are wrong.
    """
    truth, result = network([(0, 0), (200, 0)], [(0, 500), (200, 500)]), network([(0, 0), (200, 0)])
    scores = score_roads(result, truth, definition=SAT2GRAPH, extent=EVERYWHERE)
    assert scores.apls_truth_to_result == pytest.approx(6 / 57)
    assert scores.apls_result_to_truth == pytest.approx(1.0)
    assert scores.apls == pytest.approx((6 / 57 + 1) / 2)  # arithmetic
    assert score_roads(result, truth, definition=DEFINITIONS["terraspore"]).apls_truth_to_result == pytest.approx(0.5)


def test_sat2graph_leaves_out_points_in_the_margins() -> None:
    """The missing road lies 60 m from the border of the extent: within 100 m, the margin of large tiles, not 30 m."""
    truth, result = network([(0, 0), (200, 0)], [(0, 90), (200, 90)]), network([(0, 0), (200, 0)])
    extent = (-500.0, -500.0, 500.0, 150.0)
    assert score_roads(result, truth, definition=SAT2GRAPH, extent=extent).apls == pytest.approx(1.0)
    assert score_roads(result, truth, definition=SAM_ROAD, extent=extent).apls < 0.7


def test_sat2graph_snaps_one_to_one_within_ten_metres() -> None:
    truth = network([(0, 0), (200, 0)])
    near, far = network([(0, 9), (200, 9)]), network([(0, 11), (200, 11)])
    assert one_way_apls(truth, near, SAT2GRAPH.apls, extent=EVERYWHERE) == pytest.approx(1.0, abs=0.01)
    assert one_way_apls(truth, far, SAT2GRAPH.apls, extent=EVERYWHERE) == 0.0
    # Two carriageways of the truth share one line of the result: it has room for only one of two points side by side.
    double = network([(0, 0), (200, 0)], [(0, 6), (200, 6)])
    assert one_way_apls(double, network([(0, 3), (200, 3)]), SAT2GRAPH.apls, extent=EVERYWHERE) < 0.9
    many = dataclasses.replace(SAT2GRAPH.apls, occupied=0)
    assert one_way_apls(double, network([(0, 3), (200, 3)]), many, extent=EVERYWHERE) == pytest.approx(1.0, abs=0.02)


def test_sat2graph_topo_of_half_a_road() -> None:
    """Starts at 50, 100, ... 350 m of 400 m; the first four have a counterpart, and all that is reached is right.

    The truth is reached up to 333 m from a start, and found up to 211 m.
    """
    scores = topo(network(*vertices([(0, 0), (200, 0)])), network(*vertices([(0, 0), (400, 0)])), SAT2GRAPH.topo)
    recall = np.mean([211.0 / min(400.0, start + 333.3) for start in (50, 100, 150, 200)])
    assert scores.precision == 1.0
    assert scores.recall == pytest.approx(recall * 4 / 7, abs=0.015)


def test_sat2graph_topo_takes_two_points_for_one_of_the_truth() -> None:
    truth = network(*vertices([(0, 0), (400, 0)]))
    twice = network(*vertices([(0, 0), (400, 0)], [(0, 0), (0, 6), (400, 6), (400, 0)]))
    single = dataclasses.replace(SAT2GRAPH.topo, truth_capacity=1)
    assert topo(twice, truth, SAT2GRAPH.topo).precision > 0.95
    assert topo(twice, truth, single).precision < 0.6
    assert topo(twice, truth, SAT2GRAPH.topo).recall == pytest.approx(1.0)


def test_sat2graph_topo_starts_only_on_roads_of_the_same_direction() -> None:
    """One of the starts lies on a crossing road; the precision there would be 0."""
    truth = network(*vertices([(0, 0), (400, 0)]))
    result = network(*vertices([(200, 0), (400, 0)], [(100, -50), (100, 50)]))
    assert topo(result, truth, SAT2GRAPH.topo).precision == 1.0
    assert topo(result, truth, dataclasses.replace(SAT2GRAPH.topo, start_angle=90.0)).precision < 0.9


def test_rivals_count_once() -> None:
    """Two roads of the truth have their starts on the same stretch of the result, whose precision is poor."""
    truth = network(*vertices([(0, 0), (100, 0)], [(0, 8), (100, 8)]))
    result = network(*vertices([(0, 4), (100, 4), (100, 250)]))
    every = dataclasses.replace(SAT2GRAPH.topo, rival_distance=0.0)
    assert topo(result, truth, SAT2GRAPH.topo).recall == pytest.approx(topo(result, truth, every).recall / 2, rel=0.1)


def test_start_points_at_corners_have_a_direction() -> None:
    ring = network([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)])
    assert topo(ring, ring, SAT2GRAPH.topo).f1 == pytest.approx(1.0)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_network_against_itself_and_against_nothing(name: str) -> None:
    streets = network(*vertices([(0, 0), (300, 0)], [(300, 0), (300, 300)], [(300, 300), (0, 0)], [(0, 0), (-200, 40)]))
    definition = DEFINITIONS[name]
    scores = score_roads(streets, streets, definition=definition, extent=EVERYWHERE)
    assert scores.apls == pytest.approx(1.0, abs=1e-3)
    assert scores.topo_f1 in (None, pytest.approx(1.0))
    for result, truth in ((network(), streets), (streets, network())):
        empty = score_roads(result, truth, definition=definition, extent=EVERYWHERE)
        assert empty.apls == 0.0
        assert not empty.topo_f1
