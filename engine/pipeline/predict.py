"""The function of a run that turns tiles into probabilities: the session, augmentation and the range 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.card import ModelCard
from ..runtimes.base import PredictionStream, PredictStream, Probabilities, Session, Tiles, map_batches

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]


def make_predict_stream(session: Session, card: ModelCard, tta: bool) -> PredictStream:
    """Return the function that computes the probabilities of batches of tiles, from 0 to 1.

    Args:
        session: the opened model.
        card: of the model. Without an activation on the card the results are clipped to 0..1.
        tta: average over the eight symmetries of the square.
    """
    is_bounded = card.activation != "none"

    def clip(probability: Probabilities) -> Probabilities:
        return probability if is_bounded else np.clip(probability, 0.0, 1.0, out=probability)

    def predict_stream(batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        if tta:
            return map_batches(average_symmetries(lambda tiles: clip(session.predict(tiles, batch))))(batches)
        results = session.predict_stream(batches, batch)
        return results if is_bounded else (None if result is None else clip(result) for result in results)

    return predict_stream


def average_symmetries(predict: Predict) -> Predict:
    """Test-time augmentation: a function like ``predict`` that averages over the symmetries of the square.

    D-LinkNet's authors add up the masks of all eight turns and flips (``test_one_img_from_path_*`` of their test
    script). Here the probabilities are averaged, so that thresholds keep their meaning.

    Args:
        predict: (N, bands, tile, tile) to (N, classes, tile, tile).
    """

    def predict_average(tiles: NDArray[Any]) -> NDArray[np.float32]:
        total: NDArray[np.float32] = np.zeros((), np.float32)
        for turns, mirrored in product(range(4), (False, True)):
            turned = np.rot90(tiles, turns, axes=(2, 3))
            result = predict(np.ascontiguousarray(turned[..., ::-1] if mirrored else turned))
            total = total + np.rot90(result[..., ::-1] if mirrored else result, -turns, axes=(2, 3))
        return np.asarray(total * np.float32(1 / 8), np.float32)

    return predict_average
