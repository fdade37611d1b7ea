"""OPT-J of small networks, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from terraspore.engine.vector.metrics.network import Network, build_network
from terraspore.engine.vector.metrics.opt_j import opt_j

Line = list[tuple[float, float]]
#: A junction of three roads, and its ends.
TEE: list[Line] = [[(0, 0), (200, 0)], [(100, 0), (100, 100)]]


def network(*lines: Line) -> Network:
    return build_network(np.array([shapely.LineString(line) for line in lines], object))


def scores(result: Network, truth: Network) -> tuple[float, float]:
    found = opt_j(result, truth)
    return found.precision, found.recall


def test_network_against_itself_and_against_nothing() -> None:
    assert scores(network(*TEE), network(*TEE)) == (1.0, 1.0)
    for pair in ((network(), network(*TEE)), (network(*TEE), network())):
        assert scores(*pair) == (0.0, 0.0)
    ring = network([(0, 0), (50, 0), (50, 50), (0, 0)])  # neither junctions nor ends
    assert scores(ring, ring) == (0.0, 0.0)


def test_missing_road_takes_an_arm_from_the_junction() -> None:
    """The truth has 3 + 1 + 1 + 1 arms; the result finds two of the junction, a place within its line, and two ends."""
    assert scores(network(TEE[0]), network(*TEE)) == (1.0, 4 / 6)
    assert scores(network(*TEE), network(TEE[0])) == (4 / 6, 1.0)


def test_road_of_the_result_that_is_too_short() -> None:
    """Its end is matched with a place within the road of the truth, whose end has no counterpart."""
    # 3 + 1 + 1 of the truth are found, the fourth end has none; the end of the result has a place with two roads.
    result = network(TEE[0], [(100, 0), (100, 60)])
    assert scores(result, network(*TEE)) == (1.0, pytest.approx(6 / 8))


@pytest.mark.parametrize(("offset", "expected"), [(14.0, 1.0), (16.0, 0.0)])
def test_distance_of_counterparts(offset: float, expected: float) -> None:
    moved = network(*[[(x, y + offset) for x, y in line] for line in ([(0.0, 0.0), (200.0, 0.0)],)])
    assert scores(moved, network([(0, 0), (200, 0)])) == (expected, expected)


def test_junction_with_the_same_number_of_roads_is_preferred_to_a_nearer_one() -> None:
    """A bend 1 m beside the junction of the truth is nearest; a junction of three roads 10 m away is taken."""
    truth = network(*TEE)
    result = network([(0, 0), (101, 1), (110, 0), (200, 0)], [(110, 0), (110, 100)])
    assert scores(result, truth) == (1.0, 1.0)


def test_who_chooses_first_takes_the_counterpart() -> None:
    """The two junctions of the truth have one counterpart; the western one takes it, the other an inserted place."""
    truth = network([(0, 0), (200, 0)], [(96, 0), (96, 100)], [(108, 0), (108, -100)])
    result = network([(0, 0), (200, 0)], [(104, 0), (104, 100)])
    precision, recall = scores(result, truth)
    assert precision == 1.0
    # Of 3 + 3 + 4 arms: 3, two at the place within the line, three ends; the southern end is missing.
    assert recall == pytest.approx((3 + 2 + 3) / 10)
