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
#: Side of the cells of ``EdgeBoxes`` in pixels.
CELL = 64
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
    """Ways along the network from an edge: by its first node and by its last one.

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


class EdgeBoxes(NamedTuple):
    """Bounds of edges, and the edges in each cell of a grid.

    Attributes:
        bounds: (edges, 4), first row, first column, last row and last column of each edge.
        top: row of cells with which the grid begins, ``left`` its column of cells.
        cell_first: (rows, columns + 1), offset of the edges of each cell in ``cell_edge``, row by row.
        cell_edge: edges by the cells of ``CELL`` pixels a side that they have points in.
    """

    bounds: Index
    top: int
    left: int
    cell_first: Ints
    cell_edge: Index


Window = tuple[int, int, int, int]


@jit
def find_links(
    index: GraphIndex, rules: LinkRules, ways: Ways, boxes: EdgeBoxes, is_long: Flags
) -> tuple[Ints, Ints, Floats]:
    """Find the best link of each point at which a road turns off or ends.

    Args:
        index: the network.
        rules: limits.
        ways: columns for ways, with infinite distances.
        boxes: where the edges are.
        is_long: (edges,), whether an edge may be linked.

    Returns:
        The points with a link, the points that they are linked with, and the scores of the links: their length in
        pixels times the penalties for bends.
    """
    begins, targets, scores = [0], [0], [0.0]  # numba has to know the types
    for edge in range(len(index.ends)):
        if not is_long[edge]:
            continue
        counts = follow_ways(index, rules, ways, edge)
        around = find_window(index, rules, ways, boxes, is_long, edge)
        for point in range(index.start[edge], index.start[edge + 1] if around[0] <= around[2] else 0):
            for side in (-1, 1):
                back = min(max(point + side * ARM_POINTS, index.start[edge]), index.start[edge + 1] - 1)
                if abs(back - point) < FEWEST:
                    continue
                window = cut_window(index, rules, around, point, back)
                if window[0] > window[2] or window[1] > window[3] or goes_straight_on(index, edge, point, back):
                    continue
                target, score = find_link(index, rules, ways, is_long, window, edge, point, back)
                if target >= 0:
                    begins.append(int(point))
                    targets.append(int(target))
                    scores.append(score)
        reset_ways(ways, counts)
    return np.array(begins[1:], np.int64), np.array(targets[1:], np.int64), np.array(scores[1:], np.float64)


@jit
def find_window(index: GraphIndex, rules: LinkRules, ways: Ways, boxes: EdgeBoxes, is_long: Flags, edge: int) -> Window:
    """Find the first row and column and the last ones between which all targets of an edge lie; no row for no target.

    Edges of which every point is connected with every point of the edge are left out, which most are.
    """
    reach = math.ceil(rules.reach)
    here = boxes.bounds[edge]
    first_row, last_row = max(int(here[0]) - reach, 0), int(here[2]) + reach
    first_col, last_col = max(int(here[1]) - reach, 0), int(here[3]) + reach
    top, left, bottom, right = last_row + 1, last_col + 1, -1, -1
    rows, cols = boxes.cell_first.shape
    first_cell = max(first_col // CELL - boxes.left, 0)
    last_cell = min(last_col // CELL - boxes.left + 1, cols - 1)
    for row in range(max(first_row // CELL - boxes.top, 0), min(last_row // CELL - boxes.top + 1, rows)):
        first, stop = boxes.cell_first[row, first_cell], boxes.cell_first[row, last_cell]
        for k in range(first, stop):
            other = boxes.cell_edge[k]
            there = boxes.bounds[other]
            if there[0] > last_row or there[2] < first_row or there[1] > last_col or there[3] < first_col:
                continue
            if is_long[other] and longest_way(index, ways, edge, other) > rules.detour:
                top, left = min(top, max(int(there[0]), first_row)), min(left, max(int(there[1]), first_col))
                bottom, right = max(bottom, min(int(there[2]), last_row)), max(right, min(int(there[3]), last_col))
    return top, left, bottom, right


@jit
def longest_way(index: GraphIndex, ways: Ways, edge: int, other: int) -> float:
    """Return an upper limit of the shortest way between any point of the edge of ``follow_ways`` and any of another."""
    if edge == other:
        return float(index.length[edge])
    one, two, length = index.ends[other, 0], index.ends[other, 1], index.length[other]
    by_first = farthest(ways.first[one], ways.first[two], length)
    by_last = farthest(ways.last[one], ways.last[two], length)
    return farthest(by_first, by_last, index.length[edge]) + 1e-6


@jit
def farthest(one: float, other: float, length: float) -> float:
    """Return how far the farthest point of an edge can be, from the distances of its ends; infinite is unknown."""
    return min(0.5 * (one + other), min(one, other) + 0.5 * length) + 0.5 * length


@jit
def cut_window(index: GraphIndex, rules: LinkRules, window: Window, point: int, back: int) -> Window:
    """Cut a window to where the targets of a point lie to which a road leads from the point ``back``."""
    ahead = direction(index, back, point)
    rows, cols = span_cone(ahead[0], ahead[1], rules.reach), span_cone(ahead[1], ahead[0], rules.reach)
    row, col = int(index.row[point]), int(index.col[point])
    return (
        max(window[0], row + rows[0]),
        max(window[1], col + cols[0]),
        min(window[2], row + rows[1]),
        min(window[3], col + cols[1]),
    )


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
    # Nearly always the edge itself does.
    step = 1 if point > back else -1
    for count in range(int(LOOK), 0, -1):
        on = point + step * count
        is_own = index.start[edge] <= on < index.start[edge + 1]
        if is_own and (index.row[on] - row) ** 2 + (index.col[on] - col) ** 2 <= STRAIGHT_RADIUS**2:
            return True
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
    index: GraphIndex, rules: LinkRules, ways: Ways, is_long: Flags, window: Window, edge: int, point: int, back: int
) -> tuple[int, float]:
    """Find the best link of a point to which a road leads from the point ``back``; -1 where there is none.

    All targets are in ``window``.
    """
    ahead = direction(index, back, point)
    row, col = int(index.row[point]), int(index.col[point])
    best, best_score = -1, np.inf
    for r in range(window[0], window[2] + 1):
        k = lower_bound(index.point_col, index.row_first[r], index.row_first[r + 1], window[1])
        while k < index.row_first[r + 1] and index.point_col[k] <= window[3]:
            other, down, right = int(index.point[k]), r - row, int(index.point_col[k]) - col
            k += 1
            length = math.sqrt(down * down + right * right)
            cosine = (down * ahead[0] + right * ahead[1]) / max(length, 1e-9)
            score = length * (1.0 + BEND_WEIGHT * (1.0 - cosine))
            if length > rules.reach or cosine < MIN_COSINE_MIDDLE or score >= best_score:
                continue
            if not is_long[find_edge(index, other)] or is_connected(index, rules, ways, edge, point, other):
                continue
            score *= 1.0 + BEND_WEIGHT * (1.0 - max(straightness(index, other, -down, -right), 0.5))
            step_down, step_right = LOOK * down / length, LOOK * right / length
            if score < best_score and not (
                is_blocked(index, rules, ways, is_long, edge, point, other)
                or is_beside(index, rules, ways, is_long, edge, point, r - step_down, col + right - step_right, False)
            ):
                best, best_score = other, score
    return best, best_score


@jit
def span_cone(ahead: float, aside: float, reach: float) -> tuple[int, int]:
    """Find between which rows all targets of a link lie, which begins in row 0.

    Args:
        ahead: rows that the road goes on down to the right; the length of (ahead, aside) is 1.
        aside: columns.
        reach: length of the longest link.
    """
    sine = math.sqrt(1.0 - MIN_COSINE_MIDDLE**2)
    one, other = MIN_COSINE_MIDDLE * ahead - sine * aside, MIN_COSINE_MIDDLE * ahead + sine * aside
    least = -1.0 if ahead <= -MIN_COSINE_MIDDLE else min(one, other, 0.0)
    most = 1.0 if ahead >= MIN_COSINE_MIDDLE else max(one, other, 0.0)
    return math.floor(least * reach), math.ceil(most * reach)


@jit
def follow_ways(index: GraphIndex, rules: LinkRules, ways: Ways, edge: int) -> tuple[int, int]:
    """Measure the ways from an edge, for ``is_connected``; return how many nodes to reset of both columns."""
    first = distances_within(index, index.ends[edge, 0], rules.detour, ways.first, ways.first_reached)
    return first, distances_within(index, index.ends[edge, 1], rules.detour, ways.last, ways.last_reached)


@jit
def reset_ways(ways: Ways, counts: tuple[int, int]) -> None:
    """Set the distances that ``follow_ways`` wrote back to infinity."""
    reset_distances(ways.first, ways.first_reached, counts[0])
    reset_distances(ways.last, ways.last_reached, counts[1])


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
    counts = follow_ways(index, rules, ways, edge)
    for number in range(others.size):
        found[number] = is_connected(index, rules, ways, edge, point, others[number])
    reset_ways(ways, counts)
    return found
