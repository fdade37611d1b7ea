"""Clean a traced network: drop weak components, merge junction clusters, prune spurs. Graphs are changed in place."""

from __future__ import annotations

import numpy as np

from ..arrays import Flags, Floats, Ints
from .graph import Graph, label_components

#: The length of a component that reaches the raster's border is multiplied by this: it goes on beyond.
BORDER_FACTOR = 2.0
#: A loop that a merged junction closes is no road where it is shorter than this many widths.
LOOP_FACTOR = 3.5
#: A spur is no road where it is shorter than this many half widths of the road it leaves, plus the option ``spur``.
RADIUS_FACTOR = 1.2


def drop_weak_components(graph: Graph, strong_threshold: int, min_length: float, long_length: float = np.inf) -> None:
    """Drop components that nowhere reach ``strong_threshold`` or that have less than ``min_length`` pixels of road.

    Components that leave the window stay, because not all of their road is seen.

    Args:
        graph: the network.
        strong_threshold: quantized probability (hysteresis).
        min_length: total length of a component in pixels.
        long_length: total length from which a component need not reach ``strong_threshold``, in pixels.
    """
    if graph.edge_count == 0:
        return
    component = graph.components()[graph.ends[:, 0]]
    count = int(component.max()) + 1
    length = np.bincount(component, weights=graph.seen_lengths(), minlength=count)
    length[np.unique(component[graph.raster_border_nodes()[graph.ends].any(axis=1)])] *= BORDER_FACTOR
    strongest = np.zeros(count, np.int64)
    np.maximum.at(strongest, component, np.maximum.reduceat(graph.probability, graph.start[:-1]))
    is_strong = (strongest >= strong_threshold) | (length >= long_length)
    keep = (length >= min_length) & is_strong
    keep[component[graph.cut_nodes()[graph.ends].any(axis=1)]] = True
    graph.keep_edges(keep[component])


def merge_junctions(graph: Graph) -> None:
    """Merge junctions that are closer along the line than the road is wide; the new node is their mean position.

    Loops that arise from that and are shorter than 3.5 widths are dropped; real loops (turning circles, roundabouts)
    stay.
    """
    if graph.edge_count == 0:
        return
    degree, lengths = graph.degree(), graph.lengths()
    width = node_widths(graph)[graph.ends].max(axis=1)
    short = (lengths <= width) & (degree[graph.ends] > 2).all(axis=1) & (graph.ends[:, 0] != graph.ends[:, 1])
    short &= ~graph.node_border[graph.ends].any(axis=1)
    if short.any():
        _contract(graph, short, width)
    is_small_loop = (graph.ends[:, 0] == graph.ends[:, 1]) & (lengths < LOOP_FACTOR * width)
    graph.keep_edges(~short & ~is_small_loop)
    graph.dissolve_pseudo_nodes()


def node_widths(graph: Graph) -> Floats:
    """Find the width of the widest road at each node; that of a closed gap is where the gap leaves the road."""
    seen = np.flatnonzero(graph.width)
    start, stop = np.searchsorted(seen, graph.start[:-1]), np.searchsorted(seen, graph.start[1:])
    road = np.flatnonzero(stop > start)  # edges that are more than a closed gap
    width = np.zeros(graph.node_count)
    np.maximum.at(width, graph.ends[road, 0], graph.width[seen[start[road]]])
    np.maximum.at(width, graph.ends[road, 1], graph.width[seen[stop[road] - 1]])
    return width


def round_position(values: Floats) -> Floats:
    """Round pixel coordinates to a millionth, so that they do not depend on the order in which they were added."""
    return np.asarray(np.rint(values * 2.0**20) / 2.0**20, np.float64)


def _contract(graph: Graph, short: Flags, width: Floats) -> None:
    """Merge the nodes of the edges ``short``, which become loops."""
    pairs = graph.ends[short]
    group = label_components(pairs, graph.node_count)
    count = int(group.max()) + 1
    size = np.bincount(group, minlength=count)
    radius = np.zeros(count)
    np.maximum.at(radius, group[pairs[:, 0]], 0.5 * width[short])
    np.maximum.at(radius, group, graph.node_radius)
    border = np.zeros(count, np.bool_)
    np.logical_or.at(border, group, graph.node_border)
    graph.node_row = round_position(np.bincount(group, weights=graph.node_row, minlength=count) / size)
    graph.node_col = round_position(np.bincount(group, weights=graph.node_col, minlength=count) / size)
    graph.node_border, graph.node_radius = border, radius
    graph.ends = group[graph.ends].astype(np.int32)


def prune_spurs(graph: Graph, spur: float) -> None:
    """Drop dead ends shorter than 1.2 half widths plus ``spur`` pixels, the shortest first, until there are none.

    At a junction that became part of a line by that, nothing more is dropped in the same round: of the two prongs at
    the end of a road one is dropped and the other becomes the end. Roads that leave the raster stay.
    """
    while True:
        spurs = _find_spurs(graph, spur)
        if spurs.size == 0:
            return
        keep = np.ones(graph.edge_count, np.bool_)
        keep[spurs] = False
        graph.keep_edges(keep)
        graph.dissolve_pseudo_nodes()


def _find_spurs(graph: Graph, spur: float) -> Ints:
    """Find the edges that are dropped in one round of pruning."""
    degree = graph.degree()
    end_degree = degree[graph.ends]
    dead = (end_degree == 1) & ~graph.node_border[graph.ends]
    candidate = (dead[:, 0] & (end_degree[:, 1] > 2)) | (dead[:, 1] & (end_degree[:, 0] > 2))
    lengths = graph.seen_lengths()
    junction = np.where(dead[:, 0], graph.ends[:, 1], graph.ends[:, 0])
    width = graph.width[np.where(dead[:, 0], graph.start[1:] - 1, graph.start[:-1])]
    limit = RADIUS_FACTOR * 0.5 * width + spur
    short = np.flatnonzero(candidate & (lengths < limit))
    # Ties are decided by position, so that the result depends on nothing else.
    end = np.where(dead[:, 0], graph.start[:-1], graph.start[1:] - 1)[short]
    short = short[np.lexsort((graph.col[end], graph.row[end], lengths[short]))]
    spurs = []
    for edge, node in zip(short.tolist(), junction[short].tolist(), strict=True):
        if degree[node] > 2:
            degree[node] -= 1
            spurs.append(edge)
    return np.array(spurs, np.int64)


def trim_tails(graph: Graph, shortest: float, longest: float) -> None:
    """Cut dead ends back before a closed gap beyond which less than ``shortest`` pixels of road are left.

    Short pieces are joined because they may connect longer ones; at the end of a road they are as likely noise. Pieces
    that go on for more than ``longest`` pixels stay from there.
    """
    if graph.edge_count == 0:
        return
    dead = (graph.degree()[graph.ends] == 1) & ~graph.node_border[graph.ends]
    gap_edge = np.unique(np.searchsorted(graph.start, np.flatnonzero(graph.width == 0.0), side="right") - 1)
    keep = np.ones(graph.row.size, np.bool_)
    for edge in gap_edge[dead[gap_edge].any(axis=1)].tolist():
        for side in np.flatnonzero(dead[edge]).tolist():
            points = np.arange(graph.start[edge], graph.start[edge + 1])[:: 1 - 2 * side]
            points = points[keep[points]]
            cut = _count_tail(graph, points, shortest, longest)
            if 0 < cut < points.size - 1:
                keep[points[:cut]] = False
                node = graph.ends[edge, side]
                graph.node_row[node], graph.node_col[node] = graph.row[points[cut]], graph.col[points[cut]]
    graph.keep_points(keep)


def _count_tail(graph: Graph, points: Ints, shortest: float, longest: float) -> int:
    """Count the points of a dead end, from its end on, that lie before the last gap that is too near to it."""
    is_gap = graph.width[points] == 0.0
    along = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(graph.row[points]), np.diff(graph.col[points])))))
    cut = 0
    while True:
        gap = np.flatnonzero(is_gap[cut:])
        if gap.size == 0 or along[cut] > longest or along[cut + gap[0]] - along[cut] >= shortest:
            return cut
        road = np.flatnonzero(~is_gap[cut + gap[0] :])
        if road.size == 0:
            return points.size
        cut += int(gap[0] + road[0])
