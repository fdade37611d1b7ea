"""Roads at the edge of the raster, beyond which a window mirrors what is inside.

A road that leaves the raster goes on straight in the mirror, so that its centre line ends at the edge. Of one that
runs along the edge the mirror makes a road twice as wide, whose centre is the edge itself: there nothing may lie
outside, and the line is the middle of what is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Pixels beside a run that are cleared with it, so that nothing outside touches its last pixel.
_BESIDE = 2


@dataclass(frozen=True)
class Inside:
    """The part of a window that lies in the raster: rows and columns from the first to before the last."""

    top: int
    left: int
    bottom: int
    right: int


def end_at_edges(mask: NDArray[np.uint8], inside: Inside, least: int, gap: int) -> None:
    """Clear, in place, what lies outside beside the runs of road along the edge that are ``least`` pixels or longer.

    Args:
        mask: uint8 (rows, columns), 0 or 1; may have zeros to the right of the window.
        inside: the part that lies in the raster.
        least: pixels of a run; what is shorter is a road that leaves the raster.
        gap: runs with at most so many pixels between them are one.
    """
    top, left, bottom, right = inside.top, inside.left, inside.bottom, inside.right
    rows, cols = mask.shape
    across, down = slice(left, right), slice(top, bottom)
    for line, outside in ((mask[top, across], mask[:top]), (mask[bottom - 1, across], mask[bottom:])):
        for first, last in _runs(line, least, gap) if len(outside) else ():
            outside[:, _widened(first + left, last + left, left, right, cols)] = 0
    for line, outside in ((mask[down, left], mask[:, :left]), (mask[down, right - 1], mask[:, right:])):
        for first, last in _runs(line, least, gap) if outside.shape[1] else ():
            outside[_widened(first + top, last + top, top, bottom, rows)] = 0


def _runs(line: NDArray[np.uint8], least: int, gap: int) -> list[tuple[int, int]]:
    """First and last pixel of the runs of at least ``least`` pixels."""
    ones = np.flatnonzero(line)
    if ones.size < 1:
        return []
    breaks = np.flatnonzero(np.diff(ones) > gap + 1)
    firsts, lasts = ones[np.concatenate(([0], breaks + 1))], ones[np.concatenate((breaks, [ones.size - 1]))]
    long = lasts - firsts + 1 >= least
    return list(zip(firsts[long].tolist(), lasts[long].tolist(), strict=True))


def _widened(first: int, last: int, begin: int, end: int, size: int) -> slice:
    """From a run along an edge from ``begin`` to before ``end``: what is cleared; beyond a corner all of it."""
    return slice(
        0 if first == begin else max(first - _BESIDE, 0), size if last == end - 1 else min(last + 1 + _BESIDE, size)
    )
