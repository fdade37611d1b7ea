"""What a run computes: its tiles, the image and model that it has opened, and where the network runs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from ..models.domain import DomainFit
from ..models.registry import Model
from ..raster.grid import Grid
from ..raster.pixel_view import PixelView
from ..runtimes.base import PredictStream, SessionFacts
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
