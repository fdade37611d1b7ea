"""Dual roads of a raster, from what the edges of each partition have beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...context import Cancellation
from ..arrays import Ints
from ..roads.pairs import MIN_LENGTH, Sides, choose_pairs
from .plan import JoinPlan, Part
from .storage import PartitionFile
from .tables import BorderSamples, LineTable, SideTable, is_inside


class DualRoads:
    """Numbers of the dual roads of a raster.

    Args:
        plan: how its partitions are joined.
        resolution: metres of a pixel.
        cancellation: checked between partitions.
    """

    def __init__(self, plan: JoinPlan, resolution: float, cancellation: Cancellation) -> None:
        self._plan = plan
        self._chain_of = plan.chain_of_pieces()
        self._first_line: dict[Part, int] = {}
        self._lines = 0
        self._edge, self._pair = self._choose(resolution, cancellation)

    def number_lines(self, part: Part, lines: Ints) -> Ints:
        """Return the numbers of the dual roads of some lines of a partition; 0 for none."""
        return self._number(self._first_line[part] + lines)

    def number_chains(self, chains: Ints) -> Ints:
        """Return the numbers of the dual roads of some chains; 0 for none."""
        return self._number(self._lines + chains)

    def _number(self, edges: Ints) -> Ints:
        if not self._edge.size:
            return np.zeros(edges.size, np.int64)
        at = np.minimum(np.searchsorted(self._edge, edges), self._edge.size - 1)
        return np.where(self._edge[at] == edges, self._pair[at], 0)

    def _choose(self, resolution: float, cancellation: Cancellation) -> tuple[Ints, Ints]:
        """Find the edges of dual roads, ascending, and their numbers.

        The edges of a raster are numbered from 0: the finished lines of all partitions, then the chains.
        """
        plan = self._plan
        chain_total = np.zeros(len(plan.key), np.int64)
        for part in plan.parts:
            with part.open() as file:
                total, lines = file.read_column(SideTable, "total"), file.read_column(LineTable, "component").size
            pieces = self._chain_of[part.piece : part.piece + total.size - lines]
            np.add.at(chain_total, pieces, total[lines:])
            self._first_line[part] = self._lines
            self._lines += lines

        rows: list[_Rows] = []
        for part in plan.parts:
            cancellation.check()
            with part.open() as file:
                rows.append(self._read(part, file))
        one, other, other_key, shared = (
            np.concatenate([getattr(row, name) for row in rows]) for name in _Rows._fields[:4]
        )
        self._resolve(other, other_key)
        chains = np.flatnonzero(~plan.is_dropped_chain)
        edge = np.concatenate([*(row.edge for row in rows), self._lines + chains])
        key = np.concatenate([*(row.key for row in rows), plan.key[chains]])
        total = np.concatenate([*(row.total for row in rows), chain_total[chains]])
        order = np.lexsort((key[:, 1], key[:, 0]))
        edge, total = edge[order], total[order]
        by_edge = np.argsort(edge)
        ends = np.column_stack((one, other))
        at = np.minimum(np.searchsorted(edge[by_edge], ends), max(edge.size - 1, 0))
        is_known = (edge[by_edge][at] == ends).all(axis=1) if edge.size else np.zeros(0, np.bool_)
        at = by_edge[at[is_known]] if edge.size else at
        pair = choose_pairs(Sides(total, at[:, 0], at[:, 1], shared[is_known]), MIN_LENGTH / resolution)
        paired = by_edge[pair[by_edge] > 0]
        return edge[paired], pair[paired]

    def _read(self, part: Part, file: PartitionFile) -> _Rows:
        """Read what the edges of a partition have beside them."""
        table, first = file.read(SideTable), self._first_line[part]
        component, key = file.read_column(LineTable, "component"), file.read_column(LineTable, "key")

        def number(unit: Ints) -> Ints:
            is_line = unit < component.size
            piece = np.where(is_line, 0, unit - component.size) + part.piece
            chain = self._chain_of[np.minimum(piece, self._chain_of.size - 1)] if self._chain_of.size else piece
            return np.where(unit < 0, -1, np.where(is_line, first + unit, self._lines + chain))

        lines = np.unique(table.one[table.one < component.size])
        lines = lines[~self._plan.is_dropped[part.component + component[lines]]]
        one, other = number(table.one.astype(np.int64)), number(table.other.astype(np.int64))
        return _Rows(one, other, table.other_key, table.shared, first + lines, key[lines], table.total[lines])

    def _resolve(self, other: Ints, other_key: Ints) -> None:
        """Find the edges of samples in other partitions, in place; -1 stays where there is no such sample."""
        for part in self._plan.parts:
            own = np.flatnonzero((other < 0) & is_inside(other_key, part.window))
            if not own.size:
                continue
            with part.open() as file:
                samples, lines = file.read(BorderSamples), file.read_column(LineTable, "component").size
            if not samples.key.size:
                continue
            at = np.minimum(np.searchsorted(samples.key, other_key[own]), samples.key.size - 1)
            own, at = own[samples.key[at] == other_key[own]], at[samples.key[at] == other_key[own]]
            unit = samples.unit[at].astype(np.int64)
            is_line = unit < lines
            other[own[is_line]] = self._first_line[part] + unit[is_line]
            other[own[~is_line]] = self._lines + self._chain_of[part.piece + unit[~is_line] - lines]


class _Rows(NamedTuple):
    """What the edges of a partition have beside them; the last three columns are of the lines among ``one``."""

    one: Ints
    other: Ints
    other_key: Ints
    shared: Ints
    edge: Ints
    key: Ints
    total: Ints
