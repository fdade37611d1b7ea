"""Rules for closing gaps, and numba kernels that judge a gap by them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....raster.probability import PROBABILITY_SCALE
from ...jit import jit
from ...search import lower_bound
from .graph_index import GraphIndex, end_direction, end_point

Probability = NDArray[np.uint8]

#: A bend of 90 degrees multiplies the score of a target by 1 plus this; small scores are preferred.
BEND_WEIGHT = 2.0
#: Below this probability a pixel of a path counts as not seen, in proportion.
SEEN = 0.2
#: Two dead ends with a larger product of penalties for bends are joined as if one were the middle of a road.
MAX_BEND = 1.7
#: Smallest cosine of the angle between a dead end and a gap that ends in the middle of a road.
MIN_COSINE_MIDDLE = 0.87
#: A gap shorter than this many widths of its road may have any angle up to 90 degrees.
SHARP_WIDTHS = 1.5
#: Share of the unseen length that a gap from a stub may have, because stubs are often no roads.
STUB_SHARE = 0.5


class GapRules(NamedTuple):
    """Rules for closing gaps; lengths are in pixels.

    Attributes:
        max_gap: length of the longest gap.
        min_cosine: smallest cosine of the angle between the direction of a dead end and the gap.
        direction_points: number of points from which the direction of a dead end is estimated.
        max_unseen: largest length without any trace of a road in a gap that ends in the middle of another road, where
            the values around it could show one.
        max_unknown: the same in a mask, which shows no trace below trees.
        stub: dead ends on shorter edges are stubs.
    """

    max_gap: float
    min_cosine: float
    direction_points: int
    max_unseen: float
    max_unknown: float
    stub: float


@jit
def bend_at_target(index: GraphIndex, point: int, down: int, right: int, direction_points: int) -> float:
    """Measure how much a straight gap (down, right) bends at its target: 0 straight on, 1 at a right angle.

    A target in the middle of a road counts as half a right angle.
    """
    dead = lower_bound(index.dead_point, 0, index.dead_point.size, point)
    if dead == index.dead_point.size or index.dead_point[dead] != point:
        return 0.5
    ahead = end_direction(index, index.dead_half[dead], direction_points)
    length = math.sqrt(down * down + right * right)
    return 1.0 + (down * ahead[0] + right * ahead[1]) / max(length, 1e-9)


@jit
def unseen_length(path: NDArray[np.int32], count: int, probability: Probability, top: int, left: int) -> float:
    """Measure the length of a path without any trace of a road; a pixel of half the probability ``SEEN`` counts half.

    Args:
        path: (n, 2), rows and columns.
        count: number of its points that are measured.
        probability: uint8 (rows, columns), smoothed and quantized; covers the path.
        top: its first row.
        left: its first column.
    """
    length = 0.0
    for i in range(1, count):
        step = math.sqrt(abs(path[i, 0] - path[i - 1, 0]) + abs(path[i, 1] - path[i - 1, 1]))
        share = probability[path[i, 0] - top, path[i, 1] - left] / (SEEN * PROBABILITY_SCALE)
        length += step * max(0.0, 1.0 - share)
    return length


@jit
def is_plausible(
    index: GraphIndex, half: int, contact: int, path: NDArray[np.int32], count: int, rules: GapRules, excess: float
) -> bool:
    """Return whether a path is likely to be road.

    Two dead ends that point at each other are nearly always one road. A dead end that points at the middle of another
    road is often a true one, so that the gap has to go straight on, and has to be short or seen.

    Args:
        index: the network.
        half: half edge that leaves the dead end.
        contact: the point that the path meets.
        path: (n, 2), rows and columns.
        count: number of its points up to the contact.
        rules: limits and weights.
        excess: see ``unseen_length``, as a share of the largest such length in a gap that ends in the middle of a road.
    """
    down, right = int(path[count - 1, 0] - path[0, 0]), int(path[count - 1, 1] - path[0, 1])
    length = max(math.sqrt(down * down + right * right), 1e-9)
    ahead = end_direction(index, half, rules.direction_points)
    cosine = (down * ahead[0] + right * ahead[1]) / length
    limit = STUB_SHARE if index.length[half >> 1] < rules.stub else 1.0
    met = lower_bound(index.start, 0, index.start.size, contact + 1) - 1
    if is_scrap(index, half >> 1, rules) or is_scrap(index, met, rules):
        limit = 0.0
    end = near_dead_end(index, contact, length)
    if end >= 0:
        bend = 1.0 + BEND_WEIGHT * bend_at_target(index, end, down, right, rules.direction_points)
        return bend * (1.0 + BEND_WEIGHT * (1.0 - cosine)) <= MAX_BEND or excess <= limit
    return excess <= limit and may_point_at(index, half, contact, length, cosine)


@jit
def may_point_at(index: GraphIndex, half: int, point: int, length: float, cosine: float) -> bool:
    """Return whether a gap of a dead end may have its angle: to the middle of a road it goes straight on, or is short.

    Args:
        index: the network.
        half: half edge that leaves the dead end.
        point: the point at which the gap ends.
        length: of the gap, pixels.
        cosine: of the angle between the direction of the dead end and the gap.
    """
    if cosine >= MIN_COSINE_MIDDLE or length <= SHARP_WIDTHS * index.width[end_point(index, half)]:
        return True
    return near_dead_end(index, point, length) >= 0


@jit
def is_scrap(index: GraphIndex, edge: int, rules: GapRules) -> bool:
    """Return whether an edge is as short as a stub and has no other edge at either end."""
    one, other = index.ends[edge, 0], index.ends[edge, 1]
    first = index.node_first
    if first[one + 1] - first[one] > 1 or first[other + 1] - first[other] > 1:
        return False
    return bool(index.length[edge] < rules.stub)


@jit
def near_dead_end(index: GraphIndex, point: int, reach: float) -> int:
    """Find the point that is the nearest dead end of the same edge within ``reach`` pixels along it; -1 for none.

    None is near a junction, where edges meet that have one and edges that have none. Of two that are equally near it is
    the upper or left one. So neither the order of edges matters nor their direction.
    """
    edge = lower_bound(index.start, 0, index.start.size, point + 1) - 1
    first, last = index.start[edge], index.start[edge + 1] - 1
    if point in (first, last):
        node = index.ends[edge, 1 if point == last else 0]
        if index.node_first[node + 1] - index.node_first[node] > 1:
            return -1
    if last - point < point - first or (last - point == point - first and is_above(index, last, first)):
        first, last = last, first
    for end in (first, last):
        dead = lower_bound(index.dead_point, 0, index.dead_point.size, end)
        if dead < index.dead_point.size and index.dead_point[dead] == end and abs(end - point) <= reach:
            return int(end)
    return -1


@jit
def is_above(index: GraphIndex, one: int, other: int) -> bool:
    """Return whether a point lies above another one, or left of it in the same row."""
    down = index.row[other] - index.row[one]
    return bool(down > 0 or (down == 0 and index.col[other] > index.col[one]))
