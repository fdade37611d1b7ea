"""The algorithms Extract Roads and Extract Land Cover."""

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
)

from ...engine.fs.journal import remove_unfinished_run
from ...engine.protocol.declaration import options_of
from ...engine.protocol.layer_names import name_layer
from ...engine.protocol.options import CoverageOptions, RoadOptions
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from ..layers.probability import write_mask
from ..layers.results import LayerPresentation, load_additional_layer, load_on_completion
from .arguments import make_option_arguments, make_run_arguments
from .base import ImageAlgorithm
from .parameters import (
    LINES,
    POLYGONS,
    make_area_parameters,
    make_image_parameter,
    make_inference_parameters,
    make_model_parameter,
    make_option_parameter,
    make_raster_output,
    make_threshold_parameter,
    make_vector_output,
    mark_advanced,
)

_ROAD_AREAS = options_of(RoadOptions)["areas"]
_MINIMUM_AREA = options_of(CoverageOptions)["minimum_area"]


class ExtractAlgorithm(ImageAlgorithm):
    """Extract a GeoPackage from an image, and rasters on request."""

    #: Layer of the GeoPackage that is the main output, and its English name.
    MAIN = ("", "")
    #: Further layers: output's name -> (layer, English name).
    FURTHER: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    #: Raster outputs: output's name -> (engine's option, style or empty for the file's own, English name).
    RASTERS: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
    #: Numbers of the engine's summary: output's name -> (key, English name).
    NUMBERS: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    GEOMETRY = LINES

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        for parameter in (
            make_image_parameter(),
            make_model_parameter(tr("Model (empty: the default)")),
            *make_area_parameters(),
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

    def make_task_parameters(self) -> list[QgsProcessingParameterDefinition]:
        """Make the parameters of this task alone."""
        return []

    def make_task_arguments(self, _parameters: dict[str, Any], _context: QgsProcessingContext) -> list[str]:
        """Make the engine's arguments from the parameters of this task alone."""
        return []

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Run the engine's command ``extract``, and load its outputs."""
        target = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        destination = parse_destination(target)
        output = destination.path
        rasters = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in self.RASTERS
            if parameters.get(name) not in (None, "")
        }
        image, options, start = self.prepare_run(parameters, context, feedback, folder)
        paths = {self.RASTERS[name][0]: Path(path).absolute() for name, path in rasters.items()}
        mask = paths.pop("mask", None)
        if mask is not None:
            paths.setdefault("probability", folder / "probability.tif")
        arguments = make_run_arguments(self.TASK, image, output, options, paths, layer=destination.layer)
        arguments += self.make_task_arguments(parameters, context)
        try:
            result = self.run_engine(arguments, feedback, start)
        except EngineCancelledError:
            remove_unfinished_run(output)  # an engine that was ended by force has not removed it
            raise
        if mask is not None:
            threshold = options.threshold
            if threshold is None:
                model = self.plugin.choose_model(self.TASK, options.image.model or "")
                threshold = model.threshold if model else 0.5
            write_mask(paths["probability"], mask, threshold, feedback.isCanceled)
        group = f"{self.displayName()} – {self.source.name}"
        facts = self.describe_result(result, options.image.model or "")
        for name, path in rasters.items():
            _, style, title = self.RASTERS[name]
            presentation = LayerPresentation(style, group, tr(title), facts, is_visible=False, is_raster=True)
            load_on_completion(context, path, path, name, presentation)
        return {
            **load_vector_layers(context, target, {"OUTPUT": self.MAIN, **self.FURTHER}, group, facts),
            **rasters,
            **{name: result.summary.get(key) for name, (key, _) in self.NUMBERS.items()},
        }


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

    def make_task_parameters(self) -> list[QgsProcessingParameterDefinition]:
        """Make the threshold, and whether to write the layer of road areas."""
        return [make_threshold_parameter(), mark_advanced(make_option_parameter(_ROAD_AREAS, name="ROAD_AREAS"))]

    def make_task_arguments(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Make the argument that leaves out the layer of road areas."""
        return make_option_arguments([(_ROAD_AREAS, self.parameterAsBool(parameters, "ROAD_AREAS", context))])


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

    def make_task_parameters(self) -> list[QgsProcessingParameterDefinition]:
        """Make the parameter of the smallest polygon."""
        return [mark_advanced(make_option_parameter(_MINIMUM_AREA))]

    def make_task_arguments(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Make the argument of the smallest polygon."""
        area = self.get_optional_number(parameters, "MINIMUM_AREA", context)
        return make_option_arguments([(_MINIMUM_AREA, area)])


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
        raise EngineError(
            f"The output {path.name} is not a GeoPackage.", "Choose a name that ends in .gpkg; it holds all layers."
        )
    return Destination(path, layer)


def make_layer_source(path: Path, layer: str) -> str:
    """Return the source of a layer in the GeoPackage ``path``, as QGIS opens it."""
    return f"{path}|layername={layer}"


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
        layers: output's name -> (layer, which is also its style, and its English name): ``OUTPUT`` first, and further
            layers, which are loaded but not shown if the run has written them.
        group: name of the layers' group.
        facts: what they were made with.

    Returns:
        The sources of the layers by the output's name.
    """
    destination = parse_destination(target)
    path = destination.path
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_READONLY)
    written = {dataset.GetLayer(index).GetName() for index in range(dataset.GetLayerCount())} if dataset else set()
    names = {name: name_layer(layer, destination.layer) for name, (layer, _) in layers.items()}
    sources = {
        name: make_layer_source(path, layer) for name, layer in names.items() if name == "OUTPUT" or layer in written
    }
    for name, source in reversed(list(sources.items())):  # the first comes out on top
        layer, title = layers[name]
        presentation = LayerPresentation(layer, group, tr(title), facts, is_visible=name == "OUTPUT")
        if name == "OUTPUT":
            load_on_completion(context, target, source, name, presentation)
        else:
            load_additional_layer(context, source, name, presentation)
    return sources
