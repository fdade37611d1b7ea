"""Bridge gaps: from dead ends along least-cost paths to other ends and to the middle of other roads.

Candidates come from an index of the centre-line points by position, never from comparing all with all. Points that the
dead end reaches along the network within 1.6 gaps are no candidates: a bridge to them would close a loop that is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...context import Cancellation
from ...raster.probability import ProbabilityRaster
from .graph import Flags, Floats, Graph, Ints, Nodes
from .kernels.gaps import Rules, lay_bridges, nominate
from .kernels.graph_index import Lookup, order_points
from .mask import Levels, blur

#: Rows and columns of raster that are read at a time.
_BLOCK = (512, 1024)


@dataclass(frozen=True)
class Bridge:
    """A bridge from a dead end to a point of the network.

    Attributes:
        score: length, more where it bends; bridges are taken in this order.
        node: the dead end.
        target: index of the point that is met.
        path: int32 (n, 2), rows and columns from the dead end to the point.
        level: uint8 (n,), probability along the path in levels.
    """

    score: float
    node: int
    target: int
    path: NDArray[np.int32]
    level: Levels


@dataclass(frozen=True)
class Blurred:
    """Where blurred levels come from.

    Attributes:
        source: the levels.
        sigma: standard deviation of the Gaussian in pixels.
        reach: how far it looks, in pixels.
    """

    source: ProbabilityRaster
    sigma: float
    reach: int


@dataclass(frozen=True)
class _Plan:
    """Ways that are to be found: from which dead ends, to which points, through which windows.

    Attributes:
        halves: (n,), halves that leave the dead ends.
        targets: (n,), points.
        scores: (n,).
        windows: (n, 4), first row, first column, rows and columns.
    """

    halves: Ints
    targets: Ints
    scores: Floats
    windows: Ints


def find_bridges(
    graph: Graph,
    rules: Rules,
    raster: Blurred,
    cancellation: Cancellation,
    *,
    threads: int,
    last: Sequence[Bridge] | None = None,
) -> list[Bridge]:
    """The bridges of one round, the best first; no two of them meet, and each end has at most one.

    Args:
        graph: the network.
        rules: how far and in which direction.
        raster: the probabilities.
        cancellation: asked from time to time.
        threads: how many work at a time.
        last: the bridges of the round before, after which only ends in their reach can find anything new; None in the
            first round.
    """
    degree = graph.degree()
    dead = (degree == 1) & ~graph.node_border
    if last is not None:
        dead &= _in_reach(graph, last, rules.gap)
    halves = np.flatnonzero(dead[graph.ends.ravel()])
    if halves.size == 0 or rules.gap <= 0.0:
        return []
    net = _look_up(graph, degree, halves)
    found: list[Bridge] = []
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(partial(nominate, net, rules), np.array_split(halves, threads)))
        targets, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
        plan = _plan(graph, halves, targets, scores)
        waiting: list[Future[list[Bridge]]] = []
        for part in _blocks(plan):
            cancellation.check()
            waiting.append(pool.submit(_lay, net, rules, part, _read(raster, part.windows), raster))
            if len(waiting) > threads:
                found += waiting.pop(0).result()
        for future in waiting:
            found += future.result()
    return _choose(graph, sorted(found, key=lambda bridge: (bridge.score, bridge.node)), dead)


def _in_reach(graph: Graph, bridges: Sequence[Bridge], gap: float) -> Flags:
    """Which nodes lie within a gap of a bridge."""
    cells = np.concatenate([bridge.path for bridge in bridges])
    nodes = np.column_stack((graph.node_row, graph.node_col))
    # A bridge that could not be taken because it met another reaches a gap further than that one.
    far, _ = cKDTree(cells).query(nodes, distance_upper_bound=2.0 * gap)
    return np.asarray(np.isfinite(far), np.bool_)


def _look_up(graph: Graph, degree: Ints, dead_halves: Ints) -> Lookup:
    row_first, point = order_points(graph.row, graph.col, *graph.shape)
    dead_points = _end_points(graph, dead_halves)
    order = np.argsort(dead_points)
    return Lookup(
        ends=np.ascontiguousarray(graph.ends),
        start=graph.start,
        row=graph.row,
        col=graph.col,
        width=graph.width,
        length=graph.lengths(),
        node_first=np.concatenate(([0], np.cumsum(degree))).astype(np.int64),
        node_halves=np.argsort(graph.ends.ravel(), kind="stable").astype(np.int32),
        row_first=row_first,
        point=point,
        point_col=graph.col[point],
        dead_point=dead_points[order],
        dead_half=dead_halves[order],
    )


def _end_points(graph: Graph, halves: Ints) -> Ints:
    """The point at which each half begins."""
    edge, last = np.divmod(halves, 2)
    return np.where(last == 1, graph.start[edge + 1] - 1, graph.start[edge])


def _plan(graph: Graph, halves: Ints, targets: Ints, scores: Floats) -> _Plan:
    """From the dead ends that have a target: where the way may lead."""
    some = targets >= 0
    halves, targets = halves[some], targets[some]
    here = _end_points(graph, halves)
    rows, cols = (np.column_stack((a[here], a[targets])).astype(np.int64) for a in (graph.row, graph.col))
    far = np.hypot(rows[:, 1] - rows[:, 0], cols[:, 1] - cols[:, 0])
    margin = 6 + np.ceil(0.35 * far).astype(np.int64)
    top, left = np.maximum(rows.min(axis=1) - margin, 0), np.maximum(cols.min(axis=1) - margin, 0)
    bottom = np.minimum(rows.max(axis=1) + margin + 1, graph.shape[0])
    right = np.minimum(cols.max(axis=1) + margin + 1, graph.shape[1])
    windows = np.column_stack((top, left, bottom - top, right - left))
    return _Plan(halves, targets, scores[some], windows)


def _blocks(plan: _Plan) -> Iterator[_Plan]:
    """Parts of a plan whose windows begin within one block of the raster."""
    block = np.column_stack((plan.windows[:, 0] // _BLOCK[0], plan.windows[:, 1] // _BLOCK[1]))
    order = np.lexsort((block[:, 1], block[:, 0]))
    cuts = np.flatnonzero((np.diff(block[order], axis=0) != 0).any(axis=1)) + 1
    for index in np.split(order, cuts) if order.size else ():
        yield _Plan(plan.halves[index], plan.targets[index], plan.scores[index], plan.windows[index])


def _read(raster: Blurred, windows: Ints) -> Levels:
    """The levels of a part of the raster that covers windows, with what the Gaussian looks at around them."""
    top, left = windows[:, :2].min(axis=0).tolist()
    bottom, right = (windows[:, :2] + windows[:, 2:]).max(axis=0).tolist()
    reach = raster.reach
    return raster.source.read_padded(top - reach, left - reach, bottom - top + 2 * reach, right - left + 2 * reach)


def _lay(net: Lookup, rules: Rules, plan: _Plan, levels: Levels, raster: Blurred) -> list[Bridge]:
    """The bridges of a part of a plan; ``levels`` as ``_read`` gives them."""
    inner = slice(raster.reach, -raster.reach or None)
    smooth = np.ascontiguousarray(blur(levels, raster.sigma, raster.reach)[inner, inner])
    top, left = plan.windows[:, :2].min(axis=0).tolist()
    # What winds more than is allowed is not kept, and no window is wider than its gap and twice the margin.
    room = int(((rules.winding * plan.windows[:, 2:].sum(axis=1)) + 8.0).sum())
    first, path, level, met = lay_bridges(net, plan.halves, plan.targets, plan.windows, smooth, top, left, rules, room)
    nodes = net.ends[plan.halves >> 1, plan.halves & 1]
    bridges = []
    for i in np.flatnonzero(met >= 0).tolist():
        run = slice(int(first[i]), int(first[i + 1]))
        bridges.append(Bridge(float(plan.scores[i]), int(nodes[i]), int(met[i]), path[run], level[run]))
    return bridges


def _choose(graph: Graph, bridges: list[Bridge], dead: Flags) -> list[Bridge]:
    """Take bridges in order of score, without those that meet one taken before, use an end twice or lead back."""
    if not bridges:
        return []
    target = np.array([bridge.target for bridge in bridges])
    edge = np.searchsorted(graph.start, target, side="right") - 1
    target_node = np.where(target == graph.start[edge], graph.ends[edge, 0], -1)
    target_node = np.where(target == graph.start[edge + 1] - 1, graph.ends[edge, 1], target_node)
    target_node = np.where(dead[target_node], target_node, -1)
    meeting = _meetings(bridges)
    edge_at = np.zeros(graph.nodes, np.int64)
    edge_at[graph.ends.ravel()] = np.repeat(np.arange(graph.edges), 2)
    ways = list(zip(edge_at[[bridge.node for bridge in bridges]].tolist(), edge.tolist(), strict=True))
    taken_ways: dict[tuple[int, int], list[Bridge]] = {}
    used: set[int] = set()
    taken: set[int] = set()
    for number, (bridge, other, way) in enumerate(zip(bridges, target_node.tolist(), ways, strict=True)):
        if bridge.node in used or other in used or taken.intersection(meeting.get(number, ())):
            continue
        if any(_leads_back(bridge, before) for before in taken_ways.get(way[::-1], ())):
            continue
        used |= {bridge.node, other} - {-1}
        taken.add(number)
        taken_ways.setdefault(way, []).append(bridge)
    return [bridges[number] for number in sorted(taken)]


def _leads_back(bridge: Bridge, before: Bridge) -> bool:
    """Whether two bridges between the same two edges close a loop that has less road in it than bridge.

    That is what two ends make that each meet the other's road beside its end.
    """
    there, back = before.path.astype(np.float64), bridge.path.astype(np.float64)
    road = np.hypot(*(there[0] - back[-1])) + np.hypot(*(back[0] - there[-1]))
    return bool(road < len(there) + len(back))


def _meetings(bridges: list[Bridge]) -> dict[int, list[int]]:
    """The bridges before each in the list that have a pixel next to one of its own, or in common with it."""
    owner = np.repeat(np.arange(len(bridges)), [len(bridge.path) for bridge in bridges])
    pairs = cKDTree(np.concatenate([bridge.path for bridge in bridges])).query_pairs(1.5, output_type="ndarray")
    both = np.sort(owner[pairs], axis=1)
    both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
    meeting: dict[int, list[int]] = {}
    for one, other in both.tolist():
        meeting.setdefault(other, []).append(one)
    return meeting


def add_bridges(graph: Graph, bridges: Sequence[Bridge]) -> Graph:
    """The graph with ``bridges`` as edges of width 0; the dead ends that they continue are nodes of degree two."""
    if not bridges:
        return graph
    edge_of = np.searchsorted(graph.start, [bridge.target for bridge in bridges], side="right") - 1
    inner = [
        bridge.target
        for bridge, edge in zip(bridges, edge_of.tolist(), strict=True)
        if graph.start[edge] < bridge.target < graph.start[edge + 1] - 1
    ]
    splits = np.unique(np.array(inner, np.int64))
    node_at = dict(zip(splits.tolist(), (graph.nodes + np.arange(splits.size)).tolist(), strict=True))
    first = [int(graph.ends[edge, 0]) for edge in edge_of]
    last = [int(graph.ends[edge, 1]) for edge in edge_of]
    ends = []
    for bridge, edge, a, b in zip(bridges, edge_of.tolist(), first, last, strict=True):
        outer = a if bridge.target == graph.start[edge] else b
        ends.append((bridge.node, node_at.get(bridge.target, outer)))
    return _joined(graph, splits, bridges, np.array(ends, np.int32))


def _joined(graph: Graph, splits: Ints, bridges: Sequence[Bridge], bridge_ends: Nodes) -> Graph:
    """The graph with bridges between the nodes ``bridge_ends``, and with new nodes at the points ``splits``.

    The points of large networks fill the memory: each column is made once.
    """
    edge = np.searchsorted(graph.start, splits, side="right") - 1
    # The point is repeated: it ends one edge and begins the next.
    take = np.insert(np.arange(graph.row.size, dtype=np.int32), splits + 1, splits)
    start = np.sort(np.concatenate((graph.start, splits + 1)))
    start += np.searchsorted(splits + 1, start, side="left")
    nodes = np.repeat(graph.nodes + np.arange(splits.size), 2)
    ends = np.insert(graph.ends.ravel(), np.repeat(2 * edge + 1, 2), nodes).reshape(-1, 2)
    none = np.zeros(splits.size)
    path = np.concatenate([bridge.path for bridge in bridges])
    sizes = [len(bridge.path) for bridge in bridges]
    return replace(
        graph,
        node_row=np.concatenate((graph.node_row, graph.row[splits])),
        node_col=np.concatenate((graph.node_col, graph.col[splits])),
        node_border=np.concatenate((graph.node_border, none.astype(np.bool_))),
        node_radius=np.concatenate((graph.node_radius, none)),
        ends=np.concatenate((ends, bridge_ends)).astype(np.int32),
        start=np.concatenate((start, start[-1] + np.cumsum(sizes))).astype(np.int64),
        row=np.concatenate((graph.row[take], path[:, 0])),
        col=np.concatenate((graph.col[take], path[:, 1])),
        width=np.concatenate((graph.width[take], np.zeros(len(path), np.float32))),
        level=np.concatenate((graph.level[take], *[bridge.level for bridge in bridges])),
    )
