"""What a run computes: its tiles, the image and model that it has opened, and the network that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..models.card import ModelCard
from ..models.domain import DomainFit
from ..models.registry import Model
from ..raster.grid import Grid
from ..raster.pixel_view import PixelView
from ..runtimes.base import PredictionStream, PredictStream, Probabilities, Session, SessionFacts, Tiles, map_batches
from ..tiling import TilePlan


@dataclass(frozen=True)
class PreparedImage:
    """An opened image with its tiles and the model for them, before the model is loaded.

    Attributes:
        model: the model.
        view: the pixels.
        plan: the tiles.
        fit: how the image compares with those of the model's training; None where it is not known.
    """

    model: Model
    view: PixelView
    plan: TilePlan
    fit: DomainFit | None


@dataclass(frozen=True)
class InferenceJob:
    """The tiles to compute and the shape of the network.

    Attributes:
        view: the pixels.
        plan: the tiles.
        bands: input bands of the network; a single layer of the view is used for all of them.
        classes: output layers of the network.
        batch: tiles in one call of the network.
    """

    view: PixelView
    plan: TilePlan
    bands: int
    classes: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """An opened image, and where its tiles are going to be computed.

    Attributes:
        model: the model.
        session: runtime, device and precision of the network.
        reason: why this runtime and device were chosen.
        job: pixels, tiles and the shape of the network.
        tags: metadata for every output.
        resources: closes image and model.
        fit: how the image compares with those of the model's training; None where it is not known.
        spools_roads: whether the roads are made of the rows, which are stored beside the output meanwhile.
        stores_classes: whether the polygons are made of rasters, which are stored beside the output meanwhile.
    """

    model: Model
    session: SessionFacts
    reason: str
    job: InferenceJob
    tags: dict[str, str]
    resources: ExitStack
    fit: DomainFit | None = None
    spools_roads: bool = True
    stores_classes: bool = True

    @property
    def grid(self) -> Grid:
        """Georeferencing and size of the outputs."""
        return self.job.view.spec.grid

    @property
    def nodata_cause(self) -> str:
        """What marks pixels that are not computed, for messages; empty for nothing."""
        return self.job.view.spec.describe_mask()

    def release(self) -> None:
        """Close image and model before the end of the block, because what follows needs their memory."""
        self.resources.close()


@dataclass(frozen=True, kw_only=True)
class InferenceRun(PlannedRun):
    """An opened image and model, ready to run in this process.

    Attributes:
        predict_stream: the network, with test-time augmentation where it was asked for.
    """

    predict_stream: PredictStream


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


def average_symmetries(predict: Callable[[Tiles], Probabilities]) -> Callable[[Tiles], Probabilities]:
    """Test-time augmentation: a function like ``predict`` that averages over the symmetries of the square.

    D-LinkNet's authors add up the masks of all eight turns and flips (``test_one_img_from_path_*`` of their test
    script). Here the probabilities are averaged, so that thresholds keep their meaning.

    Args:
        predict: (N, bands, tile, tile) to (N, classes, tile, tile).
    """

    def predict_average(tiles: Tiles) -> Probabilities:
        total: Probabilities = np.zeros((), np.float32)
        for turns, mirrored in product(range(4), (False, True)):
            turned = np.rot90(tiles, turns, axes=(2, 3))
            result = predict(np.ascontiguousarray(turned[..., ::-1] if mirrored else turned))
            total = total + np.rot90(result[..., ::-1] if mirrored else result, -turns, axes=(2, 3))
        return np.asarray(total * np.float32(1 / 8), np.float32)

    return predict_average
