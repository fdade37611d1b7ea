"""Kernels that search: in sorted arrays, and in union-find forests."""

from __future__ import annotations

from .arrays import Ints, Labels
from .jit import jit


@jit
def lower_bound(values: Ints | Labels, begin: int, end: int, value: int) -> int:
    """Find the first index in ascending ``values[begin:end]`` with at least ``value``; ``end`` if there is none."""
    while begin < end:
        middle = (begin + end) // 2
        if values[middle] < value:
            begin = middle + 1
        else:
            end = middle
    return begin


@jit
def find_root(parent: Labels, label: int) -> int:
    """Find the root of ``label`` in a union-find forest, halving the path."""
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label
