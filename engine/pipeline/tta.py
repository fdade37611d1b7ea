"""Test-time augmentation: the average over the eight ways to turn and mirror a tile.

D-LinkNet's authors add up the masks of all eight (the ``test_one_img_from_path_*`` functions of their test script);
here the probabilities are averaged, so that thresholds keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def dihedral(predict: Predict) -> Predict:
    """A function like ``predict`` that averages over the symmetries of the square.

    Args:
        predict: (N, bands, tile, tile) to (N, classes, tile, tile).
    """

    def averaged(tiles: NDArray[Any]) -> NDArray[np.float32]:
        """Mean probabilities over the turns and flips of the tiles."""
        total: NDArray[np.float32] | None = None
        for turns in range(4):
            for mirrored in (False, True):
                turned = np.rot90(tiles, turns, axes=(2, 3))
                seen = np.ascontiguousarray(turned[..., ::-1] if mirrored else turned)
                result = predict(seen)
                back = np.rot90(result[..., ::-1] if mirrored else result, -turns, axes=(2, 3))
                if total is None:
                    total = np.array(back, dtype=np.float32)
                else:
                    total += back
        assert total is not None
        total *= np.float32(1 / 8)
        return total

    return averaged
