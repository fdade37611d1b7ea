"""Dual roads of a raster, from what the edges of each partition have beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...context import Cancellation
from ..arrays import Ints, Labels, concatenate_tables, find_sorted
from ..roads.pairs import MIN_LENGTH, Sides, choose_pairs
from .plan import JoinPlan, Part
from .storage import TableFile
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
        self._edge, self._pair = self._choose(resolution, cancellation)

    def number_lines(self, part: Part, lines: Ints) -> Ints:
        """Return the numbers of the dual roads of some lines of a partition; 0 for none."""
        return self._number(part.line + lines)

    def number_chains(self, chains: Ints) -> Ints:
        """Return the numbers of the dual roads of some chains; 0 for none."""
        return self._number(self._plan.lines + chains)

    def _number(self, edges: Ints) -> Ints:
        at, is_paired = find_sorted(self._edge, edges)
        numbers = np.zeros(edges.size, np.int64)
        numbers[is_paired] = self._pair[at[is_paired]]
        return numbers

    def _choose(self, resolution: float, cancellation: Cancellation) -> tuple[Ints, Ints]:
        """Find the edges of dual roads, ascending, and their numbers.

        The edges of a raster are numbered from 0: the finished lines of all partitions, then the chains.
        """
        plan = self._plan
        chain_total = np.zeros(len(plan.key), np.int64)
        rows: list[_Rows] = []
        for part in plan.parts:
            cancellation.check()
            with part.open() as file:
                rows.append(self._read(part, file, chain_total))
        found = concatenate_tables(rows)
        self._resolve(found.other, found.other_key)
        chains = np.flatnonzero(~plan.is_dropped_chain)
        edge = np.concatenate((found.edge, plan.lines + chains))
        key = np.concatenate((found.key, plan.key[chains]))
        total = np.concatenate((found.total, chain_total[chains]))
        order = np.lexsort((key[:, 1], key[:, 0]))
        edge, total = edge[order], total[order]
        by_edge = np.argsort(edge)
        at, is_known = find_sorted(edge[by_edge], np.column_stack((found.one, found.other)))
        is_known = is_known.all(axis=1)
        one, other = by_edge[at[is_known]].T
        pair = choose_pairs(Sides(total, one, other, found.shared[is_known]), MIN_LENGTH / resolution)
        paired = by_edge[pair[by_edge] > 0]
        return edge[paired], pair[paired]

    def _read(self, part: Part, file: TableFile, chain_total: Ints) -> _Rows:
        """Read what the edges of a partition have beside them; add the lengths of its pieces to those of chains."""
        table = file.read(SideTable)
        component, key = file.read_column(LineTable, "component"), file.read_column(LineTable, "key")
        pieces = np.arange(part.lines, table.total.size)
        np.add.at(chain_total, self._find_edges(part, pieces) - self._plan.lines, table.total[pieces])
        lines = np.unique(table.one[table.one < part.lines])
        lines = lines[~self._plan.is_dropped[part.component + component[lines]]]
        one, other = (self._find_edges(part, unit) for unit in (table.one, table.other))
        return _Rows(one, other, table.other_key, table.shared, part.line + lines, key[lines], table.total[lines])

    def _find_edges(self, part: Part, units: Ints | Labels) -> Ints:
        """Return the edges of some lines and pieces of a partition, see ``SideTable``; -1 for -1."""
        units, is_piece = units.astype(np.int64), units >= part.lines
        edges = np.where(units < 0, -1, part.line + units)
        edges[is_piece] = self._plan.lines + self._chain_of[part.piece + units[is_piece] - part.lines]
        return edges

    def _resolve(self, other: Ints, other_key: Ints) -> None:
        """Find the edges of samples in other partitions, in place; -1 stays where there is no such sample."""
        for part in self._plan.parts:
            own = np.flatnonzero((other < 0) & is_inside(other_key, part.window))
            if not own.size:
                continue
            with part.open() as file:
                samples = file.read(BorderSamples)
            at, is_there = find_sorted(samples.key, other_key[own])
            other[own[is_there]] = self._find_edges(part, samples.unit[at[is_there]])


class _Rows(NamedTuple):
    """What the edges of a partition have beside them; the last three columns are of the lines among ``one``."""

    one: Ints
    other: Ints
    other_key: Ints
    shared: Ints
    edge: Ints
    key: Ints
    total: Ints
