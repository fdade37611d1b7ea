"""A wider limit of the angle joins what a narrower one joins, and the order of a network's edges changes nothing."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import skeletonize
from terraspore.engine.context import Cancellation
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.probability import ProbabilityRaster
from terraspore.engine.vector.roads.centerlines import CenterlinePixels
from terraspore.engine.vector.roads.gaps import close_gaps, list_angles, make_gap_rules
from terraspore.engine.vector.roads.graph import Graph, trace
from terraspore.engine.vector.roads.kernels.graph import take_points
from terraspore.engine.vector.roads.options import pixel_options

Pixel = tuple[int, int]
SHAPE = 150, 220


class Pixels(ProbabilityRaster):
    """An array as a raster."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__(values.shape, Affine.identity(), None)
        self.values = values

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        return self.values[row : row + height, col : col + width].copy()


def trace_lines(line: np.ndarray) -> Graph:
    """The network of the pixels of lines."""
    row, col = np.nonzero(line)
    width, values = np.full(row.size, 3.0, np.float32), np.full(row.size, 200, np.uint8)
    return trace(CenterlinePixels(row.astype(np.int32), col.astype(np.int32), width, values), line.shape)


def interrupted_lines(seed: int) -> tuple[Graph, Pixels]:
    """The centre lines of blobs of noise, interrupted by discs, and a raster that shows some of the gaps."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.random(SHAPE).astype(np.float32), (0, 0), 5.0)
    line = skeletonize(field > np.median(field)).astype(np.uint8)
    probability = np.clip(cv2.GaussianBlur(line * 900.0, (0, 0), 2.0) + 60 * rng.random(SHAPE), 0, 250)
    for row, col in rng.integers(0, SHAPE, (int(rng.integers(10, 40)), 2)).tolist():
        radius = int(rng.integers(3, 12))
        cv2.circle(line, (col, row), radius, 0, -1)
        if rng.random() < 0.5:
            cv2.circle(probability, (col, row), radius, 0.0, -1)
    return trace_lines(line), Pixels(probability.astype(np.uint8))


def close(graph: Graph, source: Pixels, angle: float, gap: float = 50.0) -> tuple[set[Pixel], set[Pixel]]:
    """Close the gaps of a copy of a network; return the pixels of the closed gaps, and the dead ends that are left."""
    graph, options = copy.deepcopy(graph), RoadOptions(gap=gap, gap_angle=angle)
    rules, angles = make_gap_rules(options, 1.0), list_angles(angle)
    close_gaps(graph, source, pixel_options(options, 1.0), rules, angles, cancellation=Cancellation(), threads=1)
    gaps, dead = graph.width == 0.0, (graph.degree() == 1) & ~graph.node_border
    return (
        set(zip(graph.row[gaps].tolist(), graph.col[gaps].tolist(), strict=True)),
        set(zip(graph.node_row[dead].tolist(), graph.node_col[dead].tolist(), strict=True)),
    )


def shuffled(graph: Graph, seed: int) -> Graph:
    """The network with its edges in another order, some of them in the other direction."""
    rng, graph = np.random.default_rng(seed), copy.deepcopy(graph)
    order, is_reversed = rng.permutation(graph.edge_count), rng.random(graph.edge_count) < 0.5
    graph.ends = np.where(is_reversed[:, None], graph.ends[:, ::-1], graph.ends)[order]
    graph.take_points(*take_points(graph.start, order, is_reversed))
    return graph


@pytest.mark.parametrize("angle", [20.0, 30.0, 40.0, 60.0])
def test_a_road_aside_does_not_hide_the_end_ahead(angle: float) -> None:
    """Two roads point at each other over 46 pixels; beside each end, at 35 degrees, another road turns off."""
    line = np.zeros((210, 350), np.uint8)
    ahead = [[(5, 100), (150, 100)], [(196, 100), (345, 100)]]
    aside = [[(60, 109), (163, 109), (163, 205)], [(290, 91), (183, 91), (183, 5)]]
    for points in (*ahead, *aside):
        cv2.polylines(line, [np.array(points, np.int32)], False, 1)
    gaps, dead = close(trace_lines(line), Pixels(200 * line), angle)
    assert gaps >= {(100, col) for col in range(151, 196)}
    assert not dead & {(100, 150), (100, 196)}


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([30.0, 40.0, 50.0, 70.0, 90.0]), st.floats(0.0, 90.0))
def test_a_wider_angle_joins_what_a_narrower_one_joins(seed: int, angle: float, more: float) -> None:
    graph, source = interrupted_lines(seed)
    (gaps, dead), (more_gaps, fewer_dead) = close(graph, source, angle), close(graph, source, angle + more)
    assert gaps <= more_gaps
    assert fewer_dead <= dead


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([20.0, 40.0, 90.0]), st.sampled_from([10.0, 50.0, 2000.0]))
def test_closed_gaps_do_not_depend_on_the_order_of_edges(seed: int, angle: float, gap: float) -> None:
    """Also where the longest gap is longer than the raster."""
    graph, source = interrupted_lines(seed)
    assert close(shuffled(graph, seed), source, angle, gap) == close(graph, source, angle, gap)


def test_no_gap_is_closed_at_a_length_of_zero() -> None:
    graph, source = interrupted_lines(1)
    assert close(graph, source, 90.0)[0]
    assert not close(graph, source, 90.0, gap=0.0)[0]


def test_limits_of_the_angle_go_from_30_degrees_in_steps_of_10() -> None:
    assert list_angles(20.0) == [20.0]
    assert list_angles(30.0) == [30.0]
    assert list_angles(55.5) == [30.0, 40.0, 50.0, 55.5]
    assert list_angles(180.0)[-2:] == [170.0, 180.0]
