"""Kernels that fit walls, straight lines at right angles to each other, to the ring of a region.

The ring is sampled at the middle of each boundary edge. Given the direction of the walls, dynamic programming finds the
sequence of alternating walls with the smallest sum of squared distances plus a penalty for each wall; given the walls,
their common direction is a least-squares fit. Both are repeated. Edges on the frame of the raster are walls that stay.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Bits, Floats, Ints, Labels
from ...jit import jit

Scalar = TypeVar("Scalar", bound=np.generic)

#: Kind of a wall: along the main direction, across it, or on the frame of the raster.
ALONG, ACROSS, FRAME = 0, 1, 2
#: Rounds in which walls and their direction are fitted to each other.
_ROUNDS = 3


@jit
def count_edges(points: Labels, start: Ints, arc: int) -> int:
    """Count the boundary edges of an arc."""
    size = 0
    for k in range(start[arc], start[arc + 1] - 1):
        size += abs(points[k + 1, 0] - points[k, 0]) + abs(points[k + 1, 1] - points[k, 1])
    return size


@jit
def sample_ring(
    half_edges: Ints, points: Labels, start: Ints, width: int, height: int
) -> tuple[Floats, Bits, Ints, Floats]:
    """Sample a ring at the middle of each boundary edge.

    Args:
        half_edges: of the ring.
        points: of the arcs, in pixels.
        start: where each arc's points begin.
        width: of the raster in pixels.
        height: likewise.

    Returns:
        Samples (n, 2); the side of the raster on which each lies, 1 to 4, or 0; the sample with which each half-edge
        begins; the corner at which it begins.
    """
    size = 0
    for edge in half_edges:
        size += count_edges(points, start, edge >> 1)
    samples, side = np.empty((size, 2)), np.zeros(size, np.uint8)
    begin, corner = np.empty(half_edges.size, np.int64), np.empty((half_edges.size, 2))
    used = 0
    for number in range(half_edges.size):
        edge = half_edges[number]
        first, last, step = start[edge >> 1], start[(edge >> 1) + 1] - 1, 1
        if edge & 1:
            first, last, step = last, first, -1
        begin[number] = used
        corner[number, 0], corner[number, 1] = points[first, 0], points[first, 1]
        for k in range(first, last, step):
            x, y = points[k, 0], points[k, 1]
            dx, dy = points[k + step, 0] - x, points[k + step, 1] - y
            at = 0
            if dx == 0 and (x == 0 or x == width):
                at = 1 if x == 0 else 2
            elif dy == 0 and (y == 0 or y == height):
                at = 3 if y == 0 else 4
            for n in range(abs(dx) + abs(dy)):
                samples[used, 0] = x + np.sign(dx) * (n + 0.5)
                samples[used, 1] = y + np.sign(dy) * (n + 0.5)
                side[used] = at
                used += 1
    return samples, side, begin, corner


@jit
def find_chord(samples: Floats, number: int) -> tuple[float, float]:
    """Return the chord of a ring around one of its samples."""
    size = len(samples)
    reach = min(6, max(2, size // 24))
    after, before = samples[(number + reach) % size], samples[number - reach]
    return after[0] - before[0], after[1] - before[1]


@jit
def find_direction(samples: Floats, side: Bits) -> tuple[float, float]:
    """Find the direction that most chords of a ring have, modulo 90 degrees.

    Returns:
        The angle in radians, and from 0 to 1 how many have it: 1 for an axis-parallel rectangle, 0 for a circle.
    """
    real, imaginary, total = 0.0, 0.0, 1e-9
    for n in range(len(samples)):
        if side[n] != 0:
            continue
        dx, dy = find_chord(samples, n)
        square = dx * dx + dy * dy
        if square > 0.0:
            real += ((dx * dx - dy * dy) ** 2 - 4.0 * dx * dx * dy * dy) / square
            imaginary += 4.0 * dx * dy * (dx * dx - dy * dy) / square
            total += square
    return 0.25 * math.atan2(imaginary, real), math.hypot(real, imaginary) / total


@jit
def split_into_walls(across: Floats, side: Bits, reach: float, penalty: float, begin: int) -> tuple[Ints, Bits]:
    """Split samples into the walls with the smallest sum of squared distances and penalties.

    Args:
        across: (n, 2), what is constant on a wall of either kind.
        side: side of the raster of each sample, or 0.
        reach: largest distance of a sample from its wall.
        penalty: for each wall.
        begin: kind of the first and of the last wall, or -1 for any.

    Returns:
        Where each wall ends, and its kind.
    """
    size = len(across)
    best = np.full((size + 1, 3), np.inf)
    before, kind_before = np.zeros((size + 1, 3), np.int64), np.zeros((size + 1, 3), np.uint8)
    best[0] = 0.0
    if begin >= 0:
        best[0, begin] = best[0, FRAME] = np.inf
    run = 0
    for end in range(1, size + 1):
        if side[end - 1] != 0:
            if end == 1 or side[end - 2] != side[end - 1]:
                run = end - 1
            prior = int(np.argmin(best[run]))
            best[end, FRAME], before[end, FRAME], kind_before[end, FRAME] = best[run, prior], run, prior
            continue
        for kind in range(2):
            low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
            for first in range(end - 1, -1, -1):
                if side[first] != 0:
                    break
                value = across[first, kind]
                low, high = min(low, value), max(high, value)
                if high - low > 2.0 * reach:
                    break
                total += value
                squares += value * value
                prior = FRAME if best[first, FRAME] < best[first, 1 - kind] else 1 - kind
                cost = best[first, prior] + squares - total * total / (end - first) + penalty
                if cost < best[end, kind]:
                    best[end, kind], before[end, kind], kind_before[end, kind] = cost, first, prior
    ends, kinds = np.empty(size, np.int64), np.empty(size, np.uint8)
    end, kind, walls = size, begin if begin >= 0 else int(np.argmin(best[size])), 0
    while end > 0:
        walls += 1
        ends[size - walls], kinds[size - walls] = end, kind
        end, kind = before[end, kind], kind_before[end, kind]
    return ends[size - walls :].copy(), kinds[size - walls :].copy()


@jit
def refine_direction(samples: Floats, ends: Ints, kinds: Bits) -> float:
    """Fit the common direction of walls to their samples: least squares, each wall with a position of its own."""
    xx, xy, yy = 0.0, 0.0, 0.0
    for wall in range(ends.size):
        if kinds[wall] == FRAME:
            continue
        part = samples[ends[wall - 1] if wall else 0 : ends[wall]]
        x, y = part[:, 0] - part[:, 0].mean(), part[:, 1] - part[:, 1].mean()
        if kinds[wall] == ACROSS:
            x, y = y, -x
        xx, xy, yy = xx + (x * x).sum(), xy + (x * y).sum(), yy + (y * y).sum()
    return 0.5 * math.atan2(2.0 * xy, xx - yy)


@jit
def roll(values: NDArray[Scalar], shift: int) -> NDArray[Scalar]:
    """Begin a sequence at ``shift``."""
    return np.concatenate((values[shift:], values[:shift]))


@jit
def fit_walls(samples: Floats, side: Bits, reach: float, penalty: float) -> tuple[int, float, Ints, Bits]:
    """Fit walls to a ring.

    Args:
        samples: (n, 2), on the ground, in pixels of the mean size.
        side: side of the raster of each, or 0.
        reach: largest distance of a sample from its wall.
        penalty: for each wall.

    Returns:
        The sample with which the first wall begins; the direction of the walls; where each wall ends, from that
        sample on; its kind. Without a frame the last wall is the beginning of the first.
    """
    angle, _ = find_direction(samples, side)
    shift, begin = 0, -1
    for n in range(len(side)):
        if side[n] != 0 and side[n - 1] != side[n]:
            shift = n
    has_frame = side[shift] != 0
    ends, kinds = np.zeros(0, np.int64), np.zeros(0, np.uint8)
    for number in range(_ROUNDS):
        rolled = roll(samples, shift)
        cosine, sine = math.cos(angle), math.sin(angle)
        across = np.empty_like(rolled)
        across[:, ALONG] = cosine * rolled[:, 1] - sine * rolled[:, 0]
        across[:, ACROSS] = cosine * rolled[:, 0] + sine * rolled[:, 1]
        ends, kinds = split_into_walls(across, roll(side, shift), reach, penalty, begin)
        angle = refine_direction(rolled, ends, kinds)
        if number == 0 and not has_frame:
            # A ring begins in the middle of its longest wall, so that no corner is where it begins.
            longest = np.argmax(np.diff(np.concatenate((np.zeros(1, np.int64), ends))))
            begin = int(kinds[longest])
            shift = (ends[longest] + (ends[longest - 1] if longest else 0)) // 2
    return shift, angle, ends, kinds
