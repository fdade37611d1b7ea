"""What a run is asked for: the image, the model, the outputs and the options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..protocol.options import CoverageOptions, ImageOptions, OutputOptions, RoadOptions, RuntimeOptions
from ..raster.pixel_view import name_images


@dataclass(frozen=True)
class ImageRequest:
    """An image, or several that form a mosaic, and how a model sees it.

    Attributes:
        image: the file.
        options: model, part of the image, bands, resolution and tiles.
        runtime: where the network runs.
        others: further images, which lie below ``image`` and below each other in their order.
    """

    image: Path
    options: ImageOptions = field(default_factory=ImageOptions)
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)
    others: tuple[Path, ...] = ()

    @property
    def images(self) -> tuple[Path, ...]:
        """All images, from the top."""
        return (self.image, *self.others)

    @property
    def name(self) -> str:
        """Name of the image or of the mosaic, for messages."""
        return name_images(self.images)


@dataclass(frozen=True)
class RoadRequest:
    """Roads of an image.

    Attributes:
        image: the image and the model.
        output: the vector file.
        probability: GeoTIFF of the road probabilities; None writes none.
        threshold: probability from which a pixel is road; None for the model's. It replaces ``options.threshold``.
        options: of the road network.
        resume: continue the unfinished run of the output, if there is one.
        writing: name of the layer, and whether what exists is replaced.
    """

    image: ImageRequest
    output: Path
    probability: Path | None = None
    threshold: float | None = None
    options: RoadOptions = field(default_factory=RoadOptions)
    resume: bool = False
    writing: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class ClassRequest:
    """Classes of an image: land cover, or the classes of any segmentation model.

    Attributes:
        image: the image and the model.
        output: the vector file of polygons; None writes none.
        classes: GeoTIFF of class ids; None writes none.
        confidence: GeoTIFF of the probability of each pixel's class; None writes none.
        probability: GeoTIFF of the probabilities of all classes; None writes none.
        threshold: for models of one class, the probability from which a pixel belongs to it; None for the model's.
        layer: name of the layer in the vector file, unless ``writing`` has another.
        options: of the polygons.
        resume: continue the unfinished run of the output, if there is one.
        main: the output that the journal of an unfinished run belongs to; None for the first output that is written.
        writing: name of the layer, and whether what exists is replaced.
    """

    image: ImageRequest
    output: Path | None = None
    classes: Path | None = None
    confidence: Path | None = None
    probability: Path | None = None
    threshold: float | None = None
    layer: str = "landcover"
    options: CoverageOptions = field(default_factory=CoverageOptions)
    resume: bool = False
    main: Path | None = None
    writing: OutputOptions = field(default_factory=OutputOptions)
