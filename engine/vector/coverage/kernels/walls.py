"""Kernels that fit walls, straight lines at right angles to each other, to the ring of a region.

The ring is sampled at the middle of each boundary edge. Given the direction of the walls, dynamic programming finds the
sequence of alternating walls with the smallest sum of squared distances plus a penalty for each wall; given the walls,
their common direction is a least-squares fit. Both are repeated. Edges on the frame of the raster are walls that stay.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Bits, Floats, Ints, Labels
from ...jit import jit

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
            right, down = int(dx > 0) - int(dx < 0), int(dy > 0) - int(dy < 0)
            for n in range(abs(dx) + abs(dy)):
                samples[used, 0], samples[used, 1] = x + right * (n + 0.5), y + down * (n + 0.5)
                side[used] = at
                used += 1
    return samples, side, begin, corner


@jit
def find_chord(samples: Floats, number: int) -> tuple[float, float]:
    """Return the chord of a ring around one of its samples."""
    size = len(samples)
    reach = min(6, max(2, size // 24))
    after, before = (number + reach) % size, number - reach
    return samples[after, 0] - samples[before, 0], samples[after, 1] - samples[before, 1]


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
def find_cheapest(best: Floats, end: int) -> int:
    """Find the kind of wall with which the samples before ``end`` cost least."""
    kind = 0
    for other in range(1, 3):
        if best[end, other] < best[end, kind]:
            kind = other
    return kind


@jit
def split_into_walls(
    across: Floats, side: Bits, reach: float, penalty: float, begin: int, ends: Ints, kinds: Bits
) -> int:
    """Split samples into the walls with the smallest sum of squared distances and penalties.

    Args:
        across: (n, 2), what is constant on a wall of either kind.
        side: side of the raster of each sample, or 0.
        reach: largest distance of a sample from its wall.
        penalty: for each wall.
        begin: kind of the first and of the last wall, or -1 for any.
        ends: (n,), receives where each wall ends.
        kinds: (n,), receives its kind.

    Returns:
        The number of walls.
    """
    size = len(across)
    best = np.full((size + 1, 3), np.inf)
    before, kind_before = np.zeros((size + 1, 3), np.int64), np.zeros((size + 1, 3), np.int64)
    for kind in range(3):
        best[0, kind] = 0.0 if begin < 0 or kind == 1 - begin else np.inf
    run = 0
    for end in range(1, size + 1):
        if side[end - 1] != 0:
            if end == 1 or side[end - 2] != side[end - 1]:
                run = end - 1
            prior = find_cheapest(best, run)
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
    end, kind, walls = size, begin if begin >= 0 else find_cheapest(best, size), 0
    while end > 0:
        ends[walls], kinds[walls] = end, kind
        end, kind = before[end, kind], kind_before[end, kind]
        walls += 1
    for wall in range(walls // 2):  # they were found from the last to the first
        other = walls - 1 - wall
        ends[wall], ends[other] = ends[other], ends[wall]
        kinds[wall], kinds[other] = kinds[other], kinds[wall]
    return walls


@jit
def refine_direction(samples: Floats, ends: Ints, kinds: Bits, walls: int) -> float:
    """Fit the common direction of walls to their samples: least squares, each wall with a position of its own."""
    xx, xy, yy, first = 0.0, 0.0, 0.0, 0
    for wall in range(walls):
        middle_x, middle_y, size = 0.0, 0.0, ends[wall] - first
        for n in range(first, ends[wall]):
            middle_x += samples[n, 0]
            middle_y += samples[n, 1]
        middle_x, middle_y = middle_x / size, middle_y / size
        own_xx, own_xy, own_yy = 0.0, 0.0, 0.0
        for n in range(first, ends[wall]):
            x, y = samples[n, 0] - middle_x, samples[n, 1] - middle_y
            own_xx += x * x
            own_xy += x * y
            own_yy += y * y
        if kinds[wall] == ALONG:
            xx, xy, yy = xx + own_xx, xy + own_xy, yy + own_yy
        elif kinds[wall] == ACROSS:
            xx, xy, yy = xx + own_yy, xy - own_xy, yy + own_xx
        first = ends[wall]
    return 0.5 * math.atan2(2.0 * xy, xx - yy)


@jit
def rotate_ring(samples: Floats, side: Bits, shift: int, rotated: Floats, rotated_side: Bits) -> None:
    """Begin a ring at the sample ``shift``; the last two arguments receive it."""
    size = len(samples)
    for n in range(size):
        k = (n + shift) % size
        rotated[n, 0], rotated[n, 1], rotated_side[n] = samples[k, 0], samples[k, 1], side[k]


@jit
def find_middle_of_longest(ends: Ints, kinds: Bits, walls: int) -> tuple[int, int]:
    """Find the sample in the middle of the longest wall, and the kind of this wall."""
    longest, first, most = 0, 0, -1
    for wall in range(walls):
        begin = ends[wall - 1] if wall > 0 else 0
        if ends[wall] - begin > most:
            longest, first, most = wall, begin, ends[wall] - begin
    return (ends[longest] + first) // 2, int(kinds[longest])


@jit
def fit_walls(
    samples: Floats,
    side: Bits,
    reach: float,
    angle: float,
    rotated: Floats,
    rotated_side: Bits,
    ends: Ints,
    kinds: Bits,
) -> tuple[int, float, int]:
    """Fit walls to a ring.

    Args:
        samples: (n, 2), on the ground, in pixels of the mean size.
        side: side of the raster of each, or 0.
        reach: largest distance of a sample from its wall.
        angle: direction of the walls to begin with.
        rotated: (n, 2), receives the samples from the first wall on.
        rotated_side: (n,), receives their sides.
        ends: (n,), receives where each wall ends in ``rotated``. Without a frame the last wall is the beginning of the
            first.
        kinds: (n,), receives the kind of each.

    Returns:
        The sample with which the first wall begins; the direction of the walls; their number.
    """
    shift, begin, walls = 0, -1, 0
    across = np.empty((len(samples), 2))
    for n in range(len(side)):
        if side[n] != 0 and side[n - 1] != side[n]:
            shift = n
    has_frame = side[shift] != 0
    for number in range(_ROUNDS):
        rotate_ring(samples, side, shift, rotated, rotated_side)
        cosine, sine = math.cos(angle), math.sin(angle)
        for n in range(len(samples)):
            across[n, ALONG] = cosine * rotated[n, 1] - sine * rotated[n, 0]
            across[n, ACROSS] = cosine * rotated[n, 0] + sine * rotated[n, 1]
        walls = split_into_walls(across, rotated_side, reach, 2.0 * reach * reach, begin, ends, kinds)
        angle = refine_direction(rotated, ends, kinds, walls)
        if number == 0 and not has_frame:
            # A ring begins in the middle of its longest wall, so that no corner is where it begins.
            shift, begin = find_middle_of_longest(ends, kinds, walls)
    return shift, angle, walls
