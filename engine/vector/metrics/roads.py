"""Quality of a road network: APLS, TOPO, completeness, correctness and quality, junctions.

All lengths are metres; the lines have to be in a metric CRS (see ``inputs.choose_metric_crs``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra, maximum_bipartite_matching
from scipy.spatial import cKDTree

from ..arrays import Floats, Ints
from .network import EdgePoints, Network, build_adjacency_matrix, sample_points, snap_points

#: Largest number of start points of paths; with more points, so many are drawn by a seeded generator.
MAX_SOURCES = 400


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall, 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic_mean(self.precision, self.recall)


@dataclass(frozen=True)
class RoadScores:
    """Scores of a road network against the truth.

    Attributes:
        apls: average path length similarity, 0 to 1: the harmonic mean of both directions (see ``one_way_apls``).
        topo_precision: share of the reached points that are right, 0 to 1 (see ``topo``).
        topo_recall: share of the points of the truth that are reached, 0 to 1.
        topo_f1: their harmonic mean.
        completeness: share of the truth's length that is found, 0 to 1 (see ``buffer_scores``).
        correctness: share of the result's length that is right, 0 to 1.
        quality: right length over the length of the union, 0 to 1.
        line_f1: harmonic mean of completeness and correctness.
        junction_precision: share of the junctions that are right, 0 to 1.
        junction_recall: share of the junctions of the truth that are found, 0 to 1.
        junction_f1: their harmonic mean.
        length: metres of the result; ``truth_length`` of the truth.
        pieces: connected components of the result; ``truth_pieces`` of the truth.
        dead_ends: nodes of degree 1 of the result; ``truth_dead_ends`` of the truth.
    """

    apls: float
    apls_truth_to_result: float
    apls_result_to_truth: float
    topo_precision: float
    topo_recall: float
    topo_f1: float
    completeness: float
    correctness: float
    quality: float
    line_f1: float
    junction_precision: float
    junction_recall: float
    junction_f1: float
    length: float
    truth_length: float
    pieces: int
    truth_pieces: int
    dead_ends: int
    truth_dead_ends: int


def harmonic_mean(a: float, b: float) -> float:
    """Harmonic mean of two numbers; 0 where one of them is 0."""
    return 2.0 * a * b / (a + b) if a > 0.0 and b > 0.0 else 0.0


def score_roads(result: Network, truth: Network, *, buffer: float = 5.0, seed: int = 0) -> RoadScores:
    """Compute all scores of a road network.

    Args:
        result: the network to score.
        truth: the reference.
        buffer: largest offset of a line in metres for completeness, correctness and quality; the other scores have
            the default tolerances of the functions below.
        seed: of the generator that draws start points.
    """
    forward, backward = one_way_apls(truth, result, seed=seed), one_way_apls(result, truth, seed=seed)
    topology = topo(result, truth, seed=seed)
    completeness, correctness, quality = buffer_scores(result, truth, buffer)
    junctions = junction_scores(result, truth)
    return RoadScores(
        apls=harmonic_mean(forward, backward),
        apls_truth_to_result=forward,
        apls_result_to_truth=backward,
        topo_precision=topology.precision,
        topo_recall=topology.recall,
        topo_f1=topology.f1,
        completeness=completeness,
        correctness=correctness,
        quality=quality,
        line_f1=harmonic_mean(completeness, correctness),
        junction_precision=junctions.precision,
        junction_recall=junctions.recall,
        junction_f1=junctions.f1,
        length=float(result.length.sum()),
        truth_length=float(truth.length.sum()),
        pieces=count_components(result),
        truth_pieces=count_components(truth),
        dead_ends=int((result.degree() == 1).sum()),
        truth_dead_ends=int((truth.degree() == 1).sum()),
    )


def one_way_apls(
    base: Network, other: Network, *, buffer: float = 4.0, spacing: float = 50.0, shortest: float = 10.0, seed: int = 0
) -> float:
    """Average path length similarity (Van Etten, Lindenbaum and Bacastow 2018, arXiv:1807.01232) in one direction.

    It is 1 - mean of min(1, |L - L'| / L) over the shortest paths L of ``base``, 0 to 1.

    L' is the path in ``other`` between the points nearest to the ends of L. The term is 1 where an end has no such
    point within the buffer, or where there is no path.

    Args:
        base: the network whose paths are followed.
        other: the network in which they are looked for.
        buffer: largest distance in metres of a control point from the other network.
        spacing: control points are the nodes and points at most this many metres apart.
        shortest: paths with fewer metres are left out.
        seed: of the generator that draws start points where there are more than ``MAX_SOURCES``.
    """
    control = sample_points(base, spacing, with_nodes=True)
    if not len(control):
        return 0.0
    matrix, rows = build_adjacency_matrix(base, control)
    snapped, index = snap_points(other, control.xy, buffer)
    other_matrix, snapped_rows = build_adjacency_matrix(other, snapped)
    other_rows = np.full(len(control), -1, np.int64)
    other_rows[index] = snapped_rows
    total, terms = 0.0, 0
    for source in _draw_sources(len(control), seed).tolist():
        length = dijkstra(matrix, indices=rows[source])[rows]
        is_counted = np.isfinite(length) & (length >= shortest)
        is_counted[source] = False
        if not is_counted.any():
            continue
        other_length = np.full(len(control), np.inf)
        if other_rows[source] >= 0:
            is_snapped = other_rows >= 0
            distances = dijkstra(other_matrix, indices=other_rows[source])
            other_length[is_snapped] = distances[other_rows[is_snapped]]
        error = np.abs(length[is_counted] - other_length[is_counted]) / length[is_counted]
        total, terms = total + float(np.minimum(1.0, error).sum()), terms + int(is_counted.sum())
    return 1.0 - total / terms if terms else 0.0


def topo(
    result: Network,
    truth: Network,
    *,
    radius: float = 300.0,
    spacing: float = 10.0,
    tolerance: float = 8.0,
    seed: int = 0,
) -> PrecisionRecall:
    """TOPO (Biagioni and Eriksson 2012, Transportation Research Record 2291): compare reachable points.

    From a point on one network and the nearest point on the other, all points within ``radius`` metres along each
    network are collected and matched one to one. Matched points count for precision (of those of the result) and
    recall (of those of the truth). Start points are drawn from both networks in proportion to their lengths, so that
    missing roads and surplus roads count alike; a start point without a counterpart matches nothing.

    Args:
        result: the network to score.
        truth: the reference.
        radius: distance along the network, metres.
        spacing: of the points, metres.
        tolerance: largest distance of matched points, metres.
        seed: of the generator that draws start points.
    """
    result_points = sample_points(result, spacing, with_nodes=False)
    truth_points = sample_points(truth, spacing, with_nodes=False)
    if not len(result_points) or not len(truth_points):
        return PrecisionRecall(0.0, 0.0)
    matched = in_result = in_truth = 0
    for own, own_points, other, other_points, own_is_truth in (
        (truth, truth_points, result, result_points, True),
        (result, result_points, truth, truth_points, False),
    ):
        drawn = _draw_sources(len(own_points), seed)
        start = EdgePoints(own_points.edge[drawn], own_points.along[drawn], own_points.xy[drawn])
        other_start, index = snap_points(other, start.xy, tolerance)
        own_reached = _points_within(own, start, own_points, radius)
        other_reached = [np.zeros(0, np.int64)] * len(start)
        snapped_reached = _points_within(other, other_start, other_points, radius)
        for number, reached in zip(index.tolist(), snapped_reached, strict=True):
            other_reached[number] = reached
        for mine, theirs in zip(own_reached, other_reached, strict=True):
            matched += _count_matches(own_points.xy[mine], other_points.xy[theirs], tolerance)
            in_result += len(theirs) if own_is_truth else len(mine)
            in_truth += len(mine) if own_is_truth else len(theirs)
    return PrecisionRecall(matched / in_result if in_result else 0.0, matched / in_truth if in_truth else 0.0)


def buffer_scores(result: Network, truth: Network, buffer: float) -> tuple[float, float, float]:
    """Completeness, correctness and quality (Heipke et al. 1997; Wiedemann et al. 1998), each 0 to 1.

    Completeness is the share of the truth's length within the buffer around the result, correctness the share of the
    result's within that around the truth, quality the matched result over the result and the unmatched truth.

    Args:
        result: the network to score.
        truth: the reference.
        buffer: metres.
    """
    length, truth_length = float(result.length.sum()), float(truth.length.sum())
    if length == 0.0 or truth_length == 0.0:
        return 0.0, 0.0, 0.0
    matched_truth = _length_within(truth.lines, result.lines, buffer)
    matched = _length_within(result.lines, truth.lines, buffer)
    return (matched_truth / truth_length, matched / length, matched / (length + truth_length - matched_truth))


def junction_scores(result: Network, truth: Network, distance: float = 10.0) -> PrecisionRecall:
    """Match junctions (nodes of degree 3 and more) one to one within ``distance`` metres."""
    junctions, truth_junctions = result.nodes[result.degree() > 2], truth.nodes[truth.degree() > 2]
    if not len(junctions) or not len(truth_junctions):
        same = float(len(junctions) == len(truth_junctions))
        return PrecisionRecall(same, same)
    matches = _count_matches(truth_junctions, junctions, distance)
    return PrecisionRecall(matches / len(junctions), matches / len(truth_junctions))


def count_components(network: Network) -> int:
    """Count the connected components."""
    nodes = len(network.nodes)
    ones = np.ones(len(network.ends), np.int8)
    matrix = csr_array((ones, (network.ends[:, 0], network.ends[:, 1])), shape=(nodes, nodes))
    return int(connected_components(matrix, directed=False)[0]) if nodes else 0


def _draw_sources(count: int, seed: int) -> Ints:
    """Draw at most ``MAX_SOURCES`` of ``count`` indices, ascending."""
    if count <= MAX_SOURCES:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, MAX_SOURCES, replace=False)).astype(np.int64)


def _points_within(network: Network, start: EdgePoints, points: EdgePoints, radius: float) -> list[Ints]:
    """For each start point the indices of the ``points`` within ``radius`` metres along the network."""
    both = EdgePoints(
        np.concatenate((start.edge, points.edge)),
        np.concatenate((start.along, points.along)),
        np.concatenate((start.xy, points.xy)),
    )
    matrix, rows = build_adjacency_matrix(network, both)
    point_rows = rows[len(start) :]
    reached = []
    for row in rows[: len(start)].tolist():
        distance = dijkstra(matrix, indices=row, limit=radius)
        reached.append(np.flatnonzero(np.isfinite(distance[point_rows])).astype(np.int64))
    return reached


def _count_matches(a: Floats, b: Floats, distance: float) -> int:
    """Size of the largest one-to-one matching of points within ``distance`` (Hopcroft and Karp)."""
    if not len(a) or not len(b):
        return 0
    near = cKDTree(a).query_ball_tree(cKDTree(b), distance)
    rows = np.repeat(np.arange(len(a)), [len(entry) for entry in near])
    columns = np.concatenate([np.array(entry, np.int64) for entry in near])
    matrix = csr_array((np.ones(len(columns), np.int8), (rows, columns)), shape=(len(a), len(b)))
    return int((maximum_bipartite_matching(matrix, perm_type="column") >= 0).sum())


def _length_within(lines: NDArray[np.object_], around: NDArray[np.object_], buffer: float) -> float:
    """Length in metres of ``lines`` within ``buffer`` metres of the lines ``around``."""
    area = shapely.union_all(shapely.buffer(around, buffer))
    shapely.prepare(area)
    is_inside = shapely.contains_properly(area, lines)
    rest = shapely.intersection(lines[~is_inside], area)
    return float(shapely.length(lines[is_inside]).sum() + shapely.length(rest).sum())
