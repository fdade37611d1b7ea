"""Kernels that replace the arcs of a ring by walls at right angles, where the ring is that of such a shape."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Bits, Flags, Floats, Ints, Labels
from ...jit import jit
from .walls import ALONG, count_edges, find_chord, find_direction, fit_walls, roll, sample_ring

#: Rings of fewer or more boundary edges stay as they are.
MIN_EDGES, MAX_EDGES = 16, 20_000
#: A ring has right angles if so much of its chords, by their squares, has one direction modulo 90 degrees, ...
_MIN_STRENGTH = 0.3
#: ... so many chords are nearly parallel to their wall (the sine of the angle between them), ...
_MIN_PARALLEL, _PARALLEL = 0.6, 0.42
#: ... and, as shares of the largest distance, the root mean square of the distances from the walls and of their trend
#: along the walls are at most this. The trend tells slanting borders, which become steps, from noise.
_MAX_RMS, _MAX_TREND = 0.3, 0.15
#: Walls that meet at a smaller angle, at the frame of the raster, have no corner (the sine).
_MIN_ANGLE = 0.25


@jit
def find_lines(rolled: Floats, side: Bits, angle: float, ends: Ints, kinds: Bits, reach: float) -> tuple[Floats, Ints]:
    """Find the lines of the walls of a ring, and the wall of each sample.

    Returns:
        Normal and distance from the origin of each (walls, 3); the number of each sample's wall (n,).
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    walls = ends.size if side[0] != 0 else ends.size - 1  # the last wall is the beginning of the first
    lines, wall_of = np.empty((max(walls, 0), 3)), np.zeros(len(rolled), np.int64)
    for wall in range(walls):
        first = ends[wall - 1] if wall else 0
        wall_of[first : ends[wall]] = wall
        part = rolled[first : ends[wall]]
        if wall == 0 and side[0] == 0:
            part = np.concatenate((rolled[ends[walls - 1] :], part))
        if side[first] != 0:
            lines[wall, 0], lines[wall, 1] = (1.0, 0.0) if side[first] <= 2 else (0.0, 1.0)
        elif kinds[wall] == ALONG:
            lines[wall, 0], lines[wall, 1] = -sine, cosine
        else:
            lines[wall, 0], lines[wall, 1] = cosine, sine
        across = part[:, 0] * lines[wall, 0] + part[:, 1] * lines[wall, 1]
        # The mean, or what is nearest to it within reach of all samples.
        lines[wall, 2] = min(max(across.mean(), across.max() - reach), across.min() + reach)
    return lines, wall_of


@jit
def find_corners_of_walls(lines: Floats) -> Floats:
    """Intersect each wall with the next one, (walls, 2); NaN where they are nearly parallel."""
    corners = np.full((len(lines), 2), np.nan)
    for wall in range(len(lines)):
        a, b = lines[wall], lines[(wall + 1) % len(lines)]
        sine = a[0] * b[1] - a[1] * b[0]
        if abs(sine) >= _MIN_ANGLE:
            corners[wall, 0] = (a[2] * b[1] - b[2] * a[1]) / sine
            corners[wall, 1] = (a[0] * b[2] - b[0] * a[2]) / sine
    return corners


@jit
def find_trend(rolled: Floats, side: Bits, lines: Floats, wall_of: Ints) -> float:
    """Mean square of what straight lines through the distances from the walls, one for each wall, explain of them."""
    explained, counted = 0.0, 0
    for wall in range(len(lines)):
        part = rolled[(wall_of == wall) & (side == 0)]
        if len(part) < 2:
            continue
        along = part[:, 1] * lines[wall, 0] - part[:, 0] * lines[wall, 1]
        across = part[:, 0] * lines[wall, 0] + part[:, 1] * lines[wall, 1] - lines[wall, 2]
        along -= along.mean()
        square = (along * along).sum()
        counted += len(part)
        if square > 0.0:
            explained += (along * across).sum() ** 2 / square
    return explained / max(counted, 1)


@jit
def is_rectangular(rolled: Floats, side: Bits, lines: Floats, wall_of: Ints, corners: Floats, reach: float) -> bool:
    """Whether walls describe a ring: its samples are near to them and run along them, its corners near to samples."""
    if len(lines) < 4 or np.isnan(corners).any():
        return False
    squares, counted, parallel = 0.0, 0, 0
    for n in range(len(rolled)):
        if side[n] != 0:
            continue
        line, (dx, dy) = lines[wall_of[n]], find_chord(rolled, n)
        counted += 1
        squares += (rolled[n, 0] * line[0] + rolled[n, 1] * line[1] - line[2]) ** 2
        parallel += abs(dx * line[0] + dy * line[1]) <= _PARALLEL * math.hypot(dx, dy)
    if counted == 0 or parallel < _MIN_PARALLEL * counted or squares > counted * (_MAX_RMS * reach) ** 2:
        return False
    for wall in range(len(lines)):
        x, y = rolled[:, 0] - corners[wall, 0], rolled[:, 1] - corners[wall, 1]
        if (x * x + y * y).min() > reach * reach:
            return False
    return find_trend(rolled, side, lines, wall_of) <= (_MAX_TREND * reach) ** 2


@jit
def project_on_wall(x: float, y: float, wall: int, corners: Floats) -> tuple[float, float, float, float]:
    """Project a point on a wall.

    Returns:
        The nearest point of the wall; how far behind its beginning it is; how far it is from its end.
    """
    start, end = corners[wall - 1], corners[wall]
    length = max(math.hypot(end[0] - start[0], end[1] - start[1]), 1e-9)
    dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    along = min(max((x - start[0]) * dx + (y - start[1]) * dy, 0.0), length)
    return start[0] + along * dx, start[1] + along * dy, along, length - along


@jit
def is_before_wall(x: float, y: float, wall: int, corners: Floats) -> bool:
    """Whether a point is on the outer side of a wall: regions are on the left of their half-edges."""
    start, end = corners[wall - 1], corners[wall]
    return bool((end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0]) > 0.0)


@jit
def place_nodes(
    corner: Floats, coming: Floats, begin: Ints, wall_of: Ints, corners: Floats, reach: float
) -> tuple[Floats, bool]:
    """Move the nodes of a ring onto its walls.

    Args:
        corner: where each half-edge begins, in the system of the samples.
        coming: a point of the arc of others that ends there, likewise; NaN where there is none.
        begin: the sample with which it begins.
        wall_of: wall of each sample.
        corners: of the walls.
        reach: how far a node may move.

    Returns:
        (half-edges, 4): the new position, the wall and how far behind its beginning; whether all are in reach.
    """
    placed = np.empty((len(corner), 4))
    for k in range(len(corner)):
        x, y = corner[k]
        wall, before = wall_of[begin[k]], wall_of[begin[k] - 1]
        if before != wall:
            placed[k, :2], placed[k, 2], placed[k, 3] = corners[wall - 1], wall, 0.0
        else:
            to_x, to_y, along, rest = project_on_wall(x, y, wall, corners)
            # An arc that comes around a corner ends at the wall that it meets first.
            other = (wall + (1 if rest < along else -1)) % len(corners)
            near_x, near_y = coming[k]
            if not is_before_wall(near_x, near_y, wall, corners) and is_before_wall(near_x, near_y, other, corners):
                wall = other
                to_x, to_y, along, rest = project_on_wall(x, y, wall, corners)
            placed[k, 0], placed[k, 1], placed[k, 2], placed[k, 3] = to_x, to_y, wall, along
        if math.hypot(placed[k, 0] - x, placed[k, 1] - y) > reach:
            return placed, False
    return placed, True


@jit
def write_arc(placed: Floats, k: int, corners: Labels, nodes: Labels, is_closed: bool, out: Labels) -> int:
    """Write the points of a half-edge between its nodes, and return their number.

    Args:
        placed: as ``place_nodes`` returns it.
        k: the half-edge.
        corners: of the walls, in units of the lattice.
        nodes: where each half-edge begins, likewise.
        is_closed: whether the half-edge is a ring without a node.
        out: receives the points.
    """
    walls, after = len(corners), (k + 1) % len(nodes)
    wall, last = int(placed[k, 2]), int(placed[after, 2])
    if is_closed:
        out[:walls], out[walls] = corners, corners[0]
        return walls + 1
    out[0] = nodes[k]
    used = 1
    if wall != last or placed[after, 3] <= placed[k, 3]:
        while True:
            if (out[used - 1] != corners[wall]).any():
                out[used] = corners[wall]
                used += 1
            wall = (wall + 1) % walls
            if wall == last:
                break
    if (out[used - 1] != nodes[after]).any():
        out[used] = nodes[after]
        used += 1
    return used


@jit
def fit_ring(
    samples: Floats, side: Bits, begin: Ints, corner: Floats, coming: Floats, reach: float, is_closed: bool
) -> tuple[bool, Floats, Floats]:
    """Fit walls to a ring and move its nodes onto them.

    Args:
        samples: of the ring, on the ground.
        side: side of the raster of each, or 0.
        begin: see ``place_nodes``, like the next two.
        corner: where each half-edge begins.
        coming: a point of an arc that ends there.
        reach: largest distance between old and new borders.
        is_closed: whether the ring has no node.

    Returns:
        Whether the ring has walls; their corners; its nodes, as ``place_nodes`` returns them.
    """
    none = np.empty((0, 4))
    if find_direction(samples, side)[1] < _MIN_STRENGTH:
        return False, none, none
    shift, angle, ends, kinds = fit_walls(samples, side, reach, 2.0 * reach * reach)
    samples, side = roll(samples, shift), roll(side, shift)
    lines, wall_of = find_lines(samples, side, angle, ends, kinds, reach)
    corners = find_corners_of_walls(lines)
    if not is_rectangular(samples, side, lines, wall_of, corners, reach):
        return False, none, none
    placed, is_near = place_nodes(corner, coming, (begin - shift) % len(samples), wall_of, corners, reach)
    return is_near or is_closed, corners, placed


@jit
def rectify_rings(
    half_edge: Ints,
    ring_start: Ints,
    points: Labels,
    start: Ints,
    has_node: Flags,
    coming: Floats,
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
        coming: (half-edges, 2), a point of the arc of others that ends where each half-edge begins, in pixels, or NaN.
        scale: (rings, 2), size of a pixel along a row and along a column, relative to the mean.
        shape: rows and columns of the raster.
        reach: largest distance between old and new borders, in pixels of the mean size.
        units: units of the new points in a pixel.

    Returns:
        Which rings have walls; the points of their half-edges, in the direction of the arc, and where those of each
        begin; the new position of the node at which each half-edge begins.
    """
    edges = 4 * half_edge.size
    for edge in half_edge:
        edges += count_edges(points, start, edge >> 1)
    out, out_start = np.empty((edges, 2), np.int32), np.zeros(half_edge.size + 1, np.int64)
    moved, is_right = np.zeros((half_edge.size, 2), np.int32), np.zeros(ring_start.size - 1, np.bool_)
    used = 0
    for ring in range(ring_start.size - 1):
        low, high = ring_start[ring], ring_start[ring + 1]
        out_start[low + 1 : high + 1] = used
        samples, side, begin, corner = sample_ring(half_edge[low:high], points, start, shape[1], shape[0])
        size = len(samples)
        if size < MIN_EDGES or size > MAX_EDGES:
            continue
        origin = np.array([math.floor(samples[:, 0].mean()), math.floor(samples[:, 1].mean())])
        samples, corner = (samples - origin) * scale[ring], (corner - origin) * scale[ring]
        near, is_closed = (coming[low:high] - origin) * scale[ring], not has_node[half_edge[low] >> 1]
        is_right[ring], corners, placed = fit_ring(samples, side, begin, corner, near, reach, is_closed)
        if not is_right[ring]:
            continue
        turns = np.rint((corners / scale[ring] + origin) * units).astype(np.int32)
        nodes = np.rint((placed[:, :2] / scale[ring] + origin) * units).astype(np.int32)
        moved[low:high] = nodes
        for k in range(high - low):
            count = write_arc(placed, k, turns, nodes, is_closed, out[used:])
            if half_edge[low + k] & 1:
                out[used : used + count] = out[used : used + count][::-1].copy()
            used += count
            out_start[low + k + 1] = used
            is_right[ring] &= count > 1
    return is_right, out[:used].copy(), out_start, moved
