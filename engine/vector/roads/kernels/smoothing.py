"""Numba kernels that fit smooth lines to the points of edges."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints
from ...jit import jit
from .graph import Index

#: Weight of a point in a closed gap; a point where the road is as wide as elsewhere has 1.
GAP_WEIGHT = 0.02
#: The weight of a point halves where the road is this many pixels wider or narrower than usual, per side: an occlusion
#: or a blob at one side moves the centre line by as much.
WIDTH_TOLERANCE = 0.75
#: Fixes the ends of a line.
FIXED = 1e7
#: Points on which the fit may not be further off than the limit have at least this weight.
RELIABLE = 0.5
#: Fits of one line: points beyond the limit count more in the next.
MAX_FITS = 4


@jit
def weigh_points(start: Ints, width: NDArray[np.float32]) -> Floats:
    """Weigh the points of edges by how well they show the middle of the road, 0 to 1.

    Args:
        start: (edges + 1,), offset of each edge's points.
        width: (points,), width of the road in pixels; 0 in closed gaps.
    """
    weights, seen = np.empty(width.size), np.empty(width.size, np.float32)
    for edge in range(start.size - 1):
        count = 0
        for i in range(start[edge], start[edge + 1]):
            if width[i] > 0.0:
                seen[count] = width[i]
                count += 1
        usual = find_median(seen, count)
        for i in range(start[edge], start[edge + 1]):
            off = 0.5 * (width[i] - usual) / WIDTH_TOLERANCE
            weights[i] = 1.0 / (1.0 + off * off) if width[i] > 0.0 else GAP_WEIGHT
    return weights


@jit
def find_median(values: NDArray[np.float32], count: int) -> float:
    """Find the median of the first ``count`` values, which are reordered; 0 for none.

    Hoare's selection (1961), because numba compiles NumPy's median for more than a second.
    """
    middle = count // 2
    low, high = 0, count - 1
    while low < high:
        pivot, i, j = values[(low + high) // 2], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break
    if count == 0:
        return 0.0
    if count % 2 == 1:
        return float(values[middle])
    other = values[0]
    for i in range(1, middle):
        other = max(other, values[i])
    return float(0.5 * (other + values[middle]))


@jit
def fit_line(points: Floats, weights: Floats, penalty: float, limit: float) -> None:
    """Fit a smooth line to points, in place: least squares with a penalty on bending; the ends stay.

    It is the discrete form of a cubic smoothing spline (Reinsch, Numerische Mathematik 10, 1967; Whittaker 1923).

    Args:
        points: (n, 2).
        weights: (n,), of the points, above 0.
        penalty: of the squared second derivative along the line; its fourth root is a length.
        limit: reliable points are not moved further than about this.
    """
    count = len(points)
    if count < 3:
        return
    step = np.empty(count - 1)
    for i in range(count - 1):
        step[i] = max(math.hypot(points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]), 1e-3)
    strength = weights.copy()
    strength[0] = strength[count - 1] = FIXED
    for _ in range(MAX_FITS):
        fitted = solve_fit(points, strength, step, penalty)
        is_within = True
        for i in range(1, count - 1):
            off = math.hypot(fitted[i, 0] - points[i, 0], fitted[i, 1] - points[i, 1])
            if off > limit and weights[i] >= RELIABLE:
                strength[i] *= (off / limit) ** 3
                is_within = False
        if is_within:
            break
    for i in range(1, count - 1):
        points[i, 0], points[i, 1] = fitted[i, 0], fitted[i, 1]


@jit
def solve_fit(points: Floats, strength: Floats, step: Floats, penalty: float) -> Floats:
    """Solve the equations of ``fit_line``, a symmetric matrix with five diagonals, by an LDL decomposition."""
    count = len(points)
    main, next_, after = strength.copy(), np.zeros(count), np.zeros(count)
    for i in range(1, count - 1):
        before, behind = 1.0 / step[i - 1], 1.0 / step[i]
        weight = 2.0 * penalty / (step[i - 1] + step[i])
        a, b, c = before, -before - behind, behind
        main[i - 1] += weight * a * a
        main[i] += weight * b * b
        main[i + 1] += weight * c * c
        next_[i - 1] += weight * a * b
        next_[i] += weight * b * c
        after[i - 1] += weight * a * c
    result = np.empty((count, 2))
    for i in range(count):
        result[i, 0], result[i, 1] = strength[i] * points[i, 0], strength[i] * points[i, 1]
    for i in range(count):
        for back, lower in ((1, next_), (2, after)):
            if i + back < count:
                factor = lower[i] / main[i]
                main[i + back] -= factor * lower[i]
                if back == 1 and i + 2 < count:
                    next_[i + 1] -= factor * after[i]
                for axis in range(2):
                    result[i + back, axis] -= factor * result[i, axis]
    for i in range(count - 1, -1, -1):
        for axis in range(2):
            value = result[i, axis]
            if i + 1 < count:
                value -= next_[i] * result[i + 1, axis]
            if i + 2 < count:
                value -= after[i] * result[i + 2, axis]
            result[i, axis] = value / main[i]
    return result


@jit
def shape_edges(
    start: Ints,
    row: Index,
    col: Index,
    weights: Floats,
    ends: Index,
    nodes: Floats,
    radius: Floats,
    penalty: float,
    limit: float,
) -> tuple[Floats, Ints]:
    """Make the smooth vertices of edges.

    Within the radius of a junction, and across a closed gap that ends there, a line leads straight to the node.

    Args:
        start: (edges + 1,), offset of each edge's points.
        row: row of each point.
        col: column of each point.
        weights: of each point, see ``weigh_points``.
        ends: (edges, 2), nodes of each edge.
        nodes: (nodes, 2), x and y of the nodes; a pixel's centre lies at .5.
        radius: (nodes,), in pixels.
        penalty: see ``fit_line``; 0 for none.
        limit: likewise.

    Returns:
        x and y of the vertices (n, 2), and the offset of each edge in them (edges + 1,).
    """
    points, used_weights = np.empty((row.size, 2)), np.empty(row.size)
    first = np.zeros(start.size, np.int64)
    used = 0
    for edge in range(start.size - 1):
        one, other = ends[edge, 0], ends[edge, 1]
        points[used, 0], points[used, 1] = nodes[one, 0], nodes[one, 1]
        used += 1
        begin, stop = start[edge] + 1, start[edge + 1] - 1
        if radius[one] > 0.0:
            while begin < stop and weights[begin] <= GAP_WEIGHT:
                begin += 1
        if radius[other] > 0.0:
            while begin < stop and weights[stop - 1] <= GAP_WEIGHT:
                stop -= 1
        for i in range(begin, stop):
            x, y = col[i] + 0.5, row[i] + 0.5
            from_one = math.hypot(x - nodes[one, 0], y - nodes[one, 1])
            from_other = math.hypot(x - nodes[other, 0], y - nodes[other, 1])
            if from_one >= radius[one] and from_other >= radius[other]:
                points[used, 0], points[used, 1], used_weights[used] = x, y, weights[i]
                used += 1
        points[used, 0], points[used, 1] = nodes[other, 0], nodes[other, 1]
        used += 1
        first[edge + 1] = used
        if penalty > 0.0:
            own = slice(first[edge], used)
            fit_line(points[own], used_weights[own], penalty, limit)
    return points[:used].copy(), first
