"""What chips are cut from, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ChipsRequest:
    """Inputs and options of chips.

    Attributes:
        image: the raster.
        labels: the vector file.
        out: folder for ``train/``, ``valid/`` and ``train.yaml``.
        layer: layer of the vector file.
        field: attribute with the class; None for one class.
        classes: values of ``field`` by class id.
        width: width of lines, metres.
        width_field: attribute with the width of lines.
        size: side of a chip, pixels.
        stride: pixels from chip to chip; ``size`` unless given.
        resolution: metres per pixel; None keeps the image's.
        bands: bands of the image, from 1; empty for the engine's choice of three.
        validation: share of the image's longer side that is cut for validation, 0 to 1.
        nodata: value of pixels without data; None for the image's own.
        ignore_alpha: whether the alpha band is not used as transparency.
    """

    image: Path
    labels: Path
    out: Path
    layer: str | None = None
    field: str | None = None
    classes: Sequence[str] = ()
    width: float = 7.0
    width_field: str | None = None
    size: int = 512
    stride: int | None = None
    resolution: float | None = None
    bands: Sequence[int] = ()
    validation: float = 0.2
    nodata: float | None = None
    ignore_alpha: bool = False
