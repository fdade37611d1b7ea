"""Kernels that search: in sorted arrays, in union-find forests and in binary heaps."""

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


@jit
def heap_push(heap: Ints, size: int, key: int) -> int:
    """Add a key to a binary heap of ``size`` keys, the smallest first; return its new size."""
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = key
    return size + 1


@jit
def heap_replace(heap: Ints, size: int, key: int) -> None:
    """Replace the smallest key, ``heap[0]``, of a binary heap of ``size`` keys."""
    at, below = 0, 1
    while below < size:
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= key:
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = key
