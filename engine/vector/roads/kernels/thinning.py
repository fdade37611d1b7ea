"""Numba kernels that thin a bit mask, 64 pixels at a time.

A word (uint64) holds 64 pixels of a row, the lowest bit in the west. Words are stored by columns, so that vertical
neighbours are adjacent in memory and the compiler vectorizes the loops over them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import jit

Words = NDArray[np.uint64]

#: Rows of a block of words. A pass skips blocks in which nothing can change.
BLOCK = 64
#: Pass of the last change of an empty block, which is never visited.
_NEVER = -9


@jit
def thin(words: Words) -> None:
    """Thin a mask, in place, to lines of one pixel with the same connectivity.

    Zhang and Suen (1984) with the condition of Lu and Wang (1986): a pixel is removed where its neighbours are one
    connected group of 3 to 6 pixels and it lies on the side that the pass removes; passes alternate between two sides.
    A block is visited only if it or a neighbour changed since the last pass of the same kind.

    Args:
        words: (columns of words + 2, rows + 2); the outermost words are 0 and stay so.
    """
    cols, rows = words.shape[0] - 2, words.shape[1] - 2
    blocks = (rows + BLOCK - 1) // BLOCK
    removed = np.zeros((cols, blocks, BLOCK), np.uint64)
    changes = np.empty((cols * blocks, 2), np.int32)
    changed = np.empty((cols + 2, blocks + 2), np.int32)
    changed[:] = _NEVER
    for col in range(1, cols + 1):
        for row in range(rows):
            if words[col, row + 1] != np.uint64(0):
                changed[col, row // BLOCK + 1] = -1
    step, idle = 0, 0
    while idle < 2:
        count = 0
        for col in range(1, cols + 1):
            for block in range(1, blocks + 1):
                if changed[col, block] == _NEVER or last_change(changed, col, block) < step - 2:
                    continue
                top, stop = (block - 1) * BLOCK, min(block * BLOCK, rows) + 2
                west, here, east = words[col - 1, top:stop], words[col, top:stop], words[col + 1, top:stop]
                if find_removable(west, here, east, step % 2 == 1, removed[col - 1, block - 1]):
                    changes[count, 0], changes[count, 1] = col, block
                    count += 1
        # Pixels are removed after all were examined, so that the result does not depend on the order.
        for i in range(count):
            col, block = changes[i, 0], changes[i, 1]
            changed[col, block] = step
            top = 1 + (block - 1) * BLOCK
            for j in range(min(BLOCK, rows + 1 - top)):
                words[col, top + j] &= ~removed[col - 1, block - 1, j]
        idle = 0 if count > 0 else idle + 1
        step += 1


@jit
def last_change(changed: NDArray[np.int32], col: int, block: int) -> int:
    """Return the last pass that changed a block or one of its neighbours."""
    last = _NEVER
    for c in range(col - 1, col + 2):
        for b in range(block - 1, block + 2):
            last = max(last, int(changed[c, b]))
    return last


@jit
def find_removable(west: Words, here: Words, east: Words, second: bool, removed: Words) -> bool:
    """Find the pixels of a column of words that a pass removes.

    Args:
        west: the column of words to the left, with one more word at both ends.
        here: the column itself, likewise.
        east: the column to the right, likewise.
        second: which of the two kinds of passes.
        removed: written, without the words at the ends.

    Returns:
        Whether there are any.
    """
    one, rest = np.uint64(1), np.uint64(63)
    kind = ~np.uint64(0) if second else np.uint64(0)  # a bit pattern, because a branch would prevent vectorization
    found = np.uint64(0)
    for i in range(here.size - 2):
        n, c, s = here[i], here[i + 1], here[i + 2]
        ne, e, se = n >> one | east[i] << rest, c >> one | east[i + 1] << rest, s >> one | east[i + 2] << rest
        nw, w, sw = n << one | west[i] >> rest, c << one | west[i + 1] >> rest, s << one | west[i + 2] >> rest
        bits = c & removable_bits(n, ne, e, se, s, sw, w, nw, kind)
        removed[i] = bits
        found |= bits
    any_found: bool = found != np.uint64(0)
    return any_found


@jit
def removable_bits(
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
    """Decide by the neighbours of pixels whether they are removable, bit by bit."""
    # Neighbours are connected where there is exactly one change from 0 to 1 around the pixel. Of two adjacent positions
    # only one can be such a change.
    p, q, r, t = ~n & ne | ~ne & e, ~e & se | ~se & s, ~s & sw | ~sw & w, ~w & nw | ~nw & n
    connected = (p ^ q ^ r ^ t) & ~(p & q | r & t)
    # There are 3 to 6 where three adjacent ones are set and two adjacent ones are not.
    three_or_more = ne & (n & e | nw & n | e & se) | s & (se & e | se & sw | sw & w) | nw & (sw & w | w & n)
    six_or_fewer = ~((n | ne) & (ne | e) & (e | se) & (se | s) & (s | sw) & (sw | w) & (w | nw) & (nw | n))
    # The other side is kept in this pass.
    kept = second & n & w & (e | s) | ~second & e & s & (n | w)
    return connected & three_or_more & six_or_fewer & ~kept
