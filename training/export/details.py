"""What a model card contains beyond the configuration, declared as options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...engine.protocol.declaration import option

if TYPE_CHECKING:
    from ...engine.models.card import Task


@dataclass(frozen=True)
class CardDetails:
    """What a card contains beyond the configuration; None takes the configuration's value or the default.

    Attributes:
        name: of the model, also of its folder.
        title: one line for people.
        task: what the classes mean; roads for one class, land cover for several.
        resolution: metres per pixel; needed where the configuration has none.
        tile: side of a tile, pixels; 512, or the next multiple that the network takes.
        overlap: of tiles, pixels; an eighth of the tile.
        threshold: on probabilities.
        data: what it was trained on.
        licence: of the weights.
        split: which images were used for training and which for the metrics.
        metrics: measured metrics by name.
        notes: what else a user should know.
    """

    name: str
    title: str | None = option(None, "One line that describes the model.", metavar="TEXT")
    task: Task | None = option(None, "What the classes mean.", choices=("roads", "landcover", "segmentation"))
    resolution: float | None = option(None, "Ground resolution in metres per pixel.", unit="m")
    tile: int | None = option(None, "Side of a tile in pixels.", unit="pixels")
    overlap: int | None = option(None, "Overlap of tiles in pixels.", unit="pixels")
    threshold: float | None = option(None, "Default threshold on probabilities.", metavar="P")
    data: str | None = option(None, "What it was trained on.", metavar="TEXT")
    licence: str | None = option(None, "Licence of the weights.", metavar="TEXT")
    split: str | None = option(None, "Images that were used for training and for the metrics.", metavar="TEXT")
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: str = option("", "What a user should know.", metavar="TEXT")
