"""Match the pieces of edges at the common borders of partitions, and follow them from end to end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..arrays import Flags, Ints, make_offsets
from ..roads.kernels.graph import follow_chains
from .tables import NO_KEY, split_keys

#: Where neighbours disagree about a road that crosses their border, ends this many pixels apart are joined.
SNAP = 6.0


@dataclass(frozen=True)
class Chains:
    """Edges that cross borders, as chains of pieces.

    Attributes:
        half: int32, pieces of all chains in walking order: twice the number of the piece, plus 1 where it is reversed.
        start: int64 (chains + 1,), offset of each chain.
        is_ring: bool (chains,), chains without an end.
    """

    half: NDArray[np.int32]
    start: Ints
    is_ring: Flags


def match_ends(own: Ints, link: Ints) -> tuple[Ints, int]:
    """Match the ends of pieces at borders.

    Args:
        own: (n,), key of the last pixel of each end.
        link: (n,), key of the pixel beyond the border; ``NO_KEY`` for ends at nodes.

    Returns:
        The end that each end goes on with, -1 for ends at nodes and for those without a partner; and how many pairs
        were joined although their pixels are not the same.
    """
    partner = np.full(own.size, -1, np.int64)
    ends = np.flatnonzero(link != NO_KEY)
    low, high = np.minimum(own, link)[ends], np.maximum(own, link)[ends]
    is_high = own[ends] == high
    for _ in range(2):  # the second time for a pair of pixels that two edges share
        free = np.flatnonzero(partner[ends] < 0)
        order = free[np.lexsort((is_high[free], high[free], low[free]))]
        one, two = order[:-1], order[1:]
        fits = (low[one] == low[two]) & (high[one] == high[two]) & ~is_high[one] & is_high[two]
        one, two = ends[one[fits]], ends[two[fits]]
        partner[one], partner[two] = two, one
    loose = ends[partner[ends] < 0]
    joined = _snap(own, link, loose, partner)
    return partner, joined


def _snap(own: Ints, link: Ints, loose: Ints, partner: Ints) -> int:
    """Join ends without a partner that lie close to each other on both sides of a border; return their number."""
    if loose.size < 2:
        return 0
    here = np.column_stack(split_keys(own[loose])).astype(np.float64)
    there = np.column_stack(split_keys(link[loose])).astype(np.float64)
    pairs = cKDTree(there).query_ball_tree(cKDTree(here), SNAP)
    found = [(i, j) for i, others in enumerate(pairs) for j in others if i < j and _face(here, there, i, j)]
    found.sort(key=lambda pair: (float(np.hypot(*(there[pair[0]] - here[pair[1]]))), *pair))
    joined = 0
    for one, two in found:
        if partner[loose[one]] < 0 and partner[loose[two]] < 0:
            partner[loose[one]], partner[loose[two]] = loose[two], loose[one]
            joined += 1
    return joined


def _face(here: NDArray[np.float64], there: NDArray[np.float64], one: int, two: int) -> bool:
    """Return whether two ends go on towards each other's side."""
    return bool((there[one] - here[one]) @ (there[two] - here[two]) < 0.0)


def follow_pieces(partner: Ints) -> Chains:
    """Follow pieces from end to end.

    Args:
        partner: (2 * pieces,), the end with which each end goes on, -1 for none; end 2p is the first of piece p.
    """
    ends = np.arange(partner.size)
    point = np.where(partner >= 0, np.minimum(ends, partner), ends)  # both ends of a pair meet at one point
    tail = np.unique(point, return_inverse=True)[1].astype(np.int32)
    degree = np.bincount(tail)
    by_tail = np.argsort(tail, kind="stable").astype(np.int32)
    half, start = follow_chains(make_offsets(degree), by_tail, tail, degree != 2)
    return Chains(half, start, partner[half[start[:-1]]] >= 0)
