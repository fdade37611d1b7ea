"""Numba kernels that find where a road that turns off or ends points at a road with which it is not connected."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ...arrays import Flags, Floats, Ints
from ...jit import jit
from ...search import lower_bound
from .gap_rules import BEND_WEIGHT, MIN_COSINE_MIDDLE
from .graph import Index
from .graph_index import GraphIndex, distances_within, reset_distances

#: The direction of a road at a point is estimated from this many points, and from no fewer than the second number.
ARM_POINTS = 15
FEWEST = 6
#: A road that goes on itself so many pixels ahead in the direction of a link, or as close to there, is not continued.
LOOK = 10.0
LOOK_RADIUS = 7.5
#: A road with a point as close as this to there, straight ahead, goes on whatever the direction of a link.
STRAIGHT_RADIUS = 2.3


class LinkRules(NamedTuple):
    """Rules for links; lengths are in pixels.

    Attributes:
        reach: length of the longest link.
        detour: roads are connected where the way along the network is no longer than this.
    """

    reach: float
    detour: float


class Ways(NamedTuple):
    """Ways along the network from a point, by the first and by the last node of its edge.

    Attributes:
        first: (nodes,), distance from the first node; infinite where it is more than the detour.
        first_reached: (nodes,), the nodes that are reached, and ``last``, ``last_reached`` likewise.
        along: (points,), distance of each point from the first point of its edge, along the edge.
    """

    first: Floats
    first_reached: Index
    last: Floats
    last_reached: Index
    along: Floats


@jit
def find_links(index: GraphIndex, rules: LinkRules, along: Floats, is_long: Flags) -> tuple[Ints, Ints, Floats]:
    """Find the best link of each point at which a road turns off or ends.

    Args:
        index: the network.
        rules: limits.
        along: (points,), distance of each point from the first point of its edge, along the edge.
        is_long: (edges,), whether an edge may be linked.

    Returns:
        The points with a link, the points that they are linked with, and the scores of the links: their length in
        pixels times the penalties for bends.
    """
    ways = make_ways(index, along)
    begins, targets, scores = [0], [0], [0.0]  # numba has to know the types
    for edge in range(len(index.ends)):
        if not is_long[edge]:
            continue
        for point in range(index.start[edge], index.start[edge + 1]):
            for side in (-1, 1):
                back = min(max(point + side * ARM_POINTS, index.start[edge]), index.start[edge + 1] - 1)
                if abs(back - point) < FEWEST or goes_straight_on(index, edge, point, back):
                    continue
                target, score = find_link(index, rules, ways, is_long, edge, point, back)
                if target >= 0:
                    begins.append(int(point))
                    targets.append(int(target))
                    scores.append(score)
    return np.array(begins[1:], np.int64), np.array(targets[1:], np.int64), np.array(scores[1:], np.float64)


@jit
def make_ways(index: GraphIndex, along: Floats) -> Ways:
    """Make the columns for ways; ``along`` as in ``Ways``."""
    nodes = index.node_first.size - 1
    one, other = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    return Ways(np.full(nodes, np.inf), one, np.full(nodes, np.inf), other, along)


@jit
def direction(index: GraphIndex, back: int, point: int) -> tuple[float, float]:
    """Unit vector (down, right) from the point ``back`` to another one."""
    down, right = float(index.row[point] - index.row[back]), float(index.col[point] - index.col[back])
    length = max(math.sqrt(down * down + right * right), 1e-9)
    return down / length, right / length


@jit
def goes_straight_on(index: GraphIndex, edge: int, point: int, back: int) -> bool:
    """Return whether the edge of a point, or one that meets it, goes straight on there."""
    ahead = direction(index, back, point)
    row, col = index.row[point] + LOOK * ahead[0], index.col[point] + LOOK * ahead[1]
    for r in range(
        max(math.ceil(row - STRAIGHT_RADIUS), 0), min(int(row + STRAIGHT_RADIUS) + 1, index.row_first.size - 1)
    ):
        k = lower_bound(index.point_col, index.row_first[r], index.row_first[r + 1], math.ceil(col - STRAIGHT_RADIUS))
        while k < index.row_first[r + 1] and index.point_col[k] <= col + STRAIGHT_RADIUS:
            if (r - row) ** 2 + (index.point_col[k] - col) ** 2 <= STRAIGHT_RADIUS**2:
                other = find_edge(index, index.point[k])
                for one in index.ends[edge]:
                    if other == edge or one == index.ends[other, 0] or one == index.ends[other, 1]:
                        return True
            k += 1
    return False


@jit
def find_edge(index: GraphIndex, point: int) -> int:
    """Return the edge of a point."""
    return int(lower_bound(index.start, 0, index.start.size, point + 1)) - 1


@jit
def find_link(
    index: GraphIndex, rules: LinkRules, ways: Ways, is_long: Flags, edge: int, point: int, back: int
) -> tuple[int, float]:
    """Find the best link of a point to which a road leads from the point ``back``; -1 where there is none."""
    ahead, reach = direction(index, back, point), math.ceil(rules.reach)
    row, col = int(index.row[point]), int(index.col[point])
    best, best_score = -1, np.inf
    counts = 0, 0
    for r in range(max(row - reach, 0), min(row + reach + 1, index.row_first.size - 1)):
        k = lower_bound(index.point_col, index.row_first[r], index.row_first[r + 1], col - reach)
        while k < index.row_first[r + 1] and index.point_col[k] <= col + reach:
            other, down, right = int(index.point[k]), r - row, int(index.point_col[k]) - col
            k += 1
            length = math.sqrt(down * down + right * right)
            cosine = (down * ahead[0] + right * ahead[1]) / max(length, 1e-9)
            score = length * (1.0 + BEND_WEIGHT * (1.0 - cosine))
            if length > rules.reach or cosine < MIN_COSINE_MIDDLE or score >= best_score:
                continue
            if counts[0] == 0:
                counts = follow_ways(index, rules, ways, edge, point)
            if not is_long[find_edge(index, other)] or is_connected(index, rules, ways, edge, point, other):
                continue
            score *= 1.0 + BEND_WEIGHT * (1.0 - max(straightness(index, other, -down, -right), 0.5))
            step_down, step_right = LOOK * down / length, LOOK * right / length
            if score < best_score and not (
                is_blocked(index, rules, ways, is_long, edge, point, other)
                or is_beside(index, rules, ways, is_long, edge, point, r - step_down, col + right - step_right, False)
            ):
                best, best_score = other, score
    reset_distances(ways.first, ways.first_reached, counts[0])
    reset_distances(ways.last, ways.last_reached, counts[1])
    return best, best_score


@jit
def follow_ways(index: GraphIndex, rules: LinkRules, ways: Ways, edge: int, point: int) -> tuple[int, int]:
    """Measure the ways from a point, for ``is_connected``; return how many nodes to reset of both columns."""
    begin, end = ways.along[point], index.length[edge] - ways.along[point]
    first = distances_within(index, index.ends[edge, 0], rules.detour - begin, ways.first, ways.first_reached)
    return first, distances_within(index, index.ends[edge, 1], rules.detour - end, ways.last, ways.last_reached)


@jit
def is_connected(index: GraphIndex, rules: LinkRules, ways: Ways, edge: int, point: int, other: int) -> bool:
    """Return whether another point is connected with that of ``follow_ways``."""
    there = find_edge(index, other)
    if there == edge and abs(ways.along[other] - ways.along[point]) <= rules.detour:
        return True
    first, last = index.ends[there, 0], index.ends[there, 1]
    begin, end = ways.along[other], index.length[there] - ways.along[other]
    by_first = ways.along[point] + min(ways.first[first] + begin, ways.first[last] + end)
    by_last = index.length[edge] - ways.along[point] + min(ways.last[first] + begin, ways.last[last] + end)
    return bool(min(by_first, by_last) <= rules.detour)


@jit
def is_blocked(index: GraphIndex, rules: LinkRules, ways: Ways, is_long: Flags, edge: int, point: int, to: int) -> bool:
    """Return whether a road that is connected with a point lies on the straight line from it to the point ``to``."""
    down, right = index.row[to] - index.row[point], index.col[to] - index.col[point]
    length = max(math.sqrt(down * down + right * right), 1e-9)
    for step in range(1, max(math.ceil(length / LOOK), 2)):
        row, col = index.row[point] + step * LOOK * down / length, index.col[point] + step * LOOK * right / length
        if is_beside(index, rules, ways, is_long, edge, point, row, col, True):
            return True
    return False


@jit
def is_beside(
    index: GraphIndex,
    rules: LinkRules,
    ways: Ways,
    is_long: Flags,
    edge: int,
    point: int,
    row: float,
    col: float,
    connected: bool,
) -> bool:
    """Return whether a road that is or is not connected with a point lies within ``LOOK_RADIUS`` of a position."""
    for r in range(max(math.ceil(row - LOOK_RADIUS), 0), min(int(row + LOOK_RADIUS) + 1, index.row_first.size - 1)):
        k = lower_bound(index.point_col, index.row_first[r], index.row_first[r + 1], math.ceil(col - LOOK_RADIUS))
        while k < index.row_first[r + 1] and index.point_col[k] <= col + LOOK_RADIUS:
            if (r - row) ** 2 + (index.point_col[k] - col) ** 2 <= LOOK_RADIUS**2:
                other = index.point[k]
                if (
                    is_long[find_edge(index, other)]
                    and is_connected(index, rules, ways, edge, point, other) == connected
                ):
                    return True
            k += 1
    return False


@jit
def straightness(index: GraphIndex, point: int, down: int, right: int) -> float:
    """Cosine of the angle between a direction and the road that arrives at a point, from the better side."""
    edge, best, length = find_edge(index, point), -1.0, max(math.sqrt(down * down + right * right), 1e-9)
    for side in (-1, 1):
        back = min(max(point + side * ARM_POINTS, index.start[edge]), index.start[edge + 1] - 1)
        if abs(back - point) >= FEWEST:
            arm = direction(index, back, point)
            best = max(best, (arm[0] * down + arm[1] * right) / length)
    return best


@jit
def find_connected(index: GraphIndex, rules: LinkRules, ways: Ways, point: int, others: Ints) -> Flags:
    """Find the points that are connected with another one."""
    found, edge = np.zeros(others.size, np.bool_), find_edge(index, point)
    counts = follow_ways(index, rules, ways, edge, point)
    for number in range(others.size):
        found[number] = is_connected(index, rules, ways, edge, point, others[number])
    reset_distances(ways.first, ways.first_reached, counts[0])
    reset_distances(ways.last, ways.last_reached, counts[1])
    return found
