"""Kernels that replace the arcs of a ring by walls at right angles, where the ring is that of such a shape."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Bits, Flags, Floats, Ints, Labels
from ...jit import jit
from .nodes import place_nodes
from .walls import ALONG, count_edges, find_chord, find_direction, fit_walls, sample_ring

#: Rings of fewer or more boundary edges stay as they are.
MIN_EDGES, MAX_EDGES = 16, 20_000
#: A ring has right angles if so much of its chords, by their squares, has one direction modulo 90 degrees, ...
_MIN_STRENGTH = 0.35
#: ... so many chords are nearly parallel to their wall (the sine of the angle between them), ...
_MIN_PARALLEL, _PARALLEL = 0.6, 0.42
#: ... and, as shares of the largest distance, the root mean square of the distances from the walls and of their trend
#: along the walls are at most this. The trend tells slanting borders, which become steps, from noise.
_MAX_RMS, _MAX_TREND = 0.21, 0.15
#: Walls that meet at a smaller angle, at the frame of the raster, have no corner (the sine).
_MIN_ANGLE = 0.25


@jit
def find_lines(
    samples: Floats, side: Bits, angle: float, ends: Ints, kinds: Bits, walls: int, reach: float
) -> tuple[Floats, Ints]:
    """Find the lines of the walls of a ring, and the wall of each sample.

    Args:
        samples: of the ring, from the first wall on; this and the next two as ``fit_walls`` returns them.
        side: side of the raster of each, or 0.
        angle: direction of the walls.
        ends: where each wall ends.
        kinds: its kind.
        walls: number of walls.
        reach: largest distance of a sample from its wall.

    Returns:
        Normal and distance from the origin of each (walls, 3); the number of each sample's wall (n,).
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    last = 0
    if side[0] == 0:  # the last wall is the beginning of the first
        walls -= 1
        last = ends[walls - 1] - len(samples) if walls > 0 else 0
    lines, wall_of = np.empty((walls, 3)), np.zeros(len(samples), np.int64)
    for wall in range(walls):
        first = ends[wall - 1] if wall > 0 else 0
        right, down = (-sine, cosine) if kinds[wall] == ALONG else (cosine, sine)
        if side[first] != 0:
            right, down = (1.0, 0.0) if side[first] <= 2 else (0.0, 1.0)
        low, high, total = np.inf, -np.inf, 0.0
        for n in range(last, ends[wall]):
            wall_of[n] = wall
            across = samples[n, 0] * right + samples[n, 1] * down
            low, high, total = min(low, across), max(high, across), total + across
        # The mean, or what is nearest to it within reach of all samples.
        lines[wall, 2] = min(max(total / (ends[wall] - last), high - reach), low + reach)
        lines[wall, 0], lines[wall, 1] = right, down
        last = ends[wall]
    return lines, wall_of


@jit
def find_corners_of_walls(lines: Floats, corners: Floats) -> bool:
    """Intersect each wall with the next one.

    Args:
        lines: as ``find_lines`` returns them.
        corners: (walls, 2), receives the corners.

    Returns:
        Whether there are at least four, none of them between walls that are nearly parallel.
    """
    walls = len(lines)
    for a in range(walls):
        b = (a + 1) % walls
        sine = lines[a, 0] * lines[b, 1] - lines[a, 1] * lines[b, 0]
        if abs(sine) < _MIN_ANGLE:
            return False
        corners[a, 0] = (lines[a, 2] * lines[b, 1] - lines[b, 2] * lines[a, 1]) / sine
        corners[a, 1] = (lines[a, 0] * lines[b, 2] - lines[b, 0] * lines[a, 2]) / sine
    return walls >= 4


@jit
def find_trend(samples: Floats, side: Bits, lines: Floats, wall_of: Ints) -> float:
    """Mean square of what straight lines through the distances from the walls, one for each wall, explain of them."""
    explained, counted = 0.0, 0
    for wall in range(len(lines)):
        right, down = lines[wall, 0], lines[wall, 1]
        middle, size = 0.0, 0
        for n in range(len(samples)):
            if wall_of[n] == wall and side[n] == 0:
                middle += samples[n, 1] * right - samples[n, 0] * down
                size += 1
        if size < 2:
            continue
        middle /= size
        counted += size
        square, product = 0.0, 0.0
        for n in range(len(samples)):
            if wall_of[n] == wall and side[n] == 0:
                along = samples[n, 1] * right - samples[n, 0] * down - middle
                square += along * along
                product += along * (samples[n, 0] * right + samples[n, 1] * down - lines[wall, 2])
        if square > 0.0:
            explained += product * product / square
    return explained / max(counted, 1)


@jit
def is_rectangular(samples: Floats, side: Bits, lines: Floats, wall_of: Ints, corners: Floats, reach: float) -> bool:
    """Whether walls describe a ring: its samples are near to them and run along them, its corners near to samples."""
    squares, counted, parallel = 0.0, 0, 0
    for n in range(len(samples)):
        if side[n] != 0:
            continue
        wall = wall_of[n]
        right, down = lines[wall, 0], lines[wall, 1]
        dx, dy = find_chord(samples, n)
        off = samples[n, 0] * right + samples[n, 1] * down - lines[wall, 2]
        counted += 1
        squares += off * off
        parallel += int(abs(dx * right + dy * down) <= _PARALLEL * math.hypot(dx, dy))
    if counted == 0 or parallel < _MIN_PARALLEL * counted or squares > counted * (_MAX_RMS * reach) ** 2:
        return False
    for wall in range(len(corners)):
        nearest = np.inf
        for n in range(len(samples)):
            x, y = samples[n, 0] - corners[wall, 0], samples[n, 1] - corners[wall, 1]
            nearest = min(nearest, x * x + y * y)
        if nearest > reach * reach:
            return False
    return find_trend(samples, side, lines, wall_of) <= (_MAX_TREND * reach) ** 2


@jit
def append_point(points: Labels, first: int, used: int, source: Labels, index: int) -> int:
    """Append a point of another array to those from ``first`` to before ``used``, unless it is the last of them.

    Returns:
        Where the points end now.
    """
    x, y = source[index, 0], source[index, 1]
    if used > first and points[used - 1, 0] == x and points[used - 1, 1] == y:
        return used
    points[used, 0], points[used, 1] = x, y
    return used + 1


@jit
def write_arc(
    placed: Floats, k: int, corners: Labels, nodes: Labels, is_closed: bool, is_backward: bool, out: Labels, first: int
) -> int:
    """Write the points of a half-edge between its nodes.

    Args:
        placed: as ``place_nodes`` returns it.
        k: the half-edge.
        corners: of the walls, in units of the lattice.
        nodes: where each half-edge begins, likewise.
        is_closed: whether the half-edge is a ring without a node.
        is_backward: whether it is the arc in the opposite direction; the points are written in that of the arc.
        out: receives the points.
        first: where they begin.

    Returns:
        Where they end.
    """
    walls, after, used = len(corners), (k + 1) % len(nodes), first
    wall, last = int(placed[k, 2]), int(placed[after, 2])
    if is_closed:
        for n in range(walls + 1):
            out[used, 0], out[used, 1] = corners[n % walls, 0], corners[n % walls, 1]
            used += 1
    else:
        used = append_point(out, first, used, nodes, k)
        if wall != last or placed[after, 3] <= placed[k, 3]:
            while True:
                used = append_point(out, first, used, corners, wall)
                wall = (wall + 1) % walls
                if wall == last:
                    break
        used = append_point(out, first, used, nodes, after)
    for n in range((used - first) // 2 if is_backward else 0):
        low, high = first + n, used - 1 - n
        out[low, 0], out[high, 0] = out[high, 0], out[low, 0]
        out[low, 1], out[high, 1] = out[high, 1], out[low, 1]
    return used


@jit
def fit_ring(
    samples: Floats, side: Bits, begin: Ints, corner: Floats, tails: Floats, reach: float, is_closed: bool
) -> tuple[bool, Floats, Floats]:
    """Fit walls to a ring and move its nodes onto them.

    Args:
        samples: of the ring, on the ground.
        side: side of the raster of each, or 0.
        begin: see ``place_nodes``, like the next two.
        corner: where each half-edge begins.
        tails: the arcs that end there.
        reach: largest distance between old and new borders.
        is_closed: whether the ring has no node.

    Returns:
        Whether the ring has walls; their corners; its nodes, as ``place_nodes`` returns them.
    """
    none, size = np.empty((0, 2)), len(samples)
    angle, strength = find_direction(samples, side)
    if strength < _MIN_STRENGTH:
        return False, none, none
    rotated, rotated_side = np.empty((size, 2)), np.empty(size, np.uint8)
    ends, kinds = np.empty(size, np.int64), np.empty(size, np.uint8)
    shift, angle, walls = fit_walls(samples, side, reach, angle, rotated, rotated_side, ends, kinds)
    lines, wall_of = find_lines(rotated, rotated_side, angle, ends, kinds, walls, reach)
    corners = np.empty((len(lines), 2))
    if not find_corners_of_walls(lines, corners) or not is_rectangular(
        rotated, rotated_side, lines, wall_of, corners, reach
    ):
        return False, none, none
    placed, is_near = place_nodes(corner, tails, begin, shift, wall_of, corners, reach)
    return is_near or is_closed, corners, placed


@jit
def to_ground(points: Floats, column: float, row: float, scale: Floats, ring: int) -> None:
    """Convert points in pixels, in place, to pixels of the mean size from (column, row) on."""
    for n in range(len(points)):
        points[n, 0], points[n, 1] = (points[n, 0] - column) * scale[ring, 0], (points[n, 1] - row) * scale[ring, 1]


@jit
def to_lattice(
    points: Floats, column: float, row: float, scale: Floats, ring: int, units: int, out: Labels, first: int
) -> None:
    """Write points that ``to_ground`` converted, in units of the lattice, from ``out[first]`` on."""
    for n in range(len(points)):
        out[first + n, 0] = round((points[n, 0] / scale[ring, 0] + column) * units)
        out[first + n, 1] = round((points[n, 1] / scale[ring, 1] + row) * units)


@jit
def find_origin(samples: Floats) -> tuple[float, float]:
    """Find a point near the middle of some samples, in whole pixels."""
    x, y = 0.0, 0.0
    for n in range(len(samples)):
        x += samples[n, 0]
        y += samples[n, 1]
    return float(math.floor(x / len(samples))), float(math.floor(y / len(samples)))


@jit
def rectify_rings(
    half_edge: Ints,
    ring_start: Ints,
    points: Labels,
    start: Ints,
    has_node: Flags,
    tails: Floats,
    scale: Floats,
    shape: tuple[int, int],
    reach: float,
    units: int,
) -> tuple[Flags, Labels, Ints, Labels]:
    """Replace the arcs of rings by walls at right angles.

    Args:
        half_edge: the half-edges in the order of rings.
        ring_start: where each ring starts.
        points: of the arcs, in pixels, at every turn.
        start: where each arc's points begin.
        has_node: whether each arc begins at a node.
        tails: as for ``place_nodes``, in pixels; changed.
        scale: (rings, 2), size of a pixel along a row and along a column, relative to the mean.
        shape: rows and columns of the raster.
        reach: largest distance between old and new borders, in pixels of the mean size.
        units: units of the new points in a pixel.

    Returns:
        Which rings have walls; their points by half-edge, in the direction of the arc; where those of each begin; by
        half-edge, the new position of its first node and how many points of the arc of others there are dropped.
    """
    used, edges = 0, 4 * half_edge.size
    for edge in half_edge:
        edges += count_edges(points, start, edge >> 1)
    out, out_start = np.empty((edges, 2), np.int32), np.zeros(half_edge.size + 1, np.int64)
    moved, is_right = np.zeros((half_edge.size, 3), np.int32), np.zeros(ring_start.size - 1, np.bool_)
    for ring in range(ring_start.size - 1):
        low, high = ring_start[ring], ring_start[ring + 1]
        for k in range(low, high):
            out_start[k + 1] = used
        samples, side, begin, corner = sample_ring(half_edge[low:high], points, start, shape[1], shape[0])
        if len(samples) < MIN_EDGES or len(samples) > MAX_EDGES:
            continue
        (column, row), is_closed = find_origin(samples), not has_node[half_edge[low] >> 1]
        to_ground(samples, column, row, scale, ring)
        to_ground(corner, column, row, scale, ring)
        for k in range(low, high):
            to_ground(tails[k], column, row, scale, ring)
        is_fitted, corners, placed = fit_ring(samples, side, begin, corner, tails[low:high], reach, is_closed)
        if not is_fitted:
            continue
        turns = np.empty((len(corners), 2), np.int32)
        to_lattice(corners, column, row, scale, ring, units, turns, 0)
        to_lattice(placed, column, row, scale, ring, units, moved, low)
        is_right[ring] = True
        for k in range(low, high):
            moved[k, 2] = int(placed[k - low, 4])
            used = write_arc(placed, k - low, turns, moved[low:high], is_closed, half_edge[k] & 1 == 1, out, used)
            out_start[k + 1] = used
            is_right[ring] &= used - out_start[k] > 1
    return is_right, out[:used].copy(), out_start, moved
