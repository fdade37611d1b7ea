"""Average path length similarity (APLS) of two road networks."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ..arrays import Flags, Floats, Ints
from ..crs import Bounds
from .definitions import AplsRules
from .network import (
    EdgePoints,
    Network,
    build_adjacency_matrix,
    divide_edges,
    draw_sources,
    find_components,
    interpolate,
    measure_vertices,
    snap_points,
)

#: Nearest vertices that are tried for a control point.
_TRIED_VERTICES = 10


def one_way_apls(
    base: Network, other: Network, rules: AplsRules | None = None, *, extent: Bounds | None = None, seed: int = 0
) -> float:
    """Average path length similarity (Van Etten, Lindenbaum and Bacastow 2018, arXiv:1807.01232) in one direction.

    It is 1 - mean of min(1, |L - L'| / L) over the shortest paths L of ``base``, 0 to 1.

    L' is the path in ``other`` between the points nearest to the ends of L. The term is 1 where an end has no such
    point within reach, or where there is no path.

    Args:
        base: the network whose paths are followed.
        other: the network in which they are looked for.
        rules: of the definition; TerraSpore's unless given.
        extent: within which control points keep the rules' margins; that of ``base`` unless given.
        seed: of the generator that draws start points where there are more than ``rules.sources``.
    """
    rules = rules or AplsRules()
    base, other = _leave_out(base, rules), _leave_out(other, rules)
    control = _place_control_points(base, rules, extent)
    if not len(control):
        return 0.0
    matrix, rows = build_adjacency_matrix(base, control)
    other_matrix, other_rows = _snap_control_points(other, control.xy, rules)
    is_matched = other_rows >= 0
    total, terms = 0.0, 0
    for source in draw_sources(len(control), rules.sources, seed).tolist():
        length = dijkstra(matrix, indices=rows[source])[rows]
        is_counted = np.isfinite(length) & (length >= rules.shortest)
        if rules.counts_unmatched:
            is_counted |= ~(is_matched & is_matched[source])
        is_counted[source] = False
        other_length = np.full(len(control), np.inf)
        if is_matched[source]:
            other_length[is_matched] = dijkstra(other_matrix, indices=other_rows[source])[other_rows[is_matched]]
        error = np.ones(len(control))
        is_found = is_counted & np.isfinite(other_length)
        error[is_found] = np.minimum(1.0, np.abs(length[is_found] - other_length[is_found]) / length[is_found])
        total, terms = total + float(error[is_counted].sum()), terms + int(is_counted.sum())
    return 1.0 - total / terms if terms else 0.0


def _leave_out(network: Network, rules: AplsRules) -> Network:
    """Return a network without the rings and short pieces that the rules leave out; the nodes stay."""
    first, last = network.ends.T
    is_kept = np.ones(len(network.lines), np.bool_)
    if not rules.has_rings:
        is_kept &= (first != last) | (network.degree()[first] == 2)
    if rules.smallest > 0.0:
        piece = find_components(network)[first]
        is_kept &= np.bincount(piece, network.length)[piece] >= rules.smallest
    return network if is_kept.all() else network.take(np.flatnonzero(is_kept).astype(np.int64))


def _place_control_points(base: Network, rules: AplsRules, extent: Bounds | None) -> EdgePoints:
    """Place control points at the nodes and along the edges of a network."""
    if not len(base.lines):
        return divide_edges(base, np.zeros(0, np.int64), with_nodes=True)
    length = base.length
    if rules.hop:
        vertex_edge, vertex_along = measure_vertices(base, rules.hop)
        hops = np.bincount(vertex_edge, minlength=len(base.lines))
        # A whole multiple of the spacing has one part more.
        length = np.asarray(rules.hop * (1.0 + hops) + 1e-6, np.float64)
    sections = np.maximum(np.ceil(length / rules.spacing - 1e-9), 2.0).astype(np.int64)
    left, bottom, right, top = shapely.bounds(base.lines).T
    excess = np.abs(np.hypot(right - left, top - bottom) - base.length)
    is_whole = (length < rules.undivided + 1e-3) | (excess < rules.curvature * base.length)
    sections[is_whole] = 1
    points = divide_edges(base, sections, with_nodes=True)
    if rules.hop:
        edge = points.edge
        number = np.rint(points.along * sections[edge] / base.length[edge]).astype(np.int64)
        vertex = np.minimum((hops[edge] + 1) * number // sections[edge], hops[edge])
        first = np.searchsorted(vertex_edge, edge)
        points = interpolate(base, edge, np.where(vertex > 0, vertex_along[first + vertex - 1], 0.0))
    if not any(rules.margins):
        return points
    x0, y0, x1, y1 = shapely.total_bounds(base.lines) if extent is None else extent
    low = np.array((x0, y0)) + rules.margins[:2]
    high = np.array((x1, y1)) - rules.margins[2:]
    return points.take(np.flatnonzero(((points.xy > low) & (points.xy < high)).all(axis=1)))


def _snap_control_points(other: Network, xy: Floats, rules: AplsRules) -> tuple[csr_array, Ints]:
    """Return the adjacency matrix of a network with the counterparts of control points, and the row of each or -1."""
    points, index = _snap_to_vertices(other, xy, rules) if rules.hop else snap_points(other, xy, rules.snap)
    matrix, rows = build_adjacency_matrix(other, points)
    found = np.full(len(xy), -1, np.int64)
    found[index] = rows
    if rules.is_one_to_one and not rules.hop:
        found[index[~_is_last_at_its_place(points.xy)]] = -1
    return matrix, found


def _is_last_at_its_place(xy: Floats) -> Flags:
    """Whether no later point has the same coordinates within a centimetre."""
    is_last = np.zeros(len(xy), np.bool_)
    if len(xy):
        _, first = np.unique(np.rint(xy[::-1] * 100.0), axis=0, return_index=True)
        is_last[len(xy) - 1 - first] = True
    return is_last


def _snap_to_vertices(other: Network, xy: Floats, rules: AplsRules) -> tuple[EdgePoints, Ints]:
    """Find the nearest free vertex for each of the points in their order; it and those around it are then occupied.

    Returns:
        The vertices as points on the network, and the index into ``xy`` of each.
    """
    if not len(other.lines) or not len(xy):
        return snap_points(other, xy, rules.snap)
    nodes = divide_edges(other, np.ones(len(other.lines), np.int64), with_nodes=True)
    edge, along = measure_vertices(other, rules.hop)
    is_inner = along < other.length[edge] - 1e-9
    vertices = nodes.join(interpolate(other, edge[is_inner], along[is_inner]))
    matrix, rows = build_adjacency_matrix(other, vertices.take(np.arange(len(nodes), len(vertices))))
    node_rows = other.ends[nodes.edge, (nodes.along > 0.0).astype(np.int64)]
    rows = np.concatenate((node_rows, rows))
    count = min(_TRIED_VERTICES, len(vertices))
    near, tried = cKDTree(vertices.xy).query(xy, count)
    near, tried = near.reshape(len(xy), count), tried.reshape(len(xy), count)
    is_free = np.ones(matrix.shape[0], np.bool_)
    chosen, index = [], []
    for number in range(len(xy)):
        candidates = tried[number][(near[number] < rules.snap) & is_free[rows[tried[number]]]]
        if not len(candidates):
            continue
        chosen.append(int(candidates[0]))
        index.append(number)
        hops = dijkstra(matrix, indices=rows[candidates[0]], unweighted=True, limit=rules.occupied)
        is_free[np.isfinite(hops)] = False
    return vertices.take(np.array(chosen, np.int64)), np.array(index, np.int64)
