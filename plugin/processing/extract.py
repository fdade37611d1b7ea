"""The algorithms that run a model over an image: Extract Roads, Extract Land Cover, Segment with Another Model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsDataSourceUri,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from ...engine.fs.journal import remove_unfinished_run
from ...engine.protocol.declaration import Option, options_of
from ...engine.protocol.layer_names import name_layer
from ...engine.protocol.options import CoverageOptions, RoadOptions
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from ..layers.probability import check_mask_output, write_mask
from ..layers.results import LayerPresentation, load_additional_layer, load_on_completion
from .arguments import make_option_arguments, make_run_arguments
from .base import ImageAlgorithm
from .parameters import (
    IMAGE_OPTIONS,
    LINES,
    POLYGONS,
    make_area_parameters,
    make_image_parameter,
    make_inference_parameters,
    make_model_parameter,
    make_mosaic_parameters,
    make_option_parameter,
    make_raster_output,
    make_threshold_parameter,
    make_vector_output,
    mark_advanced,
)

_ROADS = options_of(RoadOptions, "areas", "osm_tags")
_COVERAGE = options_of(CoverageOptions, "regularise", "regularise_error", "minimum_area")


class ModelAlgorithm(ImageAlgorithm):
    """Run a model over an image; writes a GeoPackage and rasters."""

    #: Name of the output that is the GeoPackage.
    VECTORS = "OUTPUT"
    #: Layer of the GeoPackage that is this output, and its English name.
    MAIN = ("", "")
    #: Further layers: output's name -> (layer, English name).
    FURTHER: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    #: Raster outputs, the lowest layer first: output's name -> (engine's option, style or empty for the file's own,
    #: English name).
    RASTERS: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
    #: Numbers of the engine's summary: output's name -> (key, English name).
    NUMBERS: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    #: English name of the results' group in the layer tree.
    GROUP = ""
    #: The engine's options of this task alone, by the parameter's name.
    OPTIONS: dict[str, Option] = {}  # noqa: RUF012

    def make_task_parameters(self) -> list[QgsProcessingParameterDefinition]:
        """Make the parameters of ``OPTIONS``, all under "Advanced"."""
        return [mark_advanced(make_option_parameter(option, name=name)) for name, option in self.OPTIONS.items()]

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Run the engine's command ``extract`` or ``segment``, and load its outputs."""
        targets = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in ("OUTPUT", self.VECTORS, *self.RASTERS)
            if name == "OUTPUT" or parameters.get(name) not in (None, "")
        }
        vectors = targets.pop(self.VECTORS, None)
        paths = {self.RASTERS[name][0]: Path(target).absolute() for name, target in targets.items()}
        layer = None
        if vectors is not None:
            destination = parse_destination(vectors)
            paths[self.VECTORS.lower()], layer = destination.path, destination.layer
        output = paths.pop("output")
        images, options, start = self.prepare_run(parameters, context, feedback, folder)
        mask = paths.pop("mask", None)
        if mask is not None:
            if self.source.path is not None and mask.exists() and mask.samefile(self.source.path):
                text = tr("The mask {path} would replace the image.")
                raise EngineError(text.format(path=mask), tr("Choose another name."))
            check_mask_output(mask)
            paths.setdefault("probability", folder / "probability.tif")
        arguments = make_run_arguments(self.TASK, images, output, options, paths, layer=layer)
        arguments += make_option_arguments(
            (option, self.get_option(option, parameters, context, name)) for name, option in self.OPTIONS.items()
        )
        try:
            result = self.run_engine(arguments, feedback, start)
        except EngineCancelledError:
            remove_unfinished_run(output)  # an engine that was ended by force has not removed it
            raise
        if mask is not None:
            threshold = options.threshold
            if threshold is None:
                model = self.plugin.choose_model(self.TASK, options.image.model or "").model
                threshold = model.threshold if model else 0.5
            write_mask(paths["probability"], mask, threshold, feedback.isCanceled)
        group = f"{tr(self.GROUP or self.TITLE)} – {self.source.name}"
        facts = self.describe_result(result, options.image.model or "")
        for name, (_, style, title) in self.RASTERS.items():
            if name in targets:
                is_visible = name == "OUTPUT"
                presentation = LayerPresentation(style, group, tr(title), facts, is_visible, is_raster=True)
                load_on_completion(context, targets[name], targets[name], name, presentation)
        layers = {self.VECTORS: self.MAIN, **self.FURTHER}
        return {
            **targets,
            **(load_vector_layers(context, vectors, layers, group, facts) if vectors is not None else {}),
            **{name: result.summary.get(key) for name, (key, _) in self.NUMBERS.items()},
        }


class ExtractAlgorithm(ModelAlgorithm):
    """Extract a GeoPackage from an image, and rasters on request."""

    GEOMETRY = LINES

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        for parameter in (
            make_image_parameter(),
            *make_mosaic_parameters(),
            make_model_parameter(tr("Model (empty: the default)")),
            *make_area_parameters(),
            *([make_threshold_parameter()] if self.TASK == "roads" else ()),
            *self.make_task_parameters(),
            *make_inference_parameters(),
            make_vector_output(tr(self.MAIN[1]), self.GEOMETRY),
            *(make_raster_output(name, tr(title)) for name, (_, _, title) in self.RASTERS.items()),
        ):
            self.addParameter(parameter)
        for name, (_, title) in self.FURTHER.items():
            self.addOutput(QgsProcessingOutputVectorLayer(name, tr(title)))
        for name, (_, title) in self.NUMBERS.items():
            self.addOutput(QgsProcessingOutputNumber(name, tr(title)))


class ExtractRoads(ExtractAlgorithm):
    """Extract a road network from an image."""

    ID = "extractroads"
    TITLE = "Extract Roads"
    ICON = "roads"
    TASK = "roads"
    TAGS = "road,street,network,centerline,centreline,deep learning,segmentation,satellite,aerial"
    HELP = (
        "Finds roads in an aerial or satellite image and writes them as a network of centre lines with width and "
        "confidence, with its nodes and the areas of the roads, into one GeoPackage. "
        "The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). "
        "Limit the work with a rectangle or with polygons; tiles outside are skipped. "
        "Keep the probability raster to make the lines again with another threshold without a new computation."
    )
    MAIN = ("roads", "Roads")
    FURTHER = {"NODES": ("road_nodes", "Road nodes"), "AREAS": ("road_areas", "Road areas")}  # noqa: RUF012
    RASTERS = {  # noqa: RUF012
        "PROBABILITY": ("probability", "probability", "Road probability"),
        "MASK": ("mask", "road_mask", "Road mask"),
    }
    NUMBERS = {"LENGTH": ("length_m", "Length of roads in m"), "COUNT": ("roads", "Number of roads")}  # noqa: RUF012
    OPTIONS = {"ROAD_AREAS": _ROADS["areas"], "OSM_TAGS": _ROADS["osm_tags"]}  # noqa: RUF012


class ExtractLandCover(ExtractAlgorithm):
    """Extract a land-cover coverage from an image."""

    ID = "extractlandcover"
    TITLE = "Extract Land Cover"
    ICON = "landcover"
    TASK = "landcover"
    GEOMETRY = POLYGONS
    TAGS = "land cover,land use,classification,coverage,deep learning,segmentation,satellite,aerial"
    HELP = (
        "Classifies an aerial or satellite image and writes the land cover as polygons without gaps and overlaps, "
        "with class and confidence, into a GeoPackage. "
        "The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). "
        "Limit the work with a rectangle or with polygons; tiles outside are skipped."
    )
    MAIN = ("landcover", "Land cover")
    RASTERS = {  # noqa: RUF012
        "CLASSES": ("classes", "", "Land-cover classes"),
        "CONFIDENCE": ("confidence", "probability", "Confidence"),
    }
    NUMBERS = {"COUNT": ("polygons", "Number of polygons")}  # noqa: RUF012
    OPTIONS = {name.upper(): option for name, option in _COVERAGE.items()}  # noqa: RUF012


class Segment(ModelAlgorithm):
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
    GROUP = "Segmentation"
    VECTORS = "VECTORS"
    MAIN = ("classes", "Polygons")
    RASTERS = {  # noqa: RUF012
        "PROBABILITY": ("probability", "probability", "Probabilities"),
        "OUTPUT": ("output", "", "Classes"),
    }

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        for parameter in (
            make_image_parameter(),
            *make_mosaic_parameters(),
            make_model_parameter(tr("Model: name, folder or file")),
            *make_area_parameters(),
            make_threshold_parameter(),
            mark_advanced(make_option_parameter(IMAGE_OPTIONS["resolution"])),
            *self.make_task_parameters(),
            *make_inference_parameters(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Classes")),
            QgsProcessingParameterVectorDestination("VECTORS", tr("Polygons"), POLYGONS, None, True, False),
            make_raster_output("PROBABILITY", tr("Probabilities")),
        ):
            self.addParameter(parameter)


@dataclass(frozen=True)
class Destination:
    """Where Processing wants the layers of a run.

    Attributes:
        path: absolute path of the GeoPackage.
        layer: name of the main layer; None for its own name.
    """

    path: Path
    layer: str | None = None


def parse_destination(target: str) -> Destination:
    """Return the GeoPackage, and the layer in it, that ``target`` stands for.

    Args:
        target: a file, or a layer of a GeoPackage in the form ``ogr:dbname='FILE' table="LAYER"``.

    Raises:
        EngineError: it is another format.
    """
    layer = None
    if target.lstrip().startswith("ogr:"):
        uri = QgsDataSourceUri(target.lstrip()[len("ogr:") :])
        target, layer = uri.database(), uri.table() or None
    path = Path(target).absolute()
    if path.suffix.lower() != ".gpkg":
        text = tr("The output {name} is not a GeoPackage.")
        hint = tr("Choose a name that ends in .gpkg; it holds all layers.")
        raise EngineError(text.format(name=path.name), hint)
    return Destination(path, layer)


def load_vector_layers(
    context: QgsProcessingContext,
    target: str,
    layers: Mapping[str, tuple[str, str]],
    group: str,
    facts: Mapping[str, Any],
) -> dict[str, str]:
    """Load the layers of a run's GeoPackage into the project, where its main layer is to be loaded.

    Args:
        context: the run's context.
        target: the destination, as Processing gives it.
        layers: output's name -> (layer, which is also its style, and its English name): the main one first, and
            further ones, which are loaded but not shown if the run has written them.
        group: name of the layers' group.
        facts: what they were made with.

    Returns:
        The sources of the layers by the output's name.
    """
    destination = parse_destination(target)
    path = destination.path
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_READONLY)
    written = {dataset.GetLayer(index).GetName() for index in range(dataset.GetLayerCount())} if dataset else set()
    main = next(iter(layers))
    names = {name: name_layer(layer, destination.layer) for name, (layer, _) in layers.items()}
    sources = {name: f"{path}|layername={layer}" for name, layer in names.items() if name == main or layer in written}
    for name, source in reversed(list(sources.items())):  # the first comes out on top
        layer, title = layers[name]
        presentation = LayerPresentation(layer, group, tr(title), facts, is_visible=name == main)
        if name == main:
            load_on_completion(context, target, source, name, presentation)
        else:
            load_additional_layer(context, source, name, presentation)
    return sources
