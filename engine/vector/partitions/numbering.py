"""Number the nodes and lines of a raster as one run does, with the keys of few partitions in memory.

Nodes and lines are ordered by pixels, row by row: those of a row of partitions follow on those of the row above.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..arrays import Flags, Ints, Labels, find_sorted
from .plan import JoinPlan, Part
from .tables import LineTable, NodeTable

#: Rows of partitions whose keys are in memory: a node may belong to the row above or below.
_BANDS = 3


class Numbering:
    """Numbers from 1 of the nodes and lines that stay.

    Args:
        plan: how partitions are joined.
    """

    def __init__(self, plan: JoinPlan) -> None:
        self._plan = plan
        bands = plan.bands
        nodes, lines = np.zeros(bands + 1, np.int64), np.zeros(bands + 1, np.int64)
        for part in plan.parts:
            with part.open() as file:
                nodes[part.band + 1] += int(self.stays(part, file.read_column(NodeTable, "component")).sum())
                lines[part.band + 1] += int(self.stays(part, file.read_column(LineTable, "component")).sum())
        self._made = np.unique(plan.ends.node[plan.made, plan.made_end])
        nodes[1:] += np.bincount(plan.find_band(self._made), minlength=bands)
        self._chain_band = plan.find_band(plan.key[:, 0])
        lines[1:] += np.bincount(self._chain_band[~plan.is_dropped_chain], minlength=bands)
        self._first_node, self._first_line = np.cumsum(nodes), np.cumsum(lines)
        self._node_keys: Callable[[int], Ints] = lru_cache(_BANDS)(self._read_node_keys)

    def stays(self, part: Part, component: Labels) -> Flags:
        """Return which rows of a table of a partition stay, by their components."""
        return np.asarray(~self._plan.is_dropped[part.component + component], np.bool_)

    def number_nodes(self, keys: Ints) -> Ints:
        """Return the numbers of nodes with some keys, of any shape; 0 for a node that no partition has."""
        bands = self._plan.find_band(keys)
        numbers = np.zeros(keys.shape, np.int64)
        for band in np.unique(bands).tolist():
            own, known = bands == band, self._node_keys(band)
            at, is_known = find_sorted(known, keys[own])
            numbers[own] = np.where(is_known, self._first_node[band] + at + 1, 0)
        return numbers

    def number_lines(self, band: int) -> tuple[dict[Part, Ints], dict[int, int]]:
        """Number the lines whose first pixel lies in a row of partitions.

        Returns:
            For each partition the numbers of its finished lines that stay; the numbers of chains.
        """
        plan, parts = self._plan, self._plan.band_parts(band)
        keys = []
        for part in parts:
            with part.open() as file:
                stays = self.stays(part, file.read_column(LineTable, "component"))
                keys.append(file.read_column(LineTable, "key")[stays])
        chains = np.flatnonzero((self._chain_band == band) & ~plan.is_dropped_chain)
        every = np.concatenate((*keys, plan.key[chains]))
        numbers = np.empty(len(every), np.int64)
        numbers[np.lexsort((every[:, 1], every[:, 0]))] = self._first_line[band] + 1 + np.arange(len(every))
        split = np.split(numbers, np.cumsum([len(part_keys) for part_keys in keys]))
        return dict(zip(parts, split[:-1], strict=True)), dict(zip(chains.tolist(), split[-1].tolist(), strict=True))

    def _read_node_keys(self, band: int) -> Ints:
        """Read the keys of the nodes in a row of partitions that stay, ascending."""
        keys = [self._made[self._plan.find_band(self._made) == band]]
        for part in self._plan.band_parts(band):
            with part.open() as file:
                stays = self.stays(part, file.read_column(NodeTable, "component"))
                keys.append(file.read_column(NodeTable, "key")[stays])
        return np.sort(np.concatenate(keys))
