"""Compiled search for bridges: which point a dead end could be joined with, and the way there (see ``jit``)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import jit
from .graph_index import Floats, Index, Ints, Lookup, distance_along, first_from, forget, heading, spread
from .least_cost import least_cost_path

Levels = NDArray[np.uint8]


class Rules(NamedTuple):
    """What makes a bridge good or impossible; lengths in pixels.

    Attributes:
        gap: longest gap.
        cosine: smallest cosine between the road's direction at its end and the bridge's.
        tail: points of road from which its direction is taken.
        detour: within this many gaps along the network a point is no candidate.
        winding: a bridge is at most this many times as long as the gap is wide, and 5 pixels.
        bend: how much a bend of 90 degrees adds to the length of a bridge when targets are compared.
        stray: at this share of the gap's width (and 3 pixels) beside the straight line the cost of a pixel is doubled.
        floor: probability that is added to every pixel's.
        levels: level of probability 1.
    """

    gap: float
    cosine: float
    tail: int
    detour: float
    winding: float
    bend: float
    stray: float
    floor: float
    levels: int


@jit
def end_point(net: Lookup, half: int) -> int:
    """The point at which ``half`` begins."""
    point: int = net.start[(half >> 1) + 1] - 1 if half & 1 else net.start[half >> 1]
    return point


@jit
def nominate(net: Lookup, rules: Rules, halves: Ints) -> tuple[Ints, Floats]:
    """Find the point that each dead end should be joined with.

    Args:
        net: the network.
        rules: what counts.
        halves: the halves that leave dead ends.

    Returns:
        The point for each, -1 where there is none, and its score: length, more where it bends.
    """
    target = np.empty(halves.size, np.int64)
    score = np.empty(halves.size)
    distance = np.empty(net.node_first.size - 1)
    distance[:] = np.inf
    reached = np.empty(distance.size, np.int32)
    for number in range(halves.size):
        target[number], score[number] = best_target(net, halves[number], rules, distance, reached)
    return target, score


@jit
def best_target(net: Lookup, half: int, rules: Rules, distance: Floats, reached: Index) -> tuple[int, float]:
    """The best point for one dead end, as ``nominate`` does it; ``distance`` and ``reached`` as in ``spread``."""
    here, reach, detour = end_point(net, half), math.ceil(rules.gap), rules.detour * rules.gap
    row, col, near = int(net.row[here]), int(net.col[here]), 1.5 * net.width[here]
    ahead = heading(net, half, rules.tail)
    count, best, least = 0, -1, np.inf
    for r in range(max(row - reach, 0), min(row + reach + 1, net.row_first.size - 1)):
        stop = net.row_first[r + 1]
        k = first_from(net.point_col, net.row_first[r], stop, col - reach)
        while k < stop and net.point_col[k] <= col + reach:
            down, right = r - row, int(net.point_col[k]) - col
            point = net.point[k]
            k += 1
            far = math.sqrt(down * down + right * right)
            cosine = (down * ahead[0] + right * ahead[1]) / max(far, 1e-9)
            if far > rules.gap or (cosine < rules.cosine and (cosine <= 0.0 or far > near)):
                continue
            worth = far * (1.0 + rules.bend * (1.0 - cosine))
            if worth >= least:
                continue
            if count == 0:
                count = spread(net, net.ends[half >> 1, half & 1], detour, distance, reached)
            if distance_along(net, point, distance) > detour:
                worth *= 1.0 + rules.bend * bend_at(net, point, down, right, rules.tail)
                if worth < least:
                    best, least = int(point), worth
    forget(distance, reached, count)
    return best, least


@jit
def bend_at(net: Lookup, point: int, down: int, right: int, tail: int) -> float:
    """How much a straight bridge bends at its target: 0 where it goes straight on, 1 at a right angle.

    In the middle of a road it counts as half a right angle.
    """
    dead = first_from(net.dead_point, 0, net.dead_point.size, point)
    if dead == net.dead_point.size or net.dead_point[dead] != point:
        return 0.5
    there = heading(net, net.dead_half[dead], tail)
    far = math.sqrt(down * down + right * right)
    return 1.0 + (down * there[0] + right * there[1]) / max(far, 1e-9)


@jit
def lay_bridges(
    net: Lookup,
    halves: Ints,
    targets: Ints,
    windows: Ints,
    levels: Levels,
    top: int,
    left: int,
    rules: Rules,
    room: int,
) -> tuple[Ints, NDArray[np.int32], Levels, Ints]:
    """Find the ways from dead ends to their targets.

    Args:
        net: the network.
        halves: the halves that leave the dead ends.
        targets: the point that each is to be joined with.
        windows: (n, 4), first row, first column, rows and columns of the window that each way may use.
        levels: uint8 (rows, columns), blurred; covers all windows.
        top: its first row.
        left: its first column.
        rules: what counts.
        room: more points than this all ways together do not have.

    Returns:
        Where the points of each way begin (n + 1,); their rows and columns (points, 2); their levels; and the point
        of the network that each meets, -1 for a way that is none and has no points.
    """
    first = np.zeros(halves.size + 1, np.int64)
    paths = np.empty((room, 2), np.int32)
    level = np.empty(room, np.uint8)
    met = np.empty(halves.size, np.int64)
    distance = np.empty(net.node_first.size - 1)
    distance[:] = np.inf
    reached = np.empty(distance.size, np.int32)
    used = 0
    for number in range(halves.size):
        row, col, high, wide = windows[number]
        here, there = end_point(net, halves[number]), targets[number]
        part = levels[row - top : row - top + high, col - left : col - left + wide]
        ends = (net.row[here] - row, net.col[here] - col, net.row[there] - row, net.col[there] - col)
        path = least_cost_path(cost_of(part, ends, rules), rules.levels / (256 + rules.floor * rules.levels), *ends)
        for i in range(len(path)):
            path[i, 0] += row
            path[i, 1] += col
        count = 0
        met[number] = -1
        if not winds(path, rules.winding):
            reach = rules.detour * rules.gap
            near = spread(net, net.ends[halves[number] >> 1, halves[number] & 1], reach, distance, reached)
            met[number], count = cut_at_contact(net, here, path, rules, distance)
            forget(distance, reached, near)
        for i in range(count):
            paths[used + i] = path[i]
            level[used + i] = levels[path[i, 0] - top, path[i, 1] - left]
        used += count
        first[number + 1] = used
    return first, paths[:used].copy(), level[:used].copy(), met


@jit
def cost_of(levels: Levels, ends: tuple[int, int, int, int], rules: Rules) -> NDArray[np.float32]:
    """What a pixel's length costs: 1 / (probability + floor), more beside the straight line.

    So the bridge over an occluded crossing does not turn into a side road.

    Args:
        levels: of the window.
        ends: row and column of the one end, row and column of the other, in the window.
        rules: what counts.
    """
    down, right = ends[2] - ends[0], ends[3] - ends[1]
    far = math.sqrt(down * down + right * right)
    scale = 1.0 / (max(far, 1e-9) * (3.0 + rules.stray * far))
    cost = np.empty(levels.shape, np.float32)
    for r in range(levels.shape[0]):
        for c in range(levels.shape[1]):
            off = ((r - ends[0]) * right - (c - ends[1]) * down) * scale
            cost[r, c] = (1.0 + off * off) / (levels[r, c] / rules.levels + rules.floor)
    return cost


@jit
def winds(path: NDArray[np.int32], winding: float) -> bool:
    """Whether a path is far longer than the straight line."""
    length = 0.0
    for i in range(1, len(path)):
        length += math.sqrt(abs(path[i, 0] - path[i - 1, 0]) + abs(path[i, 1] - path[i - 1, 1]))
    down, right = path[-1, 0] - path[0, 0], path[-1, 1] - path[0, 1]
    return length > winding * math.sqrt(down * down + right * right) + 5.0


@jit
def cut_at_contact(net: Lookup, here: int, path: NDArray[np.int32], rules: Rules, distance: Floats) -> tuple[int, int]:
    """Find where a path first meets a point that is no near neighbour of its dead end along the network.

    Args:
        net: the network.
        here: the point that is the dead end.
        path: (n, 2), rows and columns; the last point is moved to the contact.
        rules: what counts.
        distance: (nodes,), from the dead end along the network, as ``spread`` finds it.

    Returns:
        The point that is met and the number of points to the contact, it included; -1 and 0 where the path runs into
        its own surroundings before.
    """
    row, col, reach = net.row[here], net.col[here], math.ceil(rules.gap)
    for i in range(1, len(path)):
        corners = 3 if path[i, 0] != path[i - 1, 0] and path[i, 1] != path[i - 1, 1] else 1
        for corner in range(corners):
            # A slanting step also meets what lies at its corners.
            r, c = path[i - (corner == 2), 0], path[i - (corner == 1), 1]
            met, own = -1, False
            k = first_from(net.point_col, net.row_first[r], net.row_first[r + 1], c)
            while k < net.row_first[r + 1] and net.point_col[k] == c:
                inside = abs(r - row) <= reach and abs(c - col) <= reach
                if inside and distance_along(net, net.point[k], distance) > rules.detour * rules.gap:
                    met = int(net.point[k])
                    break
                own = True
                k += 1
            if met >= 0:
                path[i, 0], path[i, 1] = r, c
                return met, i + 1
            if own and corner == 0 and i > 2:
                return -1, 0
    return -1, 0
