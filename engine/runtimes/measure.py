"""Measurements that choose batch size and precision: how long tiles take, how far a type moves probabilities."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.card import ModelCard
from .base import Probabilities, Tiles

#: ``auto`` takes a shorter type only where the change is less than this.
MAX_CHANGE = 0.02
#: Share of the pixels that the change speaks of.
_SHARE = 0.999
_TEST_TILES = 2


def change_metric(precision: str) -> str:
    """The name under which a card holds the change in ``precision``."""
    return f"{precision}_change"


def probability_change(exact: Probabilities, reduced: Probabilities) -> float:
    """The change of probability that 99.9 % of the values stay below.

    Args:
        exact: probabilities in float32.
        reduced: the same in the shorter type.
    """
    return float(np.quantile(np.abs(exact - reduced), _SHARE))


def synthetic_tiles(card: ModelCard, tile: int) -> Tiles:
    """Artificial pictures with structure at all scales, as ground has: sums of ever finer random fields.

    Args:
        card: says bands and type of the pixels.
        tile: side of the tiles, in pixels.

    Returns:
        (N, bands, tile, tile) of the card's dtype, over its whole range (0 to 1 for float32).
    """
    random = np.random.default_rng(7)
    field: NDArray[np.float64] = np.zeros((_TEST_TILES, card.bands, tile, tile))
    cell, weight = max(tile // 2, 1), 1.0
    while cell >= 1:
        cells = -(-tile // cell)
        coarse = random.standard_normal((_TEST_TILES, card.bands, cells, cells))
        field += weight * np.kron(coarse, np.ones((cell, cell)))[:, :, :tile, :tile]
        cell, weight = cell // 2, weight * 0.7
    low, high = np.quantile(field, [0.02, 0.98])
    unit = np.clip((field - low) / max(high - low, 1e-9), 0, 1)
    dtype: np.dtype[Any] = np.dtype(card.dtype)
    most = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    return np.ascontiguousarray((unit * most).astype(dtype))


#: Calls have an overhead of well under a millisecond; above this, on a CPU, there is nothing to be gained.
SLOW_TILE = 0.02
#: A larger batch has to be quicker by this share to be worth its memory.
MIN_GAIN = 0.05
#: Time spent on each candidate, in seconds.
_PATIENCE = 0.05


def choose_batch_size(
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
    best, least = candidates[0], time_per_tile(predict, shape, dtype, candidates[0])
    for batch in candidates[1:]:
        if least > SLOW_TILE:
            break
        seconds = time_per_tile(predict, shape, dtype, batch)
        if seconds > least * (1 - MIN_GAIN):
            break
        best, least = batch, seconds
    return best


def time_per_tile(
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
