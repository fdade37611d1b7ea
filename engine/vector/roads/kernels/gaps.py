"""Numba kernels that close gaps: the best target of each dead end, and the least-cost path to it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ....raster.probability import PROBABILITY_SCALE
from ...arrays import Floats, Ints
from ...jit import jit
from ...search import lower_bound
from .gap_rules import (
    BEND_WEIGHT,
    SHARP_WIDTHS,
    GapRules,
    bend_at_target,
    is_plausible,
    may_point_at,
    unseen_length,
)
from .graph import Index
from .graph_index import (
    GraphIndex,
    distance_to_point,
    distances_within,
    end_direction,
    end_point,
    reset_distances,
)

Probability = NDArray[np.uint8]

#: Points that are within this many times the largest gap along the network are no targets.
DETOUR_FACTOR = 1.6
#: A path is at most this many times as long as the gap, plus 5 pixels.
MAX_WINDING = 1.6
#: At this share of the gap's length (plus 3 pixels) off the straight line, the cost of a pixel doubles.
CORRIDOR = 0.15
#: Added to the probability of every pixel, so that paths can cross occluded pixels.
PROBABILITY_FLOOR = 0.08
#: Steps to the neighbours of a pixel, from the east clockwise.
DOWN = (0, 1, 1, 1, 0, -1, -1, -1)
RIGHT = (1, 1, 0, -1, -1, -1, 0, 1)


@jit
def find_targets(index: GraphIndex, rules: GapRules, halves: Ints) -> tuple[Ints, Floats]:
    """Find the point that each dead end should be joined with.

    Args:
        index: the network.
        rules: limits and weights.
        halves: half edges that leave dead ends.

    Returns:
        The point of each, -1 where there is none, and its score: length, increased where the road bends.
    """
    target = np.empty(halves.size, np.int64)
    score = np.empty(halves.size)
    distance = np.full(index.node_first.size - 1, np.inf)
    reached = np.empty(distance.size, np.int32)
    for number in range(halves.size):
        target[number], score[number] = find_best_target(index, halves[number], rules, distance, reached)
    return target, score


@jit
def find_best_target(
    index: GraphIndex, half: int, rules: GapRules, distance: Floats, reached: Index
) -> tuple[int, float]:
    """Find the best target of one dead end; ``distance`` and ``reached`` as in ``distances_within``."""
    here, reach, detour = end_point(index, half), math.ceil(rules.max_gap), DETOUR_FACTOR * rules.max_gap
    row, col, sharp_bend_reach = int(index.row[here]), int(index.col[here]), SHARP_WIDTHS * index.width[here]
    ahead = end_direction(index, half, rules.direction_points)
    count, best_point, best_score = 0, -1, np.inf
    for r in range(max(row - reach, 0), min(row + reach + 1, index.row_first.size - 1)):
        stop = index.row_first[r + 1]
        k = lower_bound(index.point_col, index.row_first[r], stop, col - reach)
        while k < stop and index.point_col[k] <= col + reach:
            down, right = r - row, int(index.point_col[k]) - col
            point = index.point[k]
            k += 1
            length = math.sqrt(down * down + right * right)
            cosine = (down * ahead[0] + right * ahead[1]) / max(length, 1e-9)
            if length > rules.max_gap or (cosine < rules.min_cosine and (cosine <= 0.0 or length > sharp_bend_reach)):
                continue
            score = length * (1.0 + BEND_WEIGHT * (1.0 - cosine))
            if score >= best_score or not may_point_at(index, half, point, length, cosine):
                continue
            if count == 0:
                count = distances_within(index, index.ends[half >> 1, half & 1], detour, distance, reached)
            if distance_to_point(index, point, distance) > detour:
                score *= 1.0 + BEND_WEIGHT * bend_at_target(index, point, down, right, rules.direction_points)
                if score < best_score:
                    best_point, best_score = int(point), score
    reset_distances(distance, reached, count)
    return best_point, best_score


@jit
def find_paths(
    index: GraphIndex,
    rules: GapRules,
    halves: Ints,
    targets: Ints,
    windows: Ints,
    max_unseen: Floats,
    probability: Probability,
    top: int,
    left: int,
    capacity: int,
) -> tuple[Ints, NDArray[np.int32], Probability, Ints]:
    """Find least-cost paths from dead ends to their targets.

    Args:
        index: the network.
        rules: limits and weights.
        halves: half edges that leave the dead ends.
        targets: the point that each is to be joined with.
        windows: (n, 4), first row, first column, rows and columns of the window that each path may use.
        max_unseen: (n,), largest length of each without any trace of a road, see ``GapRules``.
        probability: uint8 (rows, columns), smoothed and quantized; covers all windows.
        top: its first row.
        left: its first column.
        capacity: upper limit of the points of all paths together.

    Returns:
        The offset of each path's points (n + 1,); their rows and columns (points, 2); their probabilities; and the
        point of the network that each path meets, -1 for a path that was rejected and has no points.
    """
    first = np.zeros(halves.size + 1, np.int64)
    paths = np.empty((capacity, 2), np.int32)
    values = np.empty(capacity, np.uint8)
    contacts = np.empty(halves.size, np.int64)
    distance = np.full(index.node_first.size - 1, np.inf)
    reached = np.empty(distance.size, np.int32)
    used, least = 0, PROBABILITY_SCALE / (256 + PROBABILITY_FLOOR * PROBABILITY_SCALE)
    for number in range(halves.size):
        half, row, col = halves[number], windows[number, 0], windows[number, 1]
        here, there = end_point(index, half), targets[number]
        ends = (index.row[here] - row, index.col[here] - col, index.row[there] - row, index.col[there] - col)
        cost = cost_surface(probability, row - top, col - left, windows[number, 2], windows[number, 3], ends)
        path = least_cost_path(cost, least, ends[0], ends[1], ends[2], ends[3])
        for i in range(len(path)):
            path[i, 0], path[i, 1] = path[i, 0] + row, path[i, 1] + col
        contacts[number], count = -1, 0
        if not is_winding(path):
            node, limit = index.ends[half >> 1, half & 1], DETOUR_FACTOR * rules.max_gap
            reset = distances_within(index, node, limit, distance, reached)
            contacts[number], count = cut_at_contact(index, here, path, rules, distance)
            reset_distances(distance, reached, reset)
            excess = unseen_length(path, count, probability, top, left) / max_unseen[number]
            if count > 0 and not is_plausible(index, half, contacts[number], path, count, rules, excess):
                contacts[number], count = -1, 0
        for i in range(count):
            paths[used, 0], paths[used, 1] = path[i, 0], path[i, 1]
            values[used] = probability[path[i, 0] - top, path[i, 1] - left]
            used += 1
        first[number + 1] = used
    return first, paths[:used].copy(), values[:used].copy(), contacts


@jit
def cost_surface(
    probability: Probability, row: int, col: int, height: int, width: int, ends: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Compute the cost per length of each pixel: 1 / (probability + minimum), increasing off the straight line.

    The increase keeps the path over an occluded crossing from turning into a side road.

    Args:
        probability: quantized.
        row: first row of the window in it.
        col: first column of the window in it.
        height: rows of the window.
        width: columns of the window.
        ends: row and column of one end, row and column of the other end, in the window.

    Returns:
        float32 (height, width).
    """
    down, right = ends[2] - ends[0], ends[3] - ends[1]
    length = math.sqrt(down * down + right * right)
    scale = 1.0 / (max(length, 1e-9) * (3.0 + CORRIDOR * length))
    cost = np.empty((height, width), np.float32)
    for r in range(height):
        for c in range(width):
            offset = ((r - ends[0]) * right - (c - ends[1]) * down) * scale
            share = probability[row + r, col + c] / PROBABILITY_SCALE
            cost[r, c] = (1.0 + offset * offset) / (share + PROBABILITY_FLOOR)
    return cost


@jit
def least_cost_path(
    cost: NDArray[np.float32], least: float, begin_row: int, begin_col: int, end_row: int, end_col: int
) -> NDArray[np.int32]:
    """Find the 8-connected path of least cost between two pixels (Dijkstra, 1959, with the buckets of Dial, 1969).

    A step costs the mean of its two pixels times its length. A bucket is as wide as the cheapest step, so that no pixel
    is reached from another pixel of its own bucket, and the order within a bucket does not matter.

    Args:
        cost: float32 (rows, columns), cost per length, finite.
        least: lower limit of the costs, above 0.
        begin_row: row of the first pixel.
        begin_col: column of the first pixel.
        end_row: row of the last pixel.
        end_col: column of the last pixel.

    Returns:
        int32 (n, 2): rows and columns from the first pixel to the last.
    """
    rows, cols = cost.shape
    best = np.empty((rows, cols), np.float32)
    best[:] = np.inf
    came = np.empty((rows, cols), np.int8)
    # Buckets are linked lists in a ring, which is longer than any step.
    most = np.float32(0.0)
    for row in range(rows):
        for col in range(cols):
            most = max(most, cost[row, col])
    buckets = int(1.4143 * most / least) + 2
    head = np.full(buckets, -1, np.int32)
    following = np.empty(8 * rows * cols + 1, np.int32)
    pixel = np.empty(8 * rows * cols + 1, np.int32)
    best[begin_row, begin_col] = 0.0
    head[0], following[0], pixel[0] = 0, -1, begin_row * cols + begin_col
    entries, number = 1, 0
    while best[end_row, end_col] >= number * least:
        entry = head[number % buckets]
        head[number % buckets] = -1
        while entry >= 0:
            row, col = pixel[entry] // cols, pixel[entry] % cols
            entry = following[entry]
            so_far = best[row, col]
            if int(so_far / least) != number:
                continue  # outdated: a cheaper path to this pixel was found later
            for direction in range(8):
                r, c = row + DOWN[direction], col + RIGHT[direction]
                if r < 0 or c < 0 or r >= rows or c >= cols:
                    continue
                length = np.float32(0.5 if direction % 2 == 0 else 0.70710678)
                total = so_far + length * (cost[row, col] + cost[r, c])
                if total < best[r, c]:
                    best[r, c] = total
                    came[r, c] = direction
                    slot = int(total / least) % buckets
                    following[entries], pixel[entries] = head[slot], r * cols + c
                    head[slot] = entries
                    entries += 1
        number += 1
    return trace_back(came, begin_row, begin_col, end_row, end_col)


@jit
def trace_back(came: NDArray[np.int8], begin_row: int, begin_col: int, end_row: int, end_col: int) -> NDArray[np.int32]:
    """Follow the directions (0 east, clockwise) in which pixels were entered back to the first; int32 (n, 2)."""
    row, col, count = end_row, end_col, 1
    while row != begin_row or col != begin_col:
        direction = came[row, col]
        row, col = row - DOWN[direction], col - RIGHT[direction]
        count += 1
    path = np.empty((count, 2), np.int32)
    path[0, 0], path[0, 1] = begin_row, begin_col
    row, col = end_row, end_col
    for i in range(count - 1, 0, -1):
        path[i, 0], path[i, 1] = row, col
        direction = came[row, col]
        row, col = row - DOWN[direction], col - RIGHT[direction]
    return path


@jit
def is_winding(path: NDArray[np.int32]) -> bool:
    """Return whether a path is more than ``MAX_WINDING`` times as long as the straight line, plus 5 pixels."""
    length = 0.0
    for i in range(1, len(path)):
        length += math.sqrt(abs(path[i, 0] - path[i - 1, 0]) + abs(path[i, 1] - path[i - 1, 1]))
    down, right = path[-1, 0] - path[0, 0], path[-1, 1] - path[0, 1]
    return length > MAX_WINDING * math.sqrt(down * down + right * right) + 5.0


@jit
def cut_at_contact(
    index: GraphIndex, here: int, path: NDArray[np.int32], rules: GapRules, distance: Floats
) -> tuple[int, int]:
    """Find where a path first meets a point that is not near its dead end along the network.

    Args:
        index: the network.
        here: the point that is the dead end.
        path: (n, 2), rows and columns; the last point is moved to the contact.
        rules: limits and weights.
        distance: (nodes,), from the dead end along the network, by ``distances_within``.

    Returns:
        The point that is met and the number of points up to and including the contact; -1 and 0 where the path runs
        into its own surroundings first.
    """
    row, col, reach = index.row[here], index.col[here], math.ceil(rules.max_gap)
    for i in range(1, len(path)):
        corners = 3 if path[i, 0] != path[i - 1, 0] and path[i, 1] != path[i - 1, 1] else 1
        for corner in range(corners):
            # A diagonal step also meets the points at its two corners.
            r, c = path[i - (corner == 2), 0], path[i - (corner == 1), 1]
            met, own = -1, False
            k = lower_bound(index.point_col, index.row_first[r], index.row_first[r + 1], c)
            while k < index.row_first[r + 1] and index.point_col[k] == c:
                inside = abs(r - row) <= reach and abs(c - col) <= reach
                if inside and distance_to_point(index, index.point[k], distance) > DETOUR_FACTOR * rules.max_gap:
                    met = int(index.point[k])
                    break
                own = True
                k += 1
            if met >= 0:
                path[i, 0], path[i, 1] = r, c
                return met, i + 1
            if own and corner == 0 and i > 2:
                return -1, 0
    return -1, 0
