"""Smooth and simplify arcs, each once, so that the regions on both sides get the same line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...concurrency import available_cores
from ..arrays import Flags, Ints, make_offsets
from .arcs import Arcs
from .kernels.boundaries import NODE
from .kernels.simplify import WORD_BITS, cut_corners, set_bits, simplify_visvalingam

#: Units in a pixel of the lattice on which the points of simplified arcs lie.
UNITS = 64
#: Rows of half pixels below the end of a strip that its constraint points may lie in or that are looked at.
_ROWS_BELOW = 4
#: Points of arcs that are worth a thread.
_POINTS_PER_THREAD = 20_000


class ConstraintBitmap:
    """Points that no simplification may pass over, as bits of half pixels, for the rows that complete arcs can reach.

    Args:
        cols: columns of the raster.
        strip_rows: rows of pixels in a strip.
        break_rows: rows of the highest arc.
    """

    def __init__(self, cols: int, strip_rows: int, break_rows: int) -> None:
        # A row lies at its number modulo the height of the bitmap.
        rows = 2 * (break_rows + strip_rows + 1) + _ROWS_BELOW
        self.bits = np.zeros((rows, -(-(2 * cols + 1) // WORD_BITS)), np.uint32)
        self._next = rows

    def add(self, points: Ints, end_row: int) -> None:
        """Add the constraint points (n, 2; row and column in half pixels) of the strip that ends before ``end_row``."""
        rows = np.arange(self._next, 2 * end_row + _ROWS_BELOW)
        if rows.size:
            self.bits[rows % len(self.bits)] = 0
            self._next = int(rows[-1]) + 1
        set_bits(self.bits, points)


def simplify_arcs(arcs: Arcs, constraints: ConstraintBitmap, *, smooth: bool, tolerance: float) -> Arcs:
    """Smooth and simplify complete, normalized arcs.

    Args:
        arcs: with points at the corners of pixels.
        constraints: points that no line may pass over.
        smooth: whether to cut the corners of pixels.
        tolerance: largest distance in pixels of a dropped vertex from the line; 0 drops none.

    Returns:
        The arcs with points on the lattice, of ``UNITS`` in a pixel.
    """
    if smooth:
        points, start, is_midpoint = cut_corners(arcs.points, arcs.start, arcs.ends[:, 2] != NODE)
    else:
        points, start, is_midpoint = 2 * arcs.points, arcs.start, np.zeros(len(arcs.points), np.bool_)
    if tolerance <= 0.0 or not arcs.number:
        return arcs._replace(points=points * np.int32(UNITS // 2), start=start)
    threads = min(available_cores(), 1 + len(points) // _POINTS_PER_THREAD)
    # More shares than threads, because some arcs take longer than others.
    shares = np.linspace(0, len(points), 4 * threads + 1 if threads > 1 else 2)
    cuts = np.unique(np.searchsorted(start, shares)).tolist()

    def choose_points(low: int, high: int) -> Flags:
        share = slice(start[low], start[high])
        share_start = start[low : high + 1] - start[low]
        return simplify_visvalingam(
            points[share].astype(np.int64), share_start, is_midpoint[share], 2.0 * tolerance, constraints.bits
        )

    with ThreadPoolExecutor(threads) as pool:
        keep = np.concatenate(list(pool.map(choose_points, cuts[:-1], cuts[1:])))
    start = make_offsets(keep)[start]
    return arcs._replace(points=points[keep] * np.int32(UNITS // 2), start=start)
