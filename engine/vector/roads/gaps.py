"""Close gaps: join dead ends along least-cost paths with other dead ends and with the middle of other roads.

Targets come from an index of the centre-line points by position, without comparing all pairs. Points that a dead end
reaches along the network within 1.6 times the largest gap are no targets: closing that gap would only make a loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...concurrency import map_bounded
from ...context import Cancellation
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..arrays import Flags, Floats, Ints, make_offsets, take_rows
from .graph import Graph
from .kernels.gap_rules import GapRules
from .kernels.gaps import MAX_WINDING, find_paths, find_targets
from .kernels.graph_index import GraphIndex, order_points
from .mask import Probability, gaussian_blur
from .options import PixelOptions

#: Gaps are closed with this limit of their angle first, then with limits that increase by the step: roads that go
#: straight on are joined before bends, and what a limit joins every wider one of the same list joins, too. Narrower
#: limits than the first would hide the ends of roads and join dead ends with the middle of roads behind them.
FIRST_ANGLE, ANGLE_STEP = 30.0, 10.0
#: A closed gap is a new target: the third road of an occluded crossing may be joined in the third round.
MAX_ROUNDS = 4
#: The direction of a dead end is estimated from this many metres of road.
DIRECTION_LENGTH = 20.0
#: A gap that ends in the middle of another road may have this share of the longest gap without any trace of a road.
UNSEEN_GAP_SHARE = 0.24
#: The same in a mask: no trace below trees says nothing there.
UNKNOWN_SHARE = 0.4
#: Values between these probabilities occur where a raster is no mask.
GRADED = (0.05, 0.95)
#: Edges to dead ends are stubs up to this many metres more than ``spur``, which leaves out the half width of the road.
STUB_MARGIN = 4.0
#: Rows and columns of the blocks in which the raster is read.
_BLOCK = (512, 1024)


@dataclass(frozen=True)
class GapClosure:
    """A path from a dead end to a point of the network.

    Attributes:
        score: straight distance to the target in pixels, times the penalties for bends; small scores are preferred.
        node: the dead end.
        target: index of the point that is met.
        path: int32 (n, 2), rows and columns from the dead end to the point.
        probability: uint8 (n,), smoothed and quantized probability along the path.
    """

    score: float
    node: int
    target: int
    path: NDArray[np.int32]
    probability: Probability


class _Candidates(NamedTuple):
    """Dead ends with their targets.

    Attributes:
        halves: (n,), half edges that leave the dead ends.
        targets: (n,), points.
        scores: (n,).
        windows: (n, 4), first row, first column, rows and columns of the window that each path may use.
    """

    halves: Ints
    targets: Ints
    scores: Floats
    windows: Ints


def make_gap_rules(options: RoadOptions, resolution: float) -> GapRules:
    """Convert the rules for closing gaps to pixels of ``resolution`` metres."""
    return GapRules(
        max_gap=options.gap / resolution,
        min_cosine=_min_cosine(options.gap_angle),
        direction_points=math.ceil(DIRECTION_LENGTH / resolution),
        max_unseen=UNSEEN_GAP_SHARE * options.gap / resolution,
        max_unknown=UNKNOWN_SHARE * options.gap / resolution,
        stub=(options.spur + STUB_MARGIN) / resolution,
    )


def list_angles(widest: float) -> list[float]:
    """List the limits of the angle (degrees) with which gaps are closed one after the other, up to ``widest``."""
    return [*np.arange(FIRST_ANGLE, widest, ANGLE_STEP).tolist(), widest]


def _min_cosine(angle: float) -> float:
    return math.cos(math.radians(angle))


def close_gaps(
    graph: Graph,
    source: ProbabilityRaster,
    options: PixelOptions,
    rules: GapRules,
    angles: Sequence[float],
    *,
    cancellation: Cancellation,
    threads: int,
) -> None:
    """Close the gaps of a network, in place, in up to four rounds for each limit of the angle.

    Args:
        graph: the network.
        source: the probabilities.
        options: the smoothing of the probabilities.
        rules: limits and weights; the angles replace its angle.
        angles: limits of the angle in degrees, in their order; see ``list_angles``.
        cancellation: checked between blocks of the raster.
        threads: number of threads.
    """
    for angle in angles:
        limited = rules._replace(min_cosine=_min_cosine(angle))
        closures: list[GapClosure] | None = None
        for _ in range(MAX_ROUNDS):
            cancellation.check()
            closures = _find_closures(
                graph, source, options, limited, closures, cancellation=cancellation, threads=threads
            )
            if not closures:
                break
            insert_closures(graph, closures)
            graph.dissolve_pseudo_nodes()


def _find_closures(
    graph: Graph,
    source: ProbabilityRaster,
    options: PixelOptions,
    rules: GapRules,
    previous: Sequence[GapClosure] | None,
    *,
    cancellation: Cancellation,
    threads: int,
) -> list[GapClosure]:
    """Find the gaps that are closed in one round: no two meet or use the same dead end.

    Only dead ends near the closures of the round before (``previous``, None in the first) can find a new target.
    """
    dead = (graph.degree() == 1) & ~graph.node_border
    if previous is not None:
        # A candidate that met another one and was rejected for it reaches one gap further than that one.
        cells = cKDTree(np.concatenate([closure.path for closure in previous]))
        nodes = np.column_stack((graph.node_row, graph.node_col))
        dead &= np.isfinite(cells.query(nodes, distance_upper_bound=2.0 * rules.max_gap)[0])
    halves = np.flatnonzero(dead[graph.ends.ravel()])
    if halves.size == 0 or rules.max_gap <= 0.0:
        return []
    index, margin = build_index(graph, halves), options.blur_radius
    # Isolated short pieces are targets alone: they are road only where a road points at them.
    is_scrap = (graph.degree()[graph.ends] == 1).all(axis=1) & (index.length < rules.stub)
    halves = halves[~is_scrap[halves >> 1]]

    def read_blocks(candidates: _Candidates) -> Iterator[tuple[_Candidates, Probability]]:
        for block in _blocks(candidates):
            cancellation.check()
            top, left = block.windows[:, :2].min(axis=0).tolist()
            bottom, right = (block.windows[:, :2] + block.windows[:, 2:]).max(axis=0).tolist()
            size = bottom - top + 2 * margin, right - left + 2 * margin
            yield block, source.read_padded(top - margin, left - margin, *size)

    found: list[GapClosure] = []
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(partial(find_targets, index, rules), np.array_split(halves, threads)))
        targets, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
        candidates = _make_candidates(graph, halves, targets, scores)
        search = partial(_find_block_closures, index, rules, options)
        for closures in map_bounded(pool, search, read_blocks(candidates), threads):
            found += closures
    return _select(graph, sorted(found, key=lambda closure: (closure.score, *closure.path[0].tolist())), dead)


def build_index(graph: Graph, dead_halves: Ints) -> GraphIndex:
    """Index a network; ``dead_halves`` (n,) are the half edges that leave dead ends."""
    row_first, point = order_points(graph.row, graph.col, *graph.shape)
    dead_points = _end_points(graph, dead_halves)
    order = np.argsort(dead_points)
    return GraphIndex(
        ends=np.ascontiguousarray(graph.ends),
        start=graph.start,
        row=graph.row,
        col=graph.col,
        width=graph.width,
        length=graph.lengths(),
        node_first=make_offsets(graph.degree()),
        node_halves=np.argsort(graph.ends.ravel(), kind="stable").astype(np.int32),
        row_first=row_first,
        point=point,
        point_col=graph.col[point],
        dead_point=dead_points[order],
        dead_half=dead_halves[order],
    )


def _end_points(graph: Graph, halves: Ints) -> Ints:
    """Return the point at which each half edge begins."""
    edge, last = np.divmod(halves, 2)
    return np.where(last == 1, graph.start[edge + 1] - 1, graph.start[edge])


def _make_candidates(graph: Graph, halves: Ints, targets: Ints, scores: Floats) -> _Candidates:
    """Keep the dead ends that have a target, and compute the window that each path may use."""
    has_target = targets >= 0
    halves, targets = halves[has_target], targets[has_target]
    here = _end_points(graph, halves)
    rows, cols = (np.column_stack((a[here], a[targets])).astype(np.int64) for a in (graph.row, graph.col))
    length = np.hypot(rows[:, 1] - rows[:, 0], cols[:, 1] - cols[:, 0])
    margin = 6 + np.ceil(0.35 * length).astype(np.int64)
    top, left = np.maximum(rows.min(axis=1) - margin, 0), np.maximum(cols.min(axis=1) - margin, 0)
    bottom = np.minimum(rows.max(axis=1) + margin + 1, graph.shape[0])
    right = np.minimum(cols.max(axis=1) + margin + 1, graph.shape[1])
    windows = np.column_stack((top, left, bottom - top, right - left))
    return _Candidates(halves, targets, scores[has_target], windows)


def _blocks(candidates: _Candidates) -> Iterator[_Candidates]:
    """Group candidates by the block of the raster in which their windows begin."""
    block = np.column_stack((candidates.windows[:, 0] // _BLOCK[0], candidates.windows[:, 1] // _BLOCK[1]))
    order = np.lexsort((block[:, 1], block[:, 0]))
    cuts = np.flatnonzero((np.diff(block[order], axis=0) != 0).any(axis=1)) + 1
    for i in np.split(order, cuts) if order.size else ():
        yield take_rows(candidates, i)


def _find_block_closures(
    index: GraphIndex, rules: GapRules, options: PixelOptions, block: tuple[_Candidates, Probability]
) -> list[GapClosure]:
    """Find the paths of the candidates of a block, whose probabilities have a margin for smoothing on all sides."""
    (candidates, probability), margin = block, options.blur_radius
    inner = slice(margin, -margin or None)
    smoothed = np.ascontiguousarray(gaussian_blur(probability, options.sigma, margin)[inner, inner])
    top, left = candidates.windows[:, :2].min(axis=0).tolist()
    unseen = _limit_unseen(candidates, rules, probability[inner, inner], top, left)
    # Paths that wind too much are rejected, and a window spans its gap and twice the margin.
    capacity = int(((MAX_WINDING * candidates.windows[:, 2:].sum(axis=1)) + 8.0).sum())
    first, path, values, met = find_paths(
        index, rules, candidates.halves, candidates.targets, candidates.windows, unseen, smoothed, top, left, capacity
    )
    nodes = index.ends[candidates.halves >> 1, candidates.halves & 1]
    closures = []
    for i in np.flatnonzero(met >= 0).tolist():
        points = slice(int(first[i]), int(first[i + 1]))
        closures.append(
            GapClosure(float(candidates.scores[i]), int(nodes[i]), int(met[i]), path[points], values[points])
        )
    return closures


def _limit_unseen(candidates: _Candidates, rules: GapRules, probability: Probability, top: int, left: int) -> Floats:
    """Limit the length of gaps without any trace of a road, by the probabilities, which begin at ``top``, ``left``."""
    first, size = candidates.windows[:, :2] - (top, left), candidates.windows[:, 2:]
    windows = (
        probability[row : row + rows, col : col + cols]
        for (row, col), (rows, cols) in zip(first.tolist(), size.tolist(), strict=True)
    )
    return np.array([rules.max_unseen if is_graded(window) else rules.max_unknown for window in windows])


def is_graded(probability: Probability) -> bool:
    """Return whether a window has probabilities between those of a mask, so that it could show a trace of a road."""
    low, high = (int(PROBABILITY_SCALE * limit) for limit in GRADED)
    return bool(((probability > low) & (probability < high)).any())


def _select(graph: Graph, closures: list[GapClosure], dead: Flags) -> list[GapClosure]:
    """Select closures in order, without those that meet a selected one, use a dead end again or only make a loop."""
    if not closures:
        return []
    edge, target_node = _locate_points(graph, np.array([closure.target for closure in closures]))
    target_node = np.where(dead[target_node], target_node, -1)
    edge_at = np.zeros(graph.node_count, np.int64)
    edge_at[graph.ends.ravel()] = np.repeat(np.arange(graph.edge_count), 2)
    edges = list(zip(edge_at[[closure.node for closure in closures]].tolist(), edge.tolist(), strict=True))
    touching = _find_touching(closures)
    selected: set[int] = set()
    selected_between: dict[tuple[int, int], list[GapClosure]] = {}
    used_nodes: set[int] = set()
    for number, (closure, other, pair) in enumerate(zip(closures, target_node.tolist(), edges, strict=True)):
        if closure.node in used_nodes or other in used_nodes or selected.intersection(touching.get(number, ())):
            continue
        if any(_only_makes_loop(closure, reverse) for reverse in selected_between.get(pair[::-1], ())):
            continue
        used_nodes |= {closure.node, other} - {-1}
        selected.add(number)
        selected_between.setdefault(pair, []).append(closure)
    return [closures[number] for number in sorted(selected)]


def _only_makes_loop(closure: GapClosure, reverse: GapClosure) -> bool:
    """Return whether two closures between the same edges enclose a loop that has less road than closed gap in it.

    Two dead ends do that when each meets the other's road just beside its end.
    """
    there, back = reverse.path.astype(np.float64), closure.path.astype(np.float64)
    road = np.hypot(*(there[0] - back[-1])) + np.hypot(*(back[0] - there[-1]))
    return bool(road < len(there) + len(back))


def _find_touching(closures: list[GapClosure]) -> dict[int, list[int]]:
    """Find, for each closure, those before it in the list that share a pixel with it or have an adjacent one."""
    owner = np.repeat(np.arange(len(closures)), [len(closure.path) for closure in closures])
    pairs = cKDTree(np.concatenate([closure.path for closure in closures])).query_pairs(1.5, output_type="ndarray")
    both = np.sort(owner[pairs], axis=1)
    both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
    touching: dict[int, list[int]] = {}
    for one, other in both.tolist():
        touching.setdefault(other, []).append(one)
    return touching


def _locate_points(graph: Graph, points: Ints) -> tuple[Ints, Ints]:
    """Return the edge of each point and the node there; -1 for a point in the middle of an edge."""
    edge = np.searchsorted(graph.start, points, side="right") - 1
    node = np.where(points == graph.start[edge + 1] - 1, graph.ends[edge, 1], -1)
    return edge, np.where(points == graph.start[edge], graph.ends[edge, 0], node)


def insert_closures(graph: Graph, closures: Sequence[GapClosure]) -> None:
    """Insert closures as edges, in place; the dead ends that they continue become nodes of degree two.

    Edges are split where a closure meets their middle.
    """
    nodes = split_edges(graph, np.array([closure.target for closure in closures]))
    ends = np.column_stack(([closure.node for closure in closures], nodes))
    append_gaps(graph, ends, [closure.path for closure in closures], [closure.probability for closure in closures])


def split_edges(graph: Graph, points: Ints) -> Ints:
    """Split edges at ``points`` in the middle of them, in place; return the node at each point."""
    _, node = _locate_points(graph, points)
    splits = np.unique(points[node < 0])
    node = np.where(node < 0, graph.node_count + np.searchsorted(splits, points), node)

    edge = np.searchsorted(graph.start, splits, side="right") - 1
    new_nodes = np.repeat(graph.node_count + np.arange(splits.size), 2)
    ends = np.insert(graph.ends.ravel(), np.repeat(2 * edge + 1, 2), new_nodes).reshape(-1, 2)
    # A split point is repeated: it ends one edge and begins the next.
    order = np.insert(np.arange(graph.row.size, dtype=np.int32), splits + 1, splits)
    start = np.sort(np.concatenate((graph.start, splits + 1)))
    start += np.searchsorted(splits + 1, start, side="left")

    graph.node_row = np.concatenate((graph.node_row, graph.row[splits]))
    graph.node_col = np.concatenate((graph.node_col, graph.col[splits]))
    graph.node_border = np.concatenate((graph.node_border, np.zeros(splits.size, np.bool_)))
    graph.node_radius = np.concatenate((graph.node_radius, np.zeros(splits.size)))
    graph.ends, graph.start = ends.astype(np.int32), start.astype(np.int64)
    graph.row, graph.col = graph.row[order], graph.col[order]
    graph.width, graph.probability = graph.width[order], graph.probability[order]
    return np.asarray(node, np.int64)


def append_gaps(
    graph: Graph, ends: Ints, paths: Sequence[NDArray[np.int32]], probabilities: Sequence[Probability]
) -> None:
    """Append closed gaps between existing nodes, in place, as edges of width 0."""
    path = np.concatenate(paths)
    graph.ends = np.concatenate((graph.ends, ends)).astype(np.int32)
    graph.start = np.concatenate((graph.start, graph.start[-1] + np.cumsum([len(one) for one in paths])))
    graph.row = np.concatenate((graph.row, path[:, 0]))
    graph.col = np.concatenate((graph.col, path[:, 1]))
    graph.width = np.concatenate((graph.width, np.zeros(len(path), np.float32)))
    graph.probability = np.concatenate((graph.probability, *probabilities))
