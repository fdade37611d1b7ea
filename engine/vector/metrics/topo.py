"""TOPO: reachable points of two road networks, matched around many start points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, maximum_bipartite_matching
from scipy.spatial import cKDTree

from ..arrays import Floats, Ints
from .definitions import TopoRules
from .network import (
    EdgePoints,
    Network,
    PrecisionRecall,
    build_adjacency_matrix,
    divide_edges,
    draw_sources,
    measure_directions,
    sample_points,
    snap_points,
)

#: Precision from which a start point counts beside a better one with nearly the same counterpart.
_SURELY_RIGHT = 0.9


@dataclass(frozen=True)
class _Counts:
    """Numbers of points for each start point, int64 (starts,).

    Attributes:
        result: reached points of the result; ``truth`` of the truth.
        right: matched points of the result; ``found`` of the truth.
    """

    result: Ints
    truth: Ints
    right: Ints
    found: Ints


def topo(result: Network, truth: Network, rules: TopoRules | None = None, *, seed: int = 0) -> PrecisionRecall:
    """TOPO (Biagioni and Eriksson 2012, Transportation Research Record 2291).

    From a point on one network and the nearest point on the other, all points within a radius along each network are
    collected and matched one to one. Matched points count for precision (of those of the result) and recall (of those
    of the truth). Where start points are drawn from both networks in proportion to their lengths, missing roads and
    surplus roads count alike; a start point without a counterpart matches nothing.

    Args:
        result: the network to score.
        truth: the reference.
        rules: of the definition; TerraSpore's unless given.
        seed: of the generator that draws start points where there are more than ``rules.sources``.
    """
    rules = rules or TopoRules()
    points = [sample_points(network, rules.spacing, with_nodes=False) for network in (result, truth)]
    if not len(points[0]) or not len(points[1]):
        return PrecisionRecall(0.0, 0.0)
    starts = points[1] if rules.start_spacing == 0.0 else _place_start_points(truth, rules.start_spacing)
    starts = starts.take(draw_sources(len(starts), rules.sources, seed))
    if not rules.is_pooled:
        return _average(result, truth, points, starts, rules)
    own = points[0].take(draw_sources(len(points[0]), rules.sources, seed))
    pooled = [
        _count(result, truth, points, snap_start_points(result, truth, starts, rules), rules),
        _count(result, truth, points, snap_start_points(truth, result, own, rules)[::-1], rules),
    ]
    sums = {name: sum(int(getattr(counts, name).sum()) for counts in pooled) for name in _Counts.__annotations__}
    return PrecisionRecall(_share(sums["right"], sums["result"]), _share(sums["found"], sums["truth"]))


def snap_start_points(
    other: Network, own: Network, starts: EdgePoints, rules: TopoRules
) -> tuple[EdgePoints, EdgePoints]:
    """Find the counterparts of start points, with an edge of -1 where there is none.

    Args:
        other: the network of the counterparts.
        own: the network of the start points.
        starts: the start points.
        rules: tolerance and angle.

    Returns:
        Counterparts and start points.
    """
    edge, along = np.full(len(starts), -1, np.int64), np.zeros(len(starts))
    if rules.start_angle >= 90.0:
        found, index = snap_points(other, starts.xy, rules.tolerance)
        edge[index], along[index] = found.edge, found.along
        return EdgePoints(edge, along, starts.xy), starts
    coordinates, line = shapely.get_coordinates(other.lines, return_index=True)
    is_segment = line[1:] == line[:-1]
    segments = shapely.linestrings(np.stack((coordinates[:-1], coordinates[1:]), axis=1)[is_segment])
    places = shapely.points(starts.xy)
    index, segment = shapely.STRtree(segments).query(places, "dwithin", rules.tolerance)
    directions = np.diff(coordinates, axis=0)[is_segment]
    directions /= np.maximum(np.hypot(*directions.T), 1e-9)[:, None]
    cosine = np.abs((measure_directions(own, starts)[index] * directions[segment]).sum(axis=1))
    is_parallel = cosine > np.cos(np.radians(rules.start_angle))
    index, segment = index[is_parallel], segment[is_parallel]
    order = np.lexsort((shapely.distance(places[index], segments[segment]), index))
    index, first = np.unique(index[order], return_index=True)
    segment = segment[order][first]
    edge[index] = line[1:][is_segment][segment]
    begin = np.concatenate((np.zeros(1), np.cumsum(shapely.length(segments))))[:-1]
    begin -= begin[np.searchsorted(line[1:][is_segment], line[1:][is_segment])]
    along[index] = begin[segment] + shapely.line_locate_point(segments[segment], places[index])
    return EdgePoints(edge, along, starts.xy), starts


def _place_start_points(truth: Network, spacing: float) -> EdgePoints:
    """Place start points inside the edges of the truth; those shorter than half the spacing have none.

    Those of edges with vertices at their ends alone count twice, because the published code visits them from both.
    """
    count = np.where(truth.length < spacing / 2.0, 0, np.maximum((truth.length / spacing).astype(np.int64), 1))
    points = divide_edges(truth, count + 1, with_nodes=True)
    nodes = len(np.unique(truth.ends))
    is_straight = shapely.get_num_coordinates(truth.lines) == 2
    inner = np.arange(nodes, len(points))
    return points.take(np.repeat(inner, 1 + is_straight[points.edge[inner]]))


def _average(
    result: Network, truth: Network, points: list[EdgePoints], starts: EdgePoints, rules: TopoRules
) -> PrecisionRecall:
    """Mean precision and recall over the start points with a counterpart, and the share of those in the recall."""
    pairs = snap_start_points(result, truth, starts, rules)
    matched = np.flatnonzero(pairs[0].edge >= 0)
    if not len(matched):
        return PrecisionRecall(0.0, 0.0)
    pairs = pairs[0].take(matched), pairs[1].take(matched)
    counts = _count(result, truth, points, pairs, rules)
    precision, recall = counts.right / np.maximum(counts.result, 1), counts.found / np.maximum(counts.truth, 1)
    kept = np.arange(len(matched))
    if rules.rival_distance:
        kept = _drop_rivals(result, pairs[0], precision, rules.rival_distance)
    return PrecisionRecall(float(precision[kept].mean()), float(recall[kept].mean()) * _share(len(kept), len(starts)))


def _drop_rivals(result: Network, starts: EdgePoints, precision: Floats, distance: float) -> Ints:
    """Choose the start points to keep among those with nearly the same counterpart: the best first."""
    rivals = _points_within(result, starts, starts, distance)
    is_marked = np.zeros(len(starts), np.bool_)
    kept = []
    for number in np.argsort(-precision, kind="stable").tolist():
        if is_marked[number] and precision[number] < _SURELY_RIGHT:
            continue
        kept.append(number)
        is_marked[rivals[number]] = True
    return np.array(kept, np.int64)


def _count(
    result: Network,
    truth: Network,
    points: list[EdgePoints],
    starts: tuple[EdgePoints, EdgePoints],
    rules: TopoRules,
) -> _Counts:
    """Count reached and matched points of both networks for each pair of start points in result and truth."""
    in_result, in_truth = (
        _points_within(network, start, own, rules.radius)
        for network, start, own in zip((result, truth), starts, points, strict=True)
    )
    directions = [measure_directions(network, own) for network, own in zip((result, truth), points, strict=True)]
    right, found = [], []
    for mine, theirs in zip(in_result, in_truth, strict=True):
        sides = [
            (own.xy[index], direction[index])
            for own, direction, index in zip(points, directions, (mine, theirs), strict=True)
        ]
        right.append(_count_matches(sides[0], sides[1], rules, rules.truth_capacity))
        found.append(right[-1] if rules.truth_capacity == 1 else _count_matches(sides[0], sides[1], rules, 1))
    sizes = [np.array([len(index) for index in reached], np.int64) for reached in (in_result, in_truth)]
    return _Counts(sizes[0], sizes[1], np.array(right, np.int64), np.array(found, np.int64))


def _points_within(network: Network, start: EdgePoints, points: EdgePoints, radius: float) -> list[Ints]:
    """For each start point the indices of the ``points`` within ``radius`` metres along the network."""
    reached = [np.zeros(0, np.int64)] * len(start)
    numbers = np.flatnonzero(start.edge >= 0)
    placed = start.take(numbers)
    matrix, rows = build_adjacency_matrix(network, placed.join(points))
    point_rows = rows[len(placed) :]
    for number, row in zip(numbers.tolist(), rows[: len(placed)].tolist(), strict=True):
        distance = dijkstra(matrix, indices=row, limit=radius)
        reached[number] = np.flatnonzero(np.isfinite(distance[point_rows])).astype(np.int64)
    return reached


def _count_matches(a: tuple[Floats, Floats], b: tuple[Floats, Floats], rules: TopoRules, capacity: int) -> int:
    """Size of the largest matching of points with directions, where each of ``b`` takes up to ``capacity`` of ``a``."""
    rows, columns = find_near(a[0], b[0], rules.tolerance)
    if rules.angle < 90.0:
        is_parallel = np.abs((a[1][rows] * b[1][columns]).sum(axis=1)) > np.cos(np.radians(rules.angle))
        rows, columns = rows[is_parallel], columns[is_parallel]
    rows = np.tile(rows, capacity)
    columns = np.concatenate([columns + copy * len(b[0]) for copy in range(capacity)])
    return match_one_to_one(rows, columns, (len(a[0]), capacity * len(b[0])))


def find_near(a: Floats, b: Floats, distance: float) -> tuple[Ints, Ints]:
    """Find the pairs of points (n, 2) and (m, 2) within a distance: indices into both."""
    if not len(a) or not len(b):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    near = cKDTree(a).query_ball_tree(cKDTree(b), distance)
    rows = np.repeat(np.arange(len(a)), [len(entry) for entry in near])
    return rows.astype(np.int64), np.concatenate([np.array(entry, np.int64) for entry in near])


def match_one_to_one(rows: Ints, columns: Ints, shape: tuple[int, int]) -> int:
    """Size of the largest one-to-one matching of possible pairs (Hopcroft and Karp)."""
    if not len(rows):
        return 0
    matrix = csr_array((np.ones(len(columns), np.int8), (rows, columns)), shape=shape)
    return int((maximum_bipartite_matching(matrix, perm_type="column") >= 0).sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
