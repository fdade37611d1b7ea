"""What chips are cut from, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.protocol.declaration import option
from ...engine.protocol.options import length


@dataclass(frozen=True)
class ChipsRequest:
    """Inputs and options of chips.

    Attributes:
        image: the raster.
        labels: the vector file.
        out: folder for ``train/``, ``valid/`` and ``train.yaml``.
        bands: bands of the image, from 1; empty for the engine's choice of three.
        nodata: value of pixels without data; None for the image's own.
        ignore_alpha: whether the alpha band is not used as transparency.
    """

    image: Path
    labels: Path
    out: Path
    layer: str | None = option(None, "Layer of LABELS.", unset="the first")
    field: str | None = option(None, "Attribute with the class; one class unless given.")
    classes: tuple[str, ...] | None = option(None, "Values of --field by class id.", metavar="A,B,...")
    width: float = length(7.0, "Width of lines.")
    area: Path | None = option(
        None, "Vector file whose polygons were checked; pixels outside of them are not labelled."
    )
    width_field: str | None = option(None, "Attribute with the width of lines in metres.")
    size: int = option(512, "Side of a chip.", unit="pixels")
    stride: int | None = option(None, "Pixels from chip to chip in training.", unset="--size")
    resolution: float | None = length(None, "Metres per pixel.", above=True, unset="the image's")
    validation: float = option(
        0.2, "Share of the image's longer side that is cut for validation.", minimum=0, maximum=1
    )
    bands: Sequence[int] = ()
    nodata: float | None = None
    ignore_alpha: bool = False
