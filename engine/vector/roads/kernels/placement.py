"""Numba kernels that place junctions where the roads that meet there point, and dead ends where the road ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Flags, Floats, Ints
from ...jit import jit
from .graph import Index

#: The direction of a road at a junction is estimated from this many points beyond the junction itself.
ARM_POINTS = 16
#: Roads with fewer points beyond the junction have no say in its place.
FEWEST = 5
#: The weight of a road halves where its points are this many pixels off a straight line (root of the mean square).
STRAIGHTNESS = 0.3
#: Weight of the place where thinning left the junction.
HOLD = 0.05


@jit
def place_junctions(
    start: Ints,
    row: Index,
    col: Index,
    width: NDArray[np.float32],
    node_first: Ints,
    node_halves: Index,
    nodes: Floats,
    radius: Floats,
    fixed: Flags,
) -> Floats:
    """Find the point of each junction that is nearest to the straight lines of the roads that meet there.

    Thinning moves a junction towards a side road, and bends the roads within half a width of it.

    Args:
        start: (edges + 1,), offset of each edge's points.
        row: row of each point.
        col: column of each point.
        width: width of the road at each point; 0 in closed gaps.
        node_first: (nodes + 1,), offset of each node's half edges in ``node_halves``.
        node_halves: half edges by the node that they leave.
        nodes: (nodes, 2), row and column.
        radius: (nodes,), in pixels: points within it are left out, and no junction is moved further, or than the
            longest closed gap that ends there.
        fixed: (nodes,), nodes that stay; those with fewer than three half edges stay, too.

    Returns:
        Row and column of each node (nodes, 2).
    """
    placed = nodes.copy()
    for node in range(len(nodes)):
        if fixed[node] or node_first[node + 1] - node_first[node] < 3:
            continue
        arms, limit = 0, radius[node]
        a, b, c, e, f = HOLD, 0.0, HOLD, 0.0, 0.0  # the equations a x + b y = e, b x + c y = f of the offset
        for k in range(node_first[node], node_first[node + 1]):
            weight, down, right, off_down, off_right, gap = fit_arm(
                start, row, col, width, node_halves[k], nodes[node], radius[node]
            )
            limit = max(limit, gap)
            if weight == 0.0:
                continue
            arms += 1
            across = weight * (down * off_right - right * off_down)
            a += weight * right * right
            b -= weight * down * right
            c += weight * down * down
            e -= across * right
            f += across * down
        determinant = a * c - b * b
        if arms < 2 or determinant <= 0.0:
            continue
        move_down, move_right = (c * e - b * f) / determinant, (a * f - b * e) / determinant
        shrink = min(1.0, limit / max(math.hypot(move_down, move_right), 1e-9))
        placed[node, 0] += shrink * move_down
        placed[node, 1] += shrink * move_right
    return placed


@jit
def fit_arm(
    start: Ints, row: Index, col: Index, width: NDArray[np.float32], half: int, node: Floats, radius: float
) -> tuple[float, float, float, float, float, float]:
    """Fit a straight line to a road beyond a junction.

    Args:
        start: (edges + 1,), offset of each edge's points.
        row: row of each point.
        col: column of each point.
        width: width of the road at each point; 0 in closed gaps, whose points are left out.
        half: half edge that leaves the junction.
        node: row and column of the junction.
        radius: points within this many pixels are left out.

    Returns:
        Weight of the line, 0 for too few points; its direction (down, right); the offset (down, right) of its middle
        from the junction; the length of the closed gap at the junction.
    """
    first, stop = start[half >> 1], start[(half >> 1) + 1]
    down, right = np.empty(ARM_POINTS), np.empty(ARM_POINTS)
    count, gap, is_gap = 0, 0.0, True
    for number in range(stop - first):
        i = stop - 1 - number if half & 1 else first + number
        from_node = math.hypot(row[i] - node[0], col[i] - node[1])
        if width[i] == 0.0:
            if is_gap:
                gap = from_node
            continue
        is_gap = is_gap and number == 0
        if from_node >= radius:
            down[count], right[count] = row[i] - node[0], col[i] - node[1]
            count += 1
        if count == ARM_POINTS or number > 4 * ARM_POINTS + 4.0 * radius + gap:
            break
    if count < FEWEST:
        return 0.0, 0.0, 0.0, 0.0, 0.0, gap
    middle_down, middle_right = 0.0, 0.0
    for k in range(count):
        middle_down += down[k]
        middle_right += right[k]
    middle_down, middle_right = middle_down / count, middle_right / count
    dd, dr, rr = 0.0, 0.0, 0.0
    for k in range(count):
        dd += (down[k] - middle_down) ** 2
        dr += (down[k] - middle_down) * (right[k] - middle_right)
        rr += (right[k] - middle_right) ** 2
    dd, dr, rr = dd / count, dr / count, rr / count
    angle = 0.5 * math.atan2(2.0 * dr, rr - dd)  # from the direction to the right
    spread = math.hypot(0.5 * (rr - dd), dr)
    off = max(0.5 * (rr + dd) - spread, 0.0) / STRAIGHTNESS**2
    return count / ARM_POINTS / (1.0 + off**4), math.sin(angle), math.cos(angle), middle_down, middle_right, gap
