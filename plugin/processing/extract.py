"""The algorithms Extract Roads and Extract Land Cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterDefinition,
)

from ...engine.fs.journal import remove_unfinished_run
from ...engine.protocol.declaration import options_of
from ...engine.protocol.messages import Result
from ...engine.protocol.options import CoverageOptions, RoadOptions
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from ..layers.probability import write_mask
from ..layers.results import LayerPresentation, load_additional_layer, load_on_completion
from .arguments import RunOptions, make_extract_arguments, make_option_arguments
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

    #: Layer of the GeoPackage that is the main output, its style and its English name.
    MAIN = ("", "", "")
    #: Further layers: output's name -> (layer, style, English name).
    FURTHER: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
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
            make_vector_output(tr(self.MAIN[2]), self.GEOMETRY),
            *(make_raster_output(name, tr(title)) for name, (_, _, title) in self.RASTERS.items()),
        ):
            self.addParameter(parameter)
        for name, (_, _, title) in self.FURTHER.items():
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
        output = check_geopackage(target)
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
        arguments = make_extract_arguments(self.TASK, image, output, options, paths)
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
        self._load(context, result, options, target, rasters)
        return {
            "OUTPUT": make_layer_source(output, self.MAIN[0]),
            **{
                name: make_layer_source(output, layer)
                for name, (layer, _, _) in self._list_further_layers(output).items()
            },
            **rasters,
            **{name: result.summary.get(key) for name, (key, _) in self.NUMBERS.items()},
        }

    def _list_further_layers(self, output: Path) -> dict[str, tuple[str, str, str]]:
        """List the entries of ``FURTHER`` that the run has written."""
        written = list_vector_layers(output)
        return {name: entry for name, entry in self.FURTHER.items() if entry[0] in written}

    def _load(
        self, context: QgsProcessingContext, result: Result, options: RunOptions, target: str, rasters: dict[str, str]
    ) -> None:
        assert self.source is not None
        output = check_geopackage(target)
        group = f"{self.displayName()} – {self.source.name}"
        facts = {tr("Image"): self.source.name, tr("Model"): options.image.model or "", **result.summary}

        for name, path in rasters.items():
            _, style, title = self.RASTERS[name]
            presentation = LayerPresentation(style, group, tr(title), facts, is_visible=False, is_raster=True)
            load_on_completion(context, path, path, name, presentation)
        for name, (layer, style, title) in reversed(list(self._list_further_layers(output).items())):
            presentation = LayerPresentation(style, group, tr(title), facts, is_visible=False)
            load_additional_layer(context, make_layer_source(output, layer), name, presentation)
        layer, style, title = self.MAIN
        presentation = LayerPresentation(style, group, tr(title), facts)
        load_on_completion(context, target, make_layer_source(output, layer), "OUTPUT", presentation)


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
    MAIN = ("roads", "roads", "Roads")
    FURTHER = {  # noqa: RUF012
        "NODES": ("road_nodes", "road_nodes", "Road nodes"),
        "AREAS": ("road_areas", "road_areas", "Road areas"),
    }
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
    MAIN = ("landcover", "landcover", "Land cover")
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


def check_geopackage(target: str) -> Path:
    """Return the absolute path of the GeoPackage ``target``.

    Raises:
        EngineError: it is another format.
    """
    path = Path(target).absolute()
    if path.suffix.lower() != ".gpkg":
        raise EngineError(
            f"The output {path.name} is not a GeoPackage.", "Choose a name that ends in .gpkg; it holds all layers."
        )
    return path


def make_layer_source(path: Path, layer: str) -> str:
    """Return the source of a layer in the GeoPackage ``path``, as QGIS opens it."""
    return f"{path}|layername={layer}"


def list_vector_layers(path: Path) -> list[str]:
    """List the layers in the GeoPackage ``path``; none where it cannot be opened."""
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_READONLY)
    return [dataset.GetLayer(index).GetName() for index in range(dataset.GetLayerCount())] if dataset else []
