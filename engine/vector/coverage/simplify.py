"""Smooth and simplify arcs, each once, so that both its regions get the same line."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .arc_kernels import NODE
from .arcs import ANCHOR, Arcs
from .simplify_kernels import cut_corners, thin_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]


@dataclass
class Guards:
    """The vertices around the arcs that may be completed in a strip, in half pixels.

    Attributes:
        stride: columns of the lattice of half pixels.
        keys: row * stride + column of the vertices, ascending, by strip, with the row at which the strip ends.
    """

    stride: int
    keys: list[tuple[int, Ints]] = field(default_factory=list)

    def add(self, guards: Ints, first_row: int, end_row: int) -> None:
        """Add the vertices (row, column) of the strip from ``first_row`` to before ``end_row``.

        What lies further above than the longest arc is forgotten.
        """
        self.keys.append((end_row, np.sort(guards[:, 0] * self.stride + guards[:, 1])))
        while self.keys[0][0] < first_row - ANCHOR - 1:
            del self.keys[0]

    def table(self) -> tuple[Ints, Labels, int]:
        """Where rows begin, the columns, and the first row, as ``thin_arcs`` takes them."""
        key = np.sort(np.concatenate([keys for _, keys in self.keys]), kind="stable")
        if not key.size:
            return np.zeros(1, np.int64), np.zeros(0, np.int32), 0
        # The middle of a crack between two turns is a vertex of either.
        key = key[np.concatenate(([True], key[1:] != key[:-1]))]
        top, bottom = int(key[0] // self.stride), int(key[-1] // self.stride)
        row_start = np.searchsorted(key, np.arange(top, bottom + 2) * self.stride).astype(np.int64)
        return row_start, (key % self.stride).astype(np.int32), top


def finish_arcs(arcs: Arcs, guards: Guards, *, smooth: bool, tolerance: float) -> Arcs:
    """Smooth and simplify complete, normalised arcs.

    Args:
        arcs: with points on corners.
        guards: the vertices around.
        smooth: cut the corners of pixels.
        tolerance: largest distance in pixels of a dropped vertex from the line; 0 drops none.

    Returns:
        The arcs with points in half pixels.
    """
    if smooth:
        points, start, middle = cut_corners(arcs.points, arcs.start, arcs.ways[:, 2] != NODE)
    else:
        points, start, middle = 2 * arcs.points, arcs.start, np.zeros(len(arcs.points), np.bool_)
    if tolerance > 0.0 and len(arcs):
        keep = thin_arcs(points.astype(np.int64), start, middle, 2.0 * tolerance, *guards.table())
        start = np.concatenate(([0], np.cumsum(keep)))[start].astype(np.int64)
        points = points[keep]
    return Arcs(points, start, arcs.sides, arcs.corners, arcs.ways)
