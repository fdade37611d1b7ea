"""The algorithm Segment with Another Model: any segmentation model over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from ..i18n import tr
from ..layers.results import LayerPresentation, load_on_completion
from .arguments import make_run_arguments
from .base import ImageAlgorithm
from .extract import make_layer_source, parse_destination
from .parameters import (
    IMAGE_OPTIONS,
    POLYGONS,
    make_area_parameters,
    make_image_parameter,
    make_inference_parameters,
    make_model_parameter,
    make_option_parameter,
    make_raster_output,
    make_threshold_parameter,
    mark_advanced,
)


class SegmentAlgorithm(ImageAlgorithm):
    """Compute the raster of a model's classes from an image, and polygons and probabilities on request."""

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
        for parameter in (
            make_image_parameter(),
            make_model_parameter(tr("Model: name, folder or file")),
            *make_area_parameters(),
            make_threshold_parameter(),
            mark_advanced(make_option_parameter(IMAGE_OPTIONS["resolution"])),
            *make_inference_parameters(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Classes")),
            QgsProcessingParameterVectorDestination("VECTORS", tr("Polygons"), POLYGONS, None, True, False),
            make_raster_output("PROBABILITY", tr("Probabilities")),
        ):
            self.addParameter(parameter)

    def get_fetch_resolution(self, parameters: dict[str, Any], context: QgsProcessingContext) -> float:
        """Return the resolution that the user chose for a service; 0 for the model's."""
        return self.get_optional_number(parameters, "RESOLUTION", context) or 0.0

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Run the engine's command ``segment``, and load its outputs."""
        target = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        optional = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in ("VECTORS", "PROBABILITY")
            if parameters.get(name) not in (None, "")
        }
        vectors = parse_destination(optional["VECTORS"]) if "VECTORS" in optional else None
        paths = {name.lower(): Path(path).absolute() for name, path in optional.items()}
        if vectors is not None:
            paths["vectors"] = vectors.path
        image, options, start = self.prepare_run(parameters, context, feedback, folder)
        arguments = make_run_arguments(
            self.TASK, image, Path(target).absolute(), options, paths, layer=vectors.layer if vectors else None
        )
        result = self.run_engine(arguments, feedback, start)
        group = f"{tr('Segmentation')} – {self.source.name}"
        facts = self.describe_result(result, options.image.model or "")
        if "PROBABILITY" in optional:
            path, title = optional["PROBABILITY"], tr("Probabilities")
            presentation = LayerPresentation("probability", group, title, facts, is_visible=False, is_raster=True)
            load_on_completion(context, path, path, "PROBABILITY", presentation)
        presentation = LayerPresentation("", group, tr("Classes"), facts, is_raster=True)
        load_on_completion(context, target, target, "OUTPUT", presentation)
        results = {**optional, "OUTPUT": target}
        if vectors is not None:
            source = make_layer_source(vectors.path, vectors.layer or "classes")
            presentation = LayerPresentation("", group, tr("Polygons"), facts)
            load_on_completion(context, optional["VECTORS"], source, "VECTORS", presentation)
            results["VECTORS"] = source
        return results
