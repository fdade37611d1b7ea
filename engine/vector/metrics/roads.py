"""How good a road network is: APLS, TOPO, completeness, correctness and quality, junctions.

All lengths are metres: lines have to be in a metric CRS (``compare`` sees to it).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra, maximum_bipartite_matching
from scipy.spatial import cKDTree

from .network import Floats, Ints, Network, Places, nearest_places, path_matrix, regular_places

#: Places from which paths begin, at most; with more they are drawn by a seeded generator.
MAX_SOURCES = 400


@dataclass(frozen=True)
class Rates:
    """Precision, recall and their harmonic mean, from 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        return harmonic(self.precision, self.recall)


@dataclass(frozen=True)
class RoadScores:
    """All measures of a road network against the truth; shares from 0 to 1."""

    apls: float
    apls_truth_to_result: float
    apls_result_to_truth: float
    topo_precision: float
    topo_recall: float
    topo_f1: float
    completeness: float
    correctness: float
    quality: float
    junction_precision: float
    junction_recall: float
    junction_f1: float
    length: float
    truth_length: float
    pieces: int
    truth_pieces: int
    dead_ends: int
    truth_dead_ends: int

    def figures(self) -> dict[str, float | int | str | None]:
        """The scores for the result event."""
        return asdict(self)


def harmonic(one: float, other: float) -> float:
    """The harmonic mean of two numbers; 0 where one of them is 0."""
    return 2.0 * one * other / (one + other) if one > 0.0 and other > 0.0 else 0.0


def score_roads(result: Network, truth: Network, *, buffer: float = 5.0, seed: int = 0) -> RoadScores:
    """Measure a network with everything here.

    Args:
        result: the network to measure.
        truth: what it should be.
        buffer: metres that a line may be off in completeness, correctness and quality. Other tolerances are those
            of the functions below.
        seed: of the generator that draws the beginnings of paths.
    """
    forth, back = one_way_apls(truth, result, seed=seed), one_way_apls(result, truth, seed=seed)
    topology = topo(result, truth, seed=seed)
    completeness, correctness, quality = buffer_scores(result, truth, buffer)
    junctions = junction_rates(result, truth)
    return RoadScores(
        apls=harmonic(forth, back),
        apls_truth_to_result=forth,
        apls_result_to_truth=back,
        topo_precision=topology.precision,
        topo_recall=topology.recall,
        topo_f1=topology.f1,
        completeness=completeness,
        correctness=correctness,
        quality=quality,
        junction_precision=junctions.precision,
        junction_recall=junctions.recall,
        junction_f1=junctions.f1,
        length=float(result.length.sum()),
        truth_length=float(truth.length.sum()),
        pieces=count_pieces(result),
        truth_pieces=count_pieces(truth),
        dead_ends=int((result.degree() == 1).sum()),
        truth_dead_ends=int((truth.degree() == 1).sum()),
    )


def apls(result: Network, truth: Network, *, buffer: float = 4.0, spacing: float = 50.0, seed: int = 0) -> float:
    """Average path length similarity (Van Etten, Lindenbaum and Bacastow 2018, arXiv:1807.01232), 0 to 1.

    The harmonic mean of ``one_way_apls`` in both directions.
    """
    return harmonic(
        one_way_apls(truth, result, buffer=buffer, spacing=spacing, seed=seed),
        one_way_apls(result, truth, buffer=buffer, spacing=spacing, seed=seed),
    )


def one_way_apls(
    base: Network, other: Network, *, buffer: float = 4.0, spacing: float = 50.0, shortest: float = 10.0, seed: int = 0
) -> float:
    """1 - mean of min(1, |L - L'| / L) over the shortest paths L of ``base`` between control points.

    L' is the path between the points of ``other`` next to the control points. Where a control point has none within
    the buffer, or there is no path, the term is 1.

    Args:
        base: the network whose paths are followed.
        other: the network in which they should be found.
        buffer: largest distance in metres of a control point from the other network.
        spacing: control points are the nodes and points at most this far apart.
        shortest: shorter paths are left out.
        seed: of the generator that draws up to 400 beginnings of paths where there are more.
    """
    control = regular_places(base, spacing, with_ends=True)
    if not len(control):
        return 0.0
    matrix, rows = path_matrix(base, control)
    places, which = nearest_places(other, control.xy, buffer)
    other_matrix, other_rows = path_matrix(other, places)
    other_of = np.full(len(control), -1, np.int64)
    other_of[which] = other_rows
    total, terms = 0.0, 0
    for source in _sources(len(control), seed).tolist():
        length = dijkstra(matrix, indices=rows[source])[rows]
        wanted = np.isfinite(length) & (length >= shortest)
        wanted[source] = False
        if not wanted.any():
            continue
        found = np.full(len(control), np.inf)
        if other_of[source] >= 0:
            there = other_of >= 0
            found[there] = dijkstra(other_matrix, indices=other_of[source])[other_of[there]]
        error = np.minimum(1.0, np.abs(length[wanted] - found[wanted]) / length[wanted])
        total, terms = total + float(error.sum()), terms + int(wanted.sum())
    return 1.0 - total / terms if terms else 0.0


def topo(
    result: Network,
    truth: Network,
    *,
    radius: float = 300.0,
    spacing: float = 10.0,
    tolerance: float = 8.0,
    seed: int = 0,
) -> Rates:
    """TOPO (Biagioni and Eriksson 2012, Transportation Research Record 2291): what is reached from the same places.

    From a place on one network and the place next to it on the other, all points within ``radius`` metres along each
    network are collected and matched one to one. Matched points count for precision (of those of the result) and
    recall (of those of the truth). Places are drawn from both networks in proportion to their lengths, so that roads
    that are missing and roads that are too many count alike; a place without a counterpart matches nothing.

    Args:
        result: the network to measure.
        truth: what it should be.
        radius: how far along the network.
        spacing: of the points.
        tolerance: largest distance of matched points.
        seed: of the generator that draws the places.
    """
    result_points = regular_places(result, spacing, with_ends=False)
    truth_points = regular_places(truth, spacing, with_ends=False)
    if not len(result_points) or not len(truth_points):
        return Rates(0.0, 0.0)
    matched = reached = wanted = 0
    for own, points, other, other_points, own_is_truth in (
        (truth, truth_points, result, result_points, True),
        (result, result_points, truth, truth_points, False),
    ):
        chosen = _sources(len(points), seed)
        start = Places(points.edge[chosen], points.along[chosen], points.xy[chosen])
        counterpart, which = nearest_places(other, start.xy, tolerance)
        here = _reach(own, start, points, radius)
        there = _reach(other, counterpart, other_points, radius)
        place_of = dict(zip(which.tolist(), range(len(which)), strict=True))
        for number, mine in enumerate(here):
            found = there[place_of[number]] if number in place_of else np.zeros(0, np.int64)
            pairs = _match(points.xy[mine], other_points.xy[found], tolerance)
            matched += pairs
            reached += len(found) if own_is_truth else len(mine)
            wanted += len(mine) if own_is_truth else len(found)
    return Rates(matched / reached if reached else 0.0, matched / wanted if wanted else 0.0)


def buffer_scores(result: Network, truth: Network, buffer: float) -> tuple[float, float, float]:
    """Completeness, correctness and quality (Heipke et al. 1997; Wiedemann et al. 1998), each from 0 to 1.

    Completeness is the share of the truth's length within the buffer around the result, correctness the share of the
    result's within that around the truth, quality the matched result over the result and the unmatched truth.
    """
    length, truth_length = float(result.length.sum()), float(truth.length.sum())
    if length == 0.0 or truth_length == 0.0:
        return 0.0, 0.0, 0.0
    matched_truth = _length_within(truth.lines, result.lines, buffer)
    matched = _length_within(result.lines, truth.lines, buffer)
    return (
        matched_truth / truth_length,
        matched / length,
        matched / (length + truth_length - matched_truth),
    )


def junction_rates(result: Network, truth: Network, distance: float = 10.0) -> Rates:
    """Junctions (nodes of degree three and more) matched one to one within ``distance`` metres."""
    mine, wanted = result.nodes[result.degree() > 2], truth.nodes[truth.degree() > 2]
    if not len(mine) or not len(wanted):
        same = float(len(mine) == len(wanted))
        return Rates(same, same)
    pairs = _match(wanted, mine, distance)
    return Rates(pairs / len(mine), pairs / len(wanted))


def count_pieces(network: Network) -> int:
    """The number of connected pieces."""
    count = len(network.nodes)
    ones = np.ones(len(network.ends), np.int8)
    matrix = csr_array((ones, (network.ends[:, 0], network.ends[:, 1])), shape=(count, count))
    return int(connected_components(matrix, directed=False)[0]) if count else 0


def _sources(count: int, seed: int) -> Ints:
    if count <= MAX_SOURCES:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, MAX_SOURCES, replace=False)).astype(np.int64)


def _reach(network: Network, start: Places, points: Places, radius: float) -> list[Ints]:
    """For each start the points within ``radius`` along the network."""
    both = Places(
        np.concatenate((start.edge, points.edge)),
        np.concatenate((start.along, points.along)),
        np.concatenate((start.xy, points.xy)),
    )
    matrix, rows = path_matrix(network, both)
    point_rows = rows[len(start) :]
    reached = []
    for row in rows[: len(start)].tolist():
        distance = dijkstra(matrix, indices=row, limit=radius)
        reached.append(np.flatnonzero(np.isfinite(distance[point_rows])).astype(np.int64))
    return reached


def _match(one: Floats, other: Floats, distance: float) -> int:
    """The largest number of pairs within ``distance``, each point used once (Hopcroft and Karp)."""
    if not len(one) or not len(other):
        return 0
    near = cKDTree(one).query_ball_tree(cKDTree(other), distance)
    counts = [len(entry) for entry in near]
    columns = np.concatenate([np.array(entry, np.int64) for entry in near])
    rows = np.repeat(np.arange(len(one)), counts)
    matrix = csr_array((np.ones(len(columns), np.int8), (rows, columns)), shape=(len(one), len(other)))
    return int((maximum_bipartite_matching(matrix, perm_type="column") >= 0).sum())


def _length_within(lines: NDArray[np.object_], around: NDArray[np.object_], buffer: float) -> float:
    area = shapely.union_all(shapely.buffer(around, buffer))
    shapely.prepare(area)
    inside = shapely.contains_properly(area, lines)
    rest = shapely.intersection(lines[~inside], area)
    return float(shapely.length(lines[inside]).sum() + shapely.length(rest).sum())
