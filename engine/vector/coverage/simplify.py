"""Smooth and simplify arcs, each once, so that both its regions get the same line."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .arcs import ANCHOR, Arcs
from .kernels.boundaries import NODE
from .kernels.simplify import WORD, cut_corners, set_bits, thin_arcs

Labels = NDArray[np.int32]
Ints = NDArray[np.int64]

#: Rows of half pixels from the end of a strip that vertices found in it may reach into, and as many that are looked at.
_ROWS_BELOW = 4
#: Arcs with fewer points than this are not worth a thread.
_POINTS_OF_A_THREAD = 20_000


class Guards:
    """The vertices around the arcs that may be completed in a strip: a window of bits, one for each half pixel.

    Args:
        cols: columns of the raster.
        strip: rows of pixels in a strip.
    """

    def __init__(self, cols: int, strip: int) -> None:
        # No arc is longer than ANCHOR rows. A row lies at its number modulo the height of the window.
        rows = 2 * (ANCHOR + strip + 1) + _ROWS_BELOW
        self.bits = np.zeros((rows, -(-(2 * cols + 1) // WORD)), np.uint32)
        self._next = rows

    def add(self, guards: Ints, end_row: int) -> None:
        """Add the vertices (row, column) of the strip that ends before ``end_row``."""
        rows = np.arange(self._next, 2 * end_row + _ROWS_BELOW)
        if rows.size:
            self.bits[rows % len(self.bits)] = 0
            self._next = int(rows[-1]) + 1
        set_bits(self.bits, guards)


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
        keep = _thin(points, start, middle, 2.0 * tolerance, guards)
        start = np.concatenate(([0], np.cumsum(keep)))[start].astype(np.int64)
        points = points[keep]
    return Arcs(points, start, arcs.sides, arcs.corners, arcs.ways)


def _thin(
    points: Labels, start: Ints, middle: NDArray[np.bool_], tolerance: float, guards: Guards
) -> NDArray[np.bool_]:
    """``thin_arcs`` in as many threads as there are cores: each arc is thinned for itself."""
    threads = min(os.cpu_count() or 1, 1 + len(points) // _POINTS_OF_A_THREAD)
    # More pieces than threads, since some have more to do than others.
    shares = np.linspace(0, len(points), 4 * threads + 1 if threads > 1 else 2)
    cuts = np.unique(np.searchsorted(start, shares))

    def part(low: int, high: int) -> NDArray[np.bool_]:
        run = slice(start[low], start[high])
        return thin_arcs(
            points[run].astype(np.int64), start[low : high + 1] - start[low], middle[run], tolerance, guards.bits
        )

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(part, cuts[:-1].tolist(), cuts[1:].tolist())))
