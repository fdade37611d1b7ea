"""What a person asks for, as values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.registry import Model
from ..raster.grid import Extent
from ..runtimes.base import Precision, Session


@dataclass(frozen=True)
class RuntimeOptions:
    """Where and how a network runs; ``auto`` leaves the choice to the engine."""

    device: str = "auto"
    runtime: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None


#: Opens a session for a model and a tile size, for a ``with`` block, and says in one sentence why this one.
OpenSession = Callable[[Model, RuntimeOptions, int], AbstractContextManager[tuple[Session, str]]]


@dataclass(frozen=True)
class ImageRequest:
    """An image and how a model is to see it.

    Attributes:
        image: the file.
        model: name, folder or weights file; None takes the default of the task.
        bands: 1-based bands; None chooses.
        extent: xmin, ymin, xmax, ymax in the image's coordinates; None for the whole image.
        area: a vector file whose polygons restrict the work; None for everything.
        resolution: metres per pixel for the network; None takes the model's.
        pixel_size: metres per pixel of an image without georeference.
        subdataset: which image of a file that holds several, by number or name; None takes the first.
        tile: pixels along a tile's side; None takes the model's.
        overlap: pixels that tiles share; None takes the model's.
        tta: average over the eight symmetries of the square.
        memory: most memory that the process may take, in MB; None for what the machine has.
        runtime: where the network runs.
    """

    image: Path
    model: str | None = None
    bands: tuple[int, ...] | None = None
    extent: Extent | None = None
    area: Path | None = None
    resolution: float | None = None
    pixel_size: float | None = None
    subdataset: str | None = None
    tile: int | None = None
    overlap: int | None = None
    tta: bool = False
    memory: int | None = None
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)


@dataclass(frozen=True)
class RoadRequest:
    """Roads of an image.

    Attributes:
        image: the image and the model.
        output: the vector file.
        probability: where to keep the probability raster; None does not keep it.
        threshold: probability from which a pixel is road; None takes the model's.
        options: further options of the vectors (``vector.roads.options.RoadOptions``), by name.
        resume: go on with the unfinished run of the output, where there is one.
    """

    image: ImageRequest
    output: Path
    probability: Path | None = None
    threshold: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    resume: bool = False


@dataclass(frozen=True)
class ClassRequest:
    """Classes of an image: land cover, or whatever a model knows.

    Attributes:
        image: the image and the model.
        output: the vector file; None makes none.
        classes: where to keep the class raster; None does not keep it.
        confidence: where to keep the raster of the winning class's probability.
        probability: where to keep the raster of all probabilities.
        threshold: for models of one class, the probability from which a pixel is of it; None takes the model's.
        layer: name of the layer in the vector file.
        options: further options of the vectors (``vector.coverage.CoverageOptions``), by name.
        resume: go on with the unfinished run of the output, where there is one.
        main: the output that the journal of an unfinished run stands beside; the first one named unless given.
    """

    image: ImageRequest
    output: Path | None = None
    classes: Path | None = None
    confidence: Path | None = None
    probability: Path | None = None
    threshold: float | None = None
    layer: str = "landcover"
    options: dict[str, Any] = field(default_factory=dict)
    resume: bool = False
    main: Path | None = None
