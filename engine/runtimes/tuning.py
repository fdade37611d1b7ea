"""How many tiles at once: measured, because it depends on the network, the runtime and the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Probabilities, Tiles

#: Calls have an overhead of well under a millisecond; above this, on a CPU, there is nothing to be gained.
LONG_TILE = 0.02
#: A larger batch has to be quicker by this share to be worth its memory.
WORTHWHILE = 0.05
#: Time spent on each candidate, in seconds.
_PATIENCE = 0.05


def best_batch(
    predict: Callable[[Tiles], Probabilities],
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    candidates: Sequence[int],
) -> int:
    """The number of tiles in one call with which a tile takes least time.

    The first candidate that brings no gain over the one before ends the search.

    Args:
        predict: of the session.
        shape: (bands, height, width) of a tile.
        dtype: of a tile.
        candidates: ascending numbers, the first one being 1.
    """
    best, least = candidates[0], seconds_per_tile(predict, shape, dtype, candidates[0])
    for batch in candidates[1:]:
        if least > LONG_TILE:
            break
        seconds = seconds_per_tile(predict, shape, dtype, batch)
        if seconds > least * (1 - WORTHWHILE):
            break
        best, least = batch, seconds
    return best


def seconds_per_tile(
    predict: Callable[[Tiles], Probabilities], shape: tuple[int, int, int], dtype: np.dtype[Any], batch: int
) -> float:
    """The shortest time for one tile in calls of ``batch`` tiles, after one call that is not counted."""
    tiles = np.zeros((batch, *shape), dtype)
    predict(tiles)
    least, spent = float("inf"), 0.0
    while spent < _PATIENCE:
        begin = time.perf_counter()
        predict(tiles)
        seconds = time.perf_counter() - begin
        least, spent = min(least, seconds / batch), spent + seconds
    return least
