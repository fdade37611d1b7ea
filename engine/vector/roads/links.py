"""Join separate pieces of a network where a road of one points at the other.

Closing gaps begins at dead ends. Where trees hide a junction, or a driveway leaves at the edge of a gap, a road has no
dead end: its line turns off into the side road or the driveway. Roads that are not connected within ``DETOUR_LENGTH``
are joined across such gaps, too. Whether they are further off is not looked at: that would depend on the whole raster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...context import Cancellation
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..arrays import Floats, Ints
from .cleaning import round_position
from .gaps import append_gaps, build_index, is_graded, split_edges
from .graph import Graph
from .kernels.gap_rules import MAX_BEND, GapRules, unseen_length
from .kernels.gaps import PROBABILITY_FLOOR, cost_surface, is_winding, least_cost_path
from .kernels.graph_index import GraphIndex
from .kernels.links import CELL, EdgeBoxes, LinkRules, Ways, find_connected, find_links
from .mask import Probability, gaussian_blur
from .options import PixelOptions
from .ordering import pixel_keys, sort_edges

#: Roads are connected where the way from one to the other has no more than so many metres.
DETOUR_LENGTH = 600.0
#: Two links join the same roads where their ends have no more than so many metres of way between them.
APART = 300.0
#: Components with more metres of road than this count as if they had as much.
LONGEST = 400.0
#: The longest link, as a share of the longest gap.
REACH_SHARE = 1.25
#: The length without any trace of a road may be this share of the shorter component, which may be a road on its own.
UNSEEN_PIECE_SHARE = 0.1
#: That length is at most this share of the longest gap where both roads point at each other, unless in a mask.
STRAIGHT_SHARE = 0.45


def join_pieces(
    graph: Graph,
    source: ProbabilityRaster,
    options: PixelOptions,
    rules: GapRules,
    resolution: float,
    *,
    cancellation: Cancellation,
) -> None:
    """Join roads that are not connected, in place, if they belong to components of at least ``options.min_length``.

    A link continues a road straight. It is short or seen, or continues the other road, too.

    Args:
        graph: the network.
        source: the probabilities.
        options: the smoothing of the probabilities, and the shortest component.
        rules: limits and weights.
        resolution: metres of a pixel.
        cancellation: checked between links.
    """
    if graph.edge_count == 0 or rules.max_gap <= 0.0:
        return
    sort_edges(graph, (graph.ends[:, 0] == graph.ends[:, 1]) & (graph.degree()[graph.ends[:, 0]] == 2))
    length = _component_lengths(graph, LONGEST / resolution)
    boxes, index, ways = find_boxes(graph), build_index(graph, np.zeros(0, np.int64)), make_ways(graph)
    limits = LinkRules(REACH_SHARE * rules.max_gap, DETOUR_LENGTH / resolution)
    one, other, score = find_links(index, limits, ways, boxes, length >= options.min_length)
    keys = np.sort(pixel_keys(graph.row, graph.col)[np.stack((one, other))], axis=0)
    order = np.lexsort((keys[1], keys[0], round_position(score)))
    one, other, score = one[order], other[order], score[order]

    limit = _limit_links(graph, rules, length, np.stack((one, other)), score)
    ends, paths, probabilities = [], [], []
    for number in _choose(index, limits._replace(detour=APART / resolution), ways, one, other):
        cancellation.check()
        pair = int(one[number]), int(other[number])
        found = _find_path(graph, source, options, pair, limit[number].tolist())
        if found is not None:
            ends.append(pair)
            paths.append(found[0])
            probabilities.append(found[1])
    if ends:
        nodes = split_edges(graph, np.array(ends).ravel()).reshape(-1, 2)
        append_gaps(graph, nodes, paths, probabilities)
        graph.dissolve_pseudo_nodes()


def _limit_links(graph: Graph, rules: GapRules, length: Floats, links: Ints, score: Floats) -> Floats:
    """Limit the length of links without any trace of a road: (n, 2), in a mask and elsewhere.

    Args:
        graph: the network.
        rules: limits.
        length: (edges,), of the component of each edge.
        links: (2, n), the points that are linked.
        score: (n,), see ``find_links``.
    """
    shorter = UNSEEN_PIECE_SHARE * length[np.searchsorted(graph.start, links, "right") - 1].min(axis=0)
    straight = np.hypot(*(np.diff(column[links], axis=0)[0] for column in (graph.row, graph.col)))
    bends = score > MAX_BEND * straight
    unknown = np.where(bends, rules.max_unknown, rules.max_gap)
    unseen = np.where(bends, rules.max_unseen, STRAIGHT_SHARE * rules.max_gap)
    return np.column_stack((np.minimum(shorter, unknown), np.minimum(shorter, unseen)))


def _component_lengths(graph: Graph, longest: float) -> Floats:
    """Measure the component of each edge, up to ``longest`` pixels, which components that leave the window have."""
    component = graph.components()[graph.ends[:, 0]]
    total = np.bincount(component, weights=graph.seen_lengths()).astype(np.float64)
    length = np.minimum(round_position(total), longest)
    length[component[graph.cut_nodes()[graph.ends].any(axis=1)]] = longest
    return np.asarray(length[component], np.float64)


def make_ways(graph: Graph) -> Ways:
    """Make the columns for ways along the network."""
    nodes = graph.node_count
    reached = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    return Ways(np.full(nodes, np.inf), reached[0], np.full(nodes, np.inf), reached[1], graph.distances_along())


def find_boxes(graph: Graph) -> EdgeBoxes:
    """Find the bounds of all edges, and the cells of a grid that they have points in.

    The grid is that of the network and not that of the raster, because a network may be that of a partition.
    """
    bounds = [take.reduceat(a, graph.start[:-1]) for take in (np.minimum, np.maximum) for a in (graph.row, graph.col)]
    top, left = (int(first.min()) // CELL for first in bounds[:2])
    rows, cols = (int(last.max()) // CELL + 1 - begin for last, begin in zip(bounds[2:], (top, left), strict=True))
    cell = (graph.row // CELL - top).astype(np.int64) * (cols + 1) + (graph.col // CELL - left)
    edge = np.repeat(np.arange(graph.edge_count, dtype=np.int32), np.diff(graph.start))
    changes = np.flatnonzero((np.diff(cell, prepend=-1) != 0) | (np.diff(edge, prepend=-1) != 0))
    cell, edge = cell[changes], edge[changes]
    first = np.searchsorted(np.sort(cell), np.arange(rows * (cols + 1))).reshape(rows, cols + 1)
    return EdgeBoxes(np.column_stack(bounds), top, left, first, edge[np.argsort(cell, kind="stable")])


def _choose(index: GraphIndex, rules: LinkRules, ways: Ways, one: Ints, other: Ints) -> Iterator[int]:
    """Choose links, given from the best on, without those that join the same two roads as a better one."""
    if not one.size:
        return
    links = np.column_stack((index.row[one], index.col[one], index.row[other], index.col[other])).astype(np.float64)
    tree, is_left = cKDTree(links), np.ones(one.size, np.bool_)
    for number in range(one.size):
        if not is_left[number]:
            continue
        yield number
        is_left[number] = False
        for begin, end in ((one[number], other[number]), (other[number], one[number])):
            place = index.row[begin], index.col[begin], index.row[end], index.col[end]
            near = np.array(tree.query_ball_point(place, math.sqrt(2.0) * rules.detour), np.int64)
            near = near[is_left[near]]
            near = near[find_connected(index, rules, ways, begin, one[near])]
            is_left[near[find_connected(index, rules, ways, end, other[near])]] = False


def _find_path(
    graph: Graph, source: ProbabilityRaster, options: PixelOptions, ends: tuple[int, int], limits: list[float]
) -> tuple[NDArray[np.int32], Probability] | None:
    """Find the path of a link and its probabilities; None where too much of it shows no trace of a road.

    ``limits`` are the largest lengths of that in a mask and elsewhere.
    """
    row, col, margin = graph.row[list(ends)], graph.col[list(ends)], options.blur_radius
    length = float(np.hypot(*(np.diff(values)[0] for values in (row, col))))
    around = 6 + int(0.35 * length)
    top, left = max(int(row.min()) - around, 0), max(int(col.min()) - around, 0)
    bottom, right = (min(int(v.max()) + around + 1, size) for v, size in zip((row, col), graph.shape, strict=True))
    padded = source.read_padded(top - margin, left - margin, bottom - top + 2 * margin, right - left + 2 * margin)
    inner = slice(margin, -margin or None)
    most = limits[int(is_graded(padded[inner, inner]))]
    window = np.ascontiguousarray(gaussian_blur(padded, options.sigma, margin)[inner, inner])
    at = (int(row[0]) - top, int(col[0]) - left, int(row[1]) - top, int(col[1]) - left)
    least = PROBABILITY_SCALE / (256 + PROBABILITY_FLOOR * PROBABILITY_SCALE)
    path = least_cost_path(cost_surface(window, 0, 0, bottom - top, right - left, at), least, *at)
    unseen = unseen_length(path, len(path), window, 0, 0)
    if is_winding(path) or unseen > most:
        return None
    probability = window[path[:, 0], path[:, 1]]
    return path + np.array((top, left), np.int32), probability
