"""Measurements which decide batch size and precision: the time for a tile, and how far a type moves probabilities."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.card import ModelCard
from .base import Probabilities, Tiles

#: Computes the probabilities of tiles.
Predict = Callable[[Tiles], Probabilities]

#: ``auto`` takes a shorter type only where the change of probabilities is less than this.
MAX_CHANGE = 0.02
#: Seconds for a tile above which a larger batch brings nothing: the overhead of a call is less than a millisecond.
SLOW_TILE = 0.02
#: Share of the time by which a larger batch has to be faster to be worth its memory.
MIN_GAIN = 0.05
#: Share of the pixels whose change counts.
_CHANGE_QUANTILE = 0.999
_TEST_TILES = 2
#: Seconds that each batch size is measured for.
_MEASURE_SECONDS = 0.05


def change_metric(precision: str) -> str:
    """Return the name under which a card holds the change in ``precision``."""
    return f"{precision}_change"


def probability_change(exact: Probabilities, reduced: Probabilities) -> float:
    """Return the change of probability that 99.9 % of the values stay below.

    Args:
        exact: probabilities in float32.
        reduced: the same in the shorter type.
    """
    return float(np.quantile(np.abs(exact - reduced), _CHANGE_QUANTILE))


def synthetic_tiles(card: ModelCard, tile: int) -> Tiles:
    """Return synthetic images with structure at all scales, as ground has: sums of random fields of finer cells.

    Args:
        card: of the model, with bands and type of the pixels.
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
    maximum = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    return np.ascontiguousarray((unit * maximum).astype(dtype))


def choose_batch_size(
    predict: Predict, shape: tuple[int, int, int], dtype: np.dtype[Any], candidates: Sequence[int]
) -> int:
    """Return the number of tiles in one call with which a tile takes the least time.

    The search ends with the first candidate which is not clearly faster than the one before.

    Args:
        predict: of the session.
        shape: (bands, height, width) of a tile.
        dtype: of a tile.
        candidates: numbers in ascending order, beginning with 1.
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


def time_per_tile(predict: Predict, shape: tuple[int, int, int], dtype: np.dtype[Any], batch: int) -> float:
    """Return the shortest time for one tile in calls of ``batch`` tiles, in seconds; the first call does not count."""
    tiles = np.zeros((batch, *shape), dtype)
    predict(tiles)
    least, total = float("inf"), 0.0
    while total < _MEASURE_SECONDS:
        start = time.perf_counter()
        predict(tiles)
        seconds = time.perf_counter() - start
        least, total = min(least, seconds / batch), total + seconds
    return least
