"""Kernels that move the nodes of a ring onto its walls, to where the arcs of others that end there meet them."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Floats, Ints
from ...jit import jit

#: An arc that ends at a ring may run so far outside of its walls, in pixels, before it enters them and comes out
#: again, to be cut where it comes out. No island fits between so short a piece and the walls.
_MAX_OUTSIDE = 1.5
#: Nodes so near to a corner, in pixels, are put there: shorter pieces of wall have no direction on the lattice.
_SNAP = 0.5


@jit
def project_on_wall(x: float, y: float, wall: int, corners: Floats) -> tuple[float, float, float]:
    """Return the nearest point of a wall, and how far behind its beginning that is."""
    left, top = corners[wall - 1, 0], corners[wall - 1, 1]
    length = max(math.hypot(corners[wall, 0] - left, corners[wall, 1] - top), 1e-9)
    dx, dy = (corners[wall, 0] - left) / length, (corners[wall, 1] - top) / length
    along = min(max((x - left) * dx + (y - top) * dy, 0.0), length)
    return left + along * dx, top + along * dy, along


@jit
def find_exit(tails: Floats, k: int, corners: Floats, reach: float) -> tuple[int, float, float, int]:
    """Find where an arc that ends at a ring comes out of its walls, on the way from the ring.

    Args:
        tails: see ``place_nodes``.
        k: the half-edge.
        corners: of the walls.
        reach: how far the end of the arc may move.

    Returns:
        How many points behind the end of the arc lie before that place; the place; its wall, or -1 for none.
    """
    found, found_x, found_y, found_wall = 0, 0.0, 0.0, -1
    outside, last_x, last_y = 0.0, tails[k, 0, 0], tails[k, 0, 1]
    step, passed = 0, -1.0
    while step < tails.shape[1] - 1 and not math.isnan(tails[k, step + 1, 0]):
        x, y = tails[k, step, 0], tails[k, step, 1]
        to_x, to_y = tails[k, step + 1, 0], tails[k, step + 1, 1]
        dx, dy = to_x - x, to_y - y
        share, wall, is_exit = np.inf, -1, False
        for other in range(len(corners)):  # the next wall that the segment crosses
            left, top = corners[other - 1, 0] - x, corners[other - 1, 1] - y
            wall_x, wall_y = corners[other, 0] - x - left, corners[other, 1] - y - top
            area = dx * wall_y - dy * wall_x
            if area != 0.0 and 0.0 <= (left * dy - top * dx) / area <= 1.0:
                crossing = (left * wall_y - top * wall_x) / area
                if crossing >= 0.0 and passed < crossing < min(share, 1.0):
                    share, wall, is_exit = crossing, other, area < 0.0  # regions are on the left of their half-edges
        if wall >= 0:
            to_x, to_y, passed = x + share * dx, y + share * dy, share
        else:
            step, passed = step + 1, -1.0
        outside += math.hypot(to_x - last_x, to_y - last_y)
        last_x, last_y = to_x, to_y
        if wall >= 0:
            if not is_exit and outside > _MAX_OUTSIDE:
                break
            outside = 0.0
            if is_exit and math.hypot(to_x - tails[k, 0, 0], to_y - tails[k, 0, 1]) <= reach:
                found, found_x, found_y, found_wall = step, to_x, to_y, wall
    return found, found_x, found_y, found_wall


@jit
def find_nearest_wall(x: float, y: float, corners: Floats) -> int:
    """Find the wall that is nearest to a point."""
    nearest, found = np.inf, 0
    for wall in range(len(corners)):
        to_x, to_y, _ = project_on_wall(x, y, wall, corners)
        distance = math.hypot(to_x - x, to_y - y)
        if distance < nearest:
            nearest, found = distance, wall
    return found


@jit
def find_corner(x: float, y: float, corners: Floats, limit: float) -> int:
    """Find the corner that is nearest to a point, up to ``limit`` from it; -1 for none."""
    found = -1
    for wall in range(len(corners)):
        distance = math.hypot(corners[wall, 0] - x, corners[wall, 1] - y)
        if distance <= limit:
            limit, found = distance, wall
    return found


@jit
def place_nodes(
    corner: Floats, tails: Floats, begin: Ints, shift: int, wall_of: Ints, corners: Floats, reach: float
) -> tuple[Floats, bool]:
    """Move the nodes of a ring onto its walls.

    Args:
        corner: where each half-edge begins, in the system of the samples.
        tails: (half-edges, points, 2), likewise, the arc of others that ends there, from its end on; NaN where it has
            fewer points, and after the first one where several arcs end.
        begin: the sample with which it begins.
        shift: the sample with which the first wall begins.
        wall_of: wall of each sample, from there on.
        corners: of the walls.
        reach: how far a node may move.

    Returns:
        (half-edges, 5): the new position, the wall, how far behind its beginning, and how many points behind the end
        of the arc of others are dropped; whether all are in reach.
    """
    placed = np.empty((len(corner), 5))
    for k in range(len(corner)):
        x, y, sample = corner[k, 0], corner[k, 1], (begin[k] - shift) % len(wall_of)
        has_several = math.isnan(tails[k, 1, 0]) and not math.isnan(tails[k, 0, 0])
        dropped, to_x, to_y, wall = find_exit(tails, k, corners, reach)
        # Several arcs meet a ring from more than one side: at a corner, if there is one.
        at = find_corner(x, y, corners, reach) if has_several else -1
        if wall < 0 and wall_of[sample - 1] != wall_of[sample]:
            at = (wall_of[sample] - 1) % len(corners)
        if wall < 0:
            wall, to_x, to_y = find_nearest_wall(x, y, corners), x, y
        to_x, to_y, along = project_on_wall(to_x, to_y, wall, corners)
        if at < 0:
            at = find_corner(to_x, to_y, corners, _SNAP)
            for other in range(k):  # two nodes at one corner would be one
                if at >= 0 and placed[other, 0] == corners[at, 0] and placed[other, 1] == corners[at, 1]:
                    at = -1
        if at >= 0:
            to_x, to_y, wall, along = corners[at, 0], corners[at, 1], (at + 1) % len(corners), 0.0
        placed[k, 0], placed[k, 1], placed[k, 2], placed[k, 3], placed[k, 4] = to_x, to_y, wall, along, dropped
        if math.hypot(to_x - x, to_y - y) > reach:
            return placed, False
    return placed, True
