"""What the lines and pieces of a partition have beside them, from which dual roads are found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..roads.centerlines import Tile
from ..roads.graph import Graph
from ..roads.ordering import pixel_keys
from ..roads.pairs import MIN_SHARE, find_neighbours, sample_edges
from .tables import NO_KEY, BorderSamples, SideTable, is_inside


def find_sides(
    graph: Graph, unit: NDArray[np.int32], counts: tuple[int, int], window: Tile, distance: float
) -> tuple[SideTable, BorderSamples]:
    """Find what the lines and pieces of a partition have beside them, as far as dual roads may be found from it.

    Args:
        graph: the network with its halo.
        unit: (points,), number of the line or piece of each point; -1 outside the partition.
        counts: number of lines and of pieces.
        window: the partition.
        distance: largest distance of carriageways, pixels; 0 finds none.
    """
    units = sum(counts)
    if distance <= 0.0 or graph.edge_count < 2:
        none, key = np.zeros(0, np.int32), np.zeros(0, np.int64)
        return SideTable(np.zeros(units, np.int64), none, none, key, key), BorderSamples(key, none)
    samples = sample_edges(graph, distance)
    one, two, length = find_neighbours(samples, distance)
    key = pixel_keys(graph.row[samples.point], graph.col[samples.point])
    own = unit[samples.point]
    total = np.bincount(own[own >= 0], samples.length[own >= 0], minlength=units).astype(np.int64)
    is_own = own[one] >= 0
    one, two, length = one[is_own], two[is_own], length[is_own]
    columns = np.column_stack((own[one], own[two], np.where(own[two] < 0, key[two], NO_KEY)))
    rows, number = np.unique(columns, axis=0, return_inverse=True)
    shared = np.bincount(number.ravel(), length, minlength=len(rows)).astype(np.int64)
    # A line is complete, so that it is seen here where too little of it has anything beside it. Without the rows of two
    # such lines the table is a quarter as long.
    may_pair = np.bincount(rows[:, 0], shared, minlength=units) >= MIN_SHARE * total
    may_pair[counts[0] :] = True
    is_used = may_pair[rows[:, 0]] | (rows[:, 1] < 0) | may_pair[rows[:, 1]]
    rows, shared = rows[is_used], shared[is_used]
    sides = SideTable(total, rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32), rows[:, 2], shared)

    margin = math.ceil(2.0 * distance)
    inner = Tile(window.row + margin, window.col + margin, window.height - 2 * margin, window.width - 2 * margin)
    near = np.flatnonzero((own >= 0) & ~is_inside(key, inner))
    near = near[np.argsort(key[near], kind="stable")]
    return sides, BorderSamples(key[near], own[near])
