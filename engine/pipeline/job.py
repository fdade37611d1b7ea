"""What is to be computed, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from ..raster.reader import ImageView
from ..tiling.layout import TilePlan


@dataclass(frozen=True)
class InferenceJob:
    """What is to be computed.

    Attributes:
        view: the pixels.
        plan: the tiles.
        bands: what the network takes; a single layer of the view serves for all of them.
        classes: what it gives.
        batch: tiles per call of the network.
    """

    view: ImageView
    plan: TilePlan
    bands: int
    classes: int
    batch: int
