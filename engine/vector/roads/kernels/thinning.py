"""Thinning of a bit mask, 64 pixels at a time (see ``jit``).

Words are uint64 of 64 pixels side by side, the lowest bit in the west. They are stored by columns of words, so that
words above each other are neighbours in memory and loops over them become vector instructions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Words = NDArray[np.uint64]

#: Rows of words that are worked on, or left alone, together.
BAND = 64
#: Time of the last change of a band that is empty: it is never looked at.
_NEVER = -9


@jit
def thin(words: Words) -> None:
    """Thin a mask, in place, to lines that connect what it connects (Zhang and Suen, 1984, with Lu and Wang, 1986).

    A pixel goes where its neighbours are one connected piece of 3 to 6 pixels and it lies on the side from which the
    pass takes; every second pass takes from the other side. A band of words is looked at only where it or a neighbour
    changed after it was looked at by a pass of the same kind.

    Args:
        words: (columns of words + 2, rows + 2); the outermost words are 0 and stay so.
    """
    cols, rows = words.shape[0] - 2, words.shape[1] - 2
    bands = (rows + BAND - 1) // BAND
    doomed = np.zeros((cols, bands, BAND), np.uint64)
    hits = np.empty((cols * bands, 2), np.int32)
    changed = np.empty((cols + 2, bands + 2), np.int32)
    changed[:] = _NEVER
    for col in range(1, cols + 1):
        for row in range(rows):
            if words[col, row + 1] != np.uint64(0):
                changed[col, row // BAND + 1] = -1
    time, idle = 0, 0
    while idle < 2:
        count = 0
        for col in range(1, cols + 1):
            for band in range(1, bands + 1):
                if changed[col, band] == _NEVER or last_change(changed, col, band) < time - 2:
                    continue
                top, stop = (band - 1) * BAND, min(band * BAND, rows) + 2
                west, here, east = words[col - 1, top:stop], words[col, top:stop], words[col + 1, top:stop]
                if doom(west, here, east, time % 2 == 1, doomed[col - 1, band - 1]):
                    hits[count, 0], hits[count, 1] = col, band
                    count += 1
        # Nothing is taken before all has been looked at: the order must not matter.
        for hit in range(count):
            col, band = hits[hit, 0], hits[hit, 1]
            changed[col, band] = time
            top = 1 + (band - 1) * BAND
            for i in range(min(BAND, rows + 1 - top)):
                words[col, top + i] &= ~doomed[col - 1, band - 1, i]
        idle = 0 if count > 0 else idle + 1
        time += 1


@jit
def last_change(changed: NDArray[np.int32], col: int, band: int) -> int:
    """When a band or one of its neighbours changed last."""
    last = _NEVER
    for c in range(col - 1, col + 2):
        for b in range(band - 1, band + 2):
            last = max(last, int(changed[c, b]))
    return last


@jit
def doom(west: Words, here: Words, east: Words, second: bool, doomed: Words) -> bool:
    """Find the pixels of a column of words that a pass takes; returns whether there are any.

    Args:
        west: the column of words to the left, with one word more at both ends.
        here: the column itself, with one word more at both ends.
        east: the column to the right, likewise.
        second: which of the two kinds of passes.
        doomed: written, without the words at the ends.
    """
    one, rest = np.uint64(1), np.uint64(63)
    kind = ~np.uint64(0) if second else np.uint64(0)  # with a branch instead, the loop would take one word at a time
    found = np.uint64(0)
    for i in range(here.size - 2):
        n, c, s = here[i], here[i + 1], here[i + 2]
        ne, e, se = n >> one | east[i] << rest, c >> one | east[i + 1] << rest, s >> one | east[i + 2] << rest
        nw, w, sw = n << one | west[i] >> rest, c << one | west[i + 1] >> rest, s << one | west[i + 2] >> rest
        gone = c & removable(n, ne, e, se, s, sw, w, nw, kind)
        doomed[i] = gone
        found |= gone
    some: bool = found != np.uint64(0)
    return some


@jit
def removable(
    n: np.uint64,
    ne: np.uint64,
    e: np.uint64,
    se: np.uint64,
    s: np.uint64,
    sw: np.uint64,
    w: np.uint64,
    nw: np.uint64,
    second: np.uint64,
) -> np.uint64:
    """Where the neighbours of a pixel allow to take it, bit by bit."""
    # Those that are set are one connected piece: going around, there is one beginning. Of two places next to each other
    # only one can be a beginning.
    p, q, r, t = ~n & ne | ~ne & e, ~e & se | ~se & s, ~s & sw | ~sw & w, ~w & nw | ~nw & n
    one_piece = (p ^ q ^ r ^ t) & ~(p & q | r & t)
    # It is of 3 to 6 pixels: somewhere there are three side by side, and somewhere two are missing.
    long = ne & (n & e | nw & n | e & se) | s & (se & e | se & sw | sw & w) | nw & (sw & w | w & n)
    short = ~((n | ne) & (ne | e) & (e | se) & (se | s) & (s | sw) & (sw | w) & (w | nw) & (nw | n))
    # It lies on the side from which this pass takes.
    kept = second & n & w & (e | s) | ~second & e & s & (n | w)
    return one_piece & long & short & ~kept
