"""Segment with Another Model: any segmentation model over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from ..i18n import tr
from ..layers.results import Dress, load_on_completion
from . import parameters as make
from .arguments import segment_words
from .base import ImageAlgorithm
from .extract import geopackage, layer_source


class SegmentAlgorithm(ImageAlgorithm):
    """Image to the raster of a model's classes or probabilities, and to polygons where they are asked for."""

    ID = "segment"
    TITLE = "Segment with Another Model"
    ICON = "segment"
    TAGS = "segmentation,deep learning,onnx,mindir,checkpoint,custom model,classification"
    HELP = (
        "Runs a segmentation model of your own over an image: a model folder with its card, or a .ckpt, .onnx or "
        ".mindir file that was added in Settings > Options > TerraSpore. Writes a raster of classes and, where asked "
        "for, polygons. The image may be a file or an online layer."
    )

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        for parameter in (make.image(), make.model(tr("Model: name, folder or file")), *make.area()):
            self.addParameter(parameter)
        self.addParameter(make.threshold())
        resolution = make.number("RESOLUTION", tr("Ground resolution in m (empty: the model's)"), maximum=10_000)
        self.addParameter(make.advanced(resolution))
        for parameter in make.inference():
            self.addParameter(parameter)
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", tr("Classes")))
        kind = QgsProcessing.SourceType.TypeVectorPolygon
        vectors = QgsProcessingParameterVectorDestination("VECTORS", tr("Polygons"), kind, None, True, False)
        self.addParameter(vectors)
        self.addParameter(make.raster("PROBABILITY", tr("Probabilities")))

    def fetch_resolution(self, parameters: dict[str, Any], context: QgsProcessingContext) -> float:
        """Of a service: what the person asked for; 0 where the model's is to be taken."""
        return self.optional_number(parameters, "RESOLUTION", context) or 0.0

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Have the engine compute the classes of the image."""
        assert self.source is not None
        target = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        optional = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in ("VECTORS", "PROBABILITY")
            if parameters.get(name) not in (None, "")
        }
        vectors = geopackage(optional["VECTORS"]) if "VECTORS" in optional else None
        image, options, start = self.image_and_options(parameters, context, feedback, folder)
        words = segment_words(image, Path(target).absolute(), options, vectors)
        if "PROBABILITY" in optional:
            words.append(f"--probability={Path(optional['PROBABILITY']).absolute()}")
        result = self.run_engine(words, feedback, start)
        group = f"{tr('Segmentation')} – {self.source.name}"
        facts = {tr("Image"): self.source.name, tr("Model"): options.model, **result.summary}
        if "PROBABILITY" in optional:
            path = optional["PROBABILITY"]
            dress = Dress("probability", group, tr("Probabilities"), facts, visible=False)
            load_on_completion(context, path, path, "PROBABILITY", dress)
        load_on_completion(context, target, target, "OUTPUT", Dress("", group, tr("Classes"), facts))
        results = {**optional, "OUTPUT": target}
        if vectors is not None:
            source = layer_source(vectors, "classes")
            dress = Dress("", group, tr("Polygons"), facts)
            load_on_completion(context, optional["VECTORS"], source, "VECTORS", dress)
            results["VECTORS"] = source
        return results
