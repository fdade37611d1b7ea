"""How far a shorter number type may move the probabilities, and how that is measured.

The measure is the change at the pixel that 99.9 % of all pixels stay below, between the probabilities in float32
and in the shorter type, over all classes of all tiles. The tiles are pictures of the real world where the model's
card has the figure (``bfloat16_change``, ``float16_change``); for a model without it they are artificial ones.
"""

from __future__ import annotations

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


def change_figure(precision: str) -> str:
    """The name under which a card holds the change in ``precision``."""
    return f"{precision}_change"


def probability_change(exact: Probabilities, reduced: Probabilities) -> float:
    """The change of probability that 99.9 % of the values stay below.

    Args:
        exact: probabilities in float32.
        reduced: the same in the shorter type.
    """
    return float(np.quantile(np.abs(exact - reduced), _SHARE))


def artificial_tiles(card: ModelCard, tile: int) -> Tiles:
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
