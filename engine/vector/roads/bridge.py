"""Bridge gaps: from dead ends along least-cost paths to other ends and to the middle of other roads.

Candidates come from an index of the centre-line points by position, never from comparing all with all. Points that the
dead end reaches along the network within 1.6 gaps are no candidates: a bridge to them would close a loop that is none.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...events import Cancellation
from .graph import Flags, Floats, Graph, Ints
from .path_kernels import least_cost_path

#: Reads the blurred levels of a window: first row, first column, rows, columns.
ReadLevels = Callable[[int, int, int, int], NDArray[np.uint8]]

#: Within this many gaps along the network a point is no candidate.
DETOUR = 1.6
#: A bridge is at most this many times as long as the gap is wide, and 5 pixels.
WINDING = 1.6
#: How much a bend of 90 degrees adds to the length of a bridge when targets are compared.
BEND = 2.0
#: At this share of the gap's width (and 3 pixels) beside the straight line the cost of a pixel is doubled, so that the
#: bridge over an occluded crossing does not turn into a side road.
STRAY = 0.15
#: Probability that is added to every pixel's, so that occluded pixels can be crossed.
FLOOR = 0.08


@dataclass(frozen=True)
class Limits:
    """How far and in which direction a bridge may go.

    Attributes:
        gap: longest gap in pixels.
        cosine: smallest cosine between the road's direction at its end and the bridge's.
        tail: length of road in pixels from which its direction is taken.
        levels: level of probability 1.
    """

    gap: float
    cosine: float
    tail: float
    levels: int


@dataclass(frozen=True)
class Bridge:
    """A bridge from a dead end to a point of the network.

    Attributes:
        score: length, more where it bends; bridges are taken in this order.
        node: the dead end.
        target: index of the point that is met.
        path: int32 (n, 2), rows and columns from the dead end to the point.
        level: uint8 (n,), probability along the path in levels.
    """

    score: float
    node: int
    target: int
    path: NDArray[np.int32]
    level: NDArray[np.uint8]


@dataclass(frozen=True)
class _Index:
    """What is looked up for every dead end."""

    key: Ints  # row * columns + column of all points, ascending
    point: Ints  # index of the point of each key
    edge: NDArray[np.int32]  # edge of each point
    length: Floats  # length of each edge
    node_first: Ints
    node_halves: Ints
    dead_points: Ints  # points that are dead ends


def find_bridges(
    graph: Graph, limits: Limits, read: ReadLevels, cancellation: Cancellation, last: Sequence[Bridge] | None = None
) -> list[Bridge]:
    """The bridges of one round, the best first; no two of them meet, and each end has at most one.

    Args:
        graph: the network.
        limits: how far and in which direction.
        read: reads blurred levels.
        cancellation: asked from time to time.
        last: the bridges of the round before, after which only ends in their reach can find anything new; None in the
            first round.
    """
    degree = graph.degree()
    dead = (degree == 1) & ~graph.node_border
    if last is not None:
        dead &= _in_reach(graph, last, limits.gap)
    halves = np.flatnonzero(dead[graph.ends.ravel()])
    if halves.size == 0 or limits.gap <= 0.0:
        return []
    index = _build_index(graph, degree, halves)
    found = []
    for number, half in enumerate(halves.tolist()):
        if number % 256 == 0:
            cancellation.check()
        bridge = _bridge_of(graph, index, half, limits, read)
        if bridge is not None:
            found.append(bridge)
    return _choose(graph, sorted(found, key=lambda bridge: (bridge.score, bridge.node)), dead)


def _in_reach(graph: Graph, bridges: Sequence[Bridge], gap: float) -> Flags:
    """Which nodes lie within a gap of a bridge."""
    cells = np.concatenate([bridge.path for bridge in bridges])
    nodes = np.column_stack((graph.node_row, graph.node_col))
    # A bridge that could not be taken because it met another reaches a gap further than that one.
    far, _ = cKDTree(cells).query(nodes, distance_upper_bound=2.0 * gap)
    return np.asarray(np.isfinite(far), np.bool_)


def _build_index(graph: Graph, degree: Ints, dead_halves: Ints) -> _Index:
    key = graph.row.astype(np.int64) * graph.shape[1] + graph.col
    point = np.argsort(key, kind="stable")
    edge = np.repeat(np.arange(graph.edges, dtype=np.int32), np.diff(graph.start))
    node_halves = np.argsort(graph.ends.ravel(), kind="stable")
    node_first = np.concatenate(([0], np.cumsum(degree))).astype(np.int64)
    ends = np.column_stack((graph.start[:-1], graph.start[1:] - 1)).ravel()
    return _Index(key[point], point, edge, graph.lengths(), node_first, node_halves, ends[dead_halves])


def _bridge_of(graph: Graph, index: _Index, half: int, limits: Limits, read: ReadLevels) -> Bridge | None:
    """The best bridge from the dead end that ``half`` leaves (edge half // 2, from its first or last node)."""
    edge, last = divmod(half, 2)
    run = slice(int(graph.start[edge]), int(graph.start[edge + 1]))
    at = run.stop - 1 if last else run.start
    here = (int(graph.row[at]), int(graph.col[at]))
    points = _points_near(graph, index, here, math.ceil(limits.gap))
    heading = _heading(graph, run, last, limits.tail)
    away = np.column_stack((graph.row[points] - here[0], graph.col[points] - here[1])).astype(np.float64)
    length = np.hypot(away[:, 0], away[:, 1])
    cosine = (away @ heading) / np.maximum(length, 1e-9)
    near = length <= 1.5 * float(graph.width[at])
    allowed = (length <= limits.gap) & ((cosine >= limits.cosine) | (near & (cosine > 0.0)))
    if not allowed.any():
        return None
    own = _same_place(graph, index, int(graph.ends[edge, last]), points, DETOUR * limits.gap)
    allowed &= ~own
    if not allowed.any():
        return None
    score = length * (1.0 + BEND * (1.0 - cosine)) * _bend_at_target(graph, index, points, away, limits.tail)
    score = np.where(allowed, score, np.inf)
    best = int(np.argmin(score))
    there = (int(graph.row[points[best]]), int(graph.col[points[best]]))
    path, level = _walk(here, there, read, limits.levels, graph.shape)
    if path.shape[0] < 2 or _length(path) > WINDING * length[best] + 5.0:
        return None
    return _cut_at_contact(
        graph, index, points[~own], Bridge(float(score[best]), int(graph.ends[edge, last]), -1, path, level)
    )


def _bend_at_target(graph: Graph, index: _Index, points: Ints, away: Floats, tail: float) -> Floats:
    """By how much more a bridge to each point counts for how it meets the road there.

    At another dead end by the bend; in the middle of a road as if the bend were that of a right angle halved.
    """
    factor = np.full(len(points), 1.0 + 0.5 * BEND)
    for k in np.flatnonzero(np.isin(points, index.dead_points)).tolist():
        edge = int(index.edge[points[k]])
        run = slice(int(graph.start[edge]), int(graph.start[edge + 1]))
        heading = _heading(graph, run, int(points[k] != run.start), tail)
        factor[k] = 1.0 + BEND * (1.0 + float(away[k] @ heading) / max(math.hypot(*away[k]), 1e-9))
    return factor


def _points_near(graph: Graph, index: _Index, here: tuple[int, int], reach: int) -> Ints:
    """Indices of the points within ``reach`` rows and columns, in order of position."""
    rows, cols = graph.shape
    lines = np.arange(max(here[0] - reach, 0), min(here[0] + reach + 1, rows), dtype=np.int64) * cols
    first = np.searchsorted(index.key, lines + max(here[1] - reach, 0))
    last = np.searchsorted(index.key, lines + min(here[1] + reach, cols - 1), side="right")
    found = [index.point[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True) if b > a]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _same_place(graph: Graph, index: _Index, node: int, points: Ints, reach: float) -> Flags:
    """Which points lie within ``reach`` pixels of ``node`` along the network."""
    distance: dict[int, float] = {node: 0.0}
    heap = [(0.0, node)]
    while heap:
        far, at = heapq.heappop(heap)
        if far > distance[at]:
            continue
        for half in index.node_halves[index.node_first[at] : index.node_first[at + 1]].tolist():
            edge, last = divmod(half, 2)
            other = int(graph.ends[edge, 1 - last])
            then = far + float(index.length[edge])
            if then < min(distance.get(other, math.inf), reach):
                distance[other] = then
                heapq.heappush(heap, (then, other))
    edges = index.edge[points]
    unique, inverse = np.unique(edges, return_inverse=True)
    from_first = np.array([distance.get(int(n), math.inf) for n in graph.ends[unique, 0]])
    from_last = np.array([distance.get(int(n), math.inf) for n in graph.ends[unique, 1]])
    size = np.diff(graph.start)[unique]
    share = ((points - graph.start[edges]) / np.maximum(size - 1, 1)[inverse]) * index.length[edges]
    along = np.minimum(from_first[inverse] + share, from_last[inverse] + index.length[edges] - share)
    near: Flags = along <= reach
    return near


def _heading(graph: Graph, run: slice, last: int, tail: float) -> Floats:
    """Unit vector (row, column) in which an edge leaves the network at its end."""
    count = min(run.stop - run.start, max(2, math.ceil(tail)))
    part = slice(run.stop - count, run.stop) if last else slice(run.start, run.start + count)
    rows, cols = graph.row[part].astype(np.float64), graph.col[part].astype(np.float64)
    end = -1 if last else 0
    vector = np.array([rows[end] - rows.mean(), cols[end] - cols.mean()])
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-9), np.float64)


def _walk(
    here: tuple[int, int], there: tuple[int, int], read: ReadLevels, levels: int, shape: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The least-cost path between two pixels, and the levels along it."""
    margin = 6 + math.ceil(0.35 * math.dist(here, there))
    top, left = max(min(here[0], there[0]) - margin, 0), max(min(here[1], there[1]) - margin, 0)
    bottom = min(max(here[0], there[0]) + margin + 1, shape[0])
    right = min(max(here[1], there[1]) + margin + 1, shape[1])
    window = read(top, left, bottom - top, right - left)
    off = _distance_from_line(window.shape, (here[0] - top, here[1] - left), (there[0] - top, there[1] - left))
    stray = 1.0 + (off / (3.0 + STRAY * math.dist(here, there))) ** 2
    cost = (stray / (window.astype(np.float32) / levels + FLOOR)).astype(np.float32)
    path = least_cost_path(cost, here[0] - top, here[1] - left, there[0] - top, there[1] - left)
    level = window[path[:, 0], path[:, 1]]
    return (path + np.array([top, left], np.int32)).astype(np.int32), level


def _distance_from_line(shape: tuple[int, ...], one: tuple[int, int], other: tuple[int, int]) -> NDArray[np.float32]:
    """The distance of every pixel of a window from the straight line through two of them."""
    row, col = np.ogrid[: shape[0], : shape[1]]
    down, right = other[0] - one[0], other[1] - one[1]
    cross = (row - one[0]) * right - (col - one[1]) * down
    return np.asarray(np.abs(cross) / max(math.hypot(down, right), 1e-9), np.float32)


def _length(path: NDArray[np.int32]) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def _cut_at_contact(graph: Graph, index: _Index, candidates: Ints, bridge: Bridge) -> Bridge | None:
    """End the bridge where it first meets a candidate; None where it runs into its own surroundings before."""
    cols = graph.shape[1]
    path = bridge.path.astype(np.int64)
    wanted = set(candidates.tolist())
    for number in range(1, len(path)):
        row, col = path[number]
        before_row, before_col = path[number - 1]
        cells = [(row, col)]
        if row != before_row and col != before_col:
            cells += [(row, before_col), (before_row, col)]
        for cell_row, cell_col in cells:
            hit = _points_at(index, int(cell_row) * cols + int(cell_col))
            meets = [point for point in hit if point in wanted]
            if meets:
                cut = bridge.path[: number + 1].copy()
                cut[number] = (cell_row, cell_col)
                return Bridge(bridge.score, bridge.node, min(meets), cut, bridge.level[: number + 1])
            if hit and number > 2 and (cell_row, cell_col) == (row, col):
                return None
    return None


def _points_at(index: _Index, key: int) -> list[int]:
    first, last = np.searchsorted(index.key, [key, key + 1]).tolist()
    return [int(point) for point in index.point[first:last]]


def _choose(graph: Graph, bridges: list[Bridge], dead: Flags) -> list[Bridge]:
    """Take bridges in order of score, without those that meet one taken before or use an end twice."""
    node_of_point = dict(zip(graph.start[:-1].tolist(), graph.ends[:, 0].tolist(), strict=True))
    node_of_point |= dict(zip((graph.start[1:] - 1).tolist(), graph.ends[:, 1].tolist(), strict=True))
    used_nodes: set[int] = set()
    used_cells: set[tuple[int, int]] = set()
    taken = []
    for bridge in bridges:
        target_node = node_of_point.get(bridge.target, -1)
        ends = {bridge.node} | ({target_node} if target_node >= 0 and dead[target_node] else set())
        cells = {(r + dr, c + dc) for r, c in bridge.path.tolist() for dr in (-1, 0, 1) for dc in (-1, 0, 1)}
        if ends & used_nodes or cells & used_cells:
            continue
        used_nodes |= ends
        used_cells |= {(r, c) for r, c in bridge.path.tolist()}
        taken.append(bridge)
    return taken
