"""Extract Roads and Extract Land Cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
)

from ...engine.fs.journal import remove_unfinished_run
from ...engine.protocol.messages import Result
from ...engine.protocol.options import CoverageOptions, RoadOptions, options_of
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from ..layers.results import Dress, load_beside, load_on_completion
from . import parameters as make
from .arguments import Options, extract_words
from .base import ImageAlgorithm
from .masks import write_mask


class ExtractAlgorithm(ImageAlgorithm):
    """Image to GeoPackage, and to rasters where they are asked for."""

    #: Layer of the GeoPackage that is the main output, its style and its English name.
    MAIN = ("", "", "")
    #: Further layers: output's name -> (layer, style, English name).
    FURTHER: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
    #: Raster outputs: output's name -> (engine's option, style, English name).
    RASTERS: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
    #: Numbers of the engine's summary: output's name -> (key, English name).
    NUMBERS: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    GEOMETRY = make.LINES

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        for parameter in (make.image(), make.model(tr("Model (empty: the default)")), *make.area()):
            self.addParameter(parameter)
        for parameter in (*self.task_parameters(), *make.inference()):
            self.addParameter(parameter)
        self.addParameter(make.vectors(tr(self.MAIN[2]), self.GEOMETRY))
        for name, (_, _, title) in self.RASTERS.items():
            self.addParameter(make.raster(name, tr(title)))
        for name, (_, _, title) in self.FURTHER.items():
            self.addOutput(QgsProcessingOutputVectorLayer(name, tr(title)))
        for name, (_, title) in self.NUMBERS.items():
            self.addOutput(QgsProcessingOutputNumber(name, tr(title)))

    def task_parameters(self) -> list[Any]:
        """Parameters of this task alone."""
        return []

    def task_words(self, _parameters: dict[str, Any], _context: QgsProcessingContext) -> list[str]:
        """Words for the engine from the parameters of this task alone."""
        return []

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Have the engine extract, and load what it wrote."""
        target = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        output = geopackage(target)
        rasters = {
            name: self.parameterAsOutputLayer(parameters, name, context)
            for name in self.RASTERS
            if parameters.get(name) not in (None, "")
        }
        image, options, start = self.image_and_options(parameters, context, feedback, folder)
        paths = {self.RASTERS[name][0]: Path(path).absolute() for name, path in rasters.items()}
        mask = paths.pop("mask", None)
        if mask is not None:
            paths.setdefault("probability", folder / "probability.tif")
        words = extract_words(self.TASK, image, output, options, paths) + self.task_words(parameters, context)
        try:
            result = self.run_engine(words, feedback, start)
        except EngineCancelledError:
            remove_unfinished_run(output)  # an engine that was ended by force has not removed it
            raise
        if mask is not None:
            write_mask(paths["probability"], mask, self._threshold(options), feedback.isCanceled)
        self._load(context, result, options, target, rasters)
        return {
            "OUTPUT": layer_source(output, self.MAIN[0]),
            **{name: layer_source(output, layer) for name, (layer, _, _) in self._further(output).items()},
            **rasters,
            **{name: result.summary.get(key) for name, (key, _) in self.NUMBERS.items()},
        }

    def _further(self, output: Path) -> dict[str, tuple[str, str, str]]:
        """The further layers that the run has made."""
        made = layer_names(output)
        return {name: entry for name, entry in self.FURTHER.items() if entry[0] in made}

    def _threshold(self, options: Options) -> float:
        """The run's threshold, or its model's."""
        if options.threshold is not None:
            return options.threshold
        model = self.plugin.model_for(self.TASK, options.model)
        return model.threshold if model else 0.5

    def _load(
        self, context: QgsProcessingContext, result: Result, options: Options, target: str, rasters: dict[str, str]
    ) -> None:
        assert self.source is not None
        output = geopackage(target)
        group = f"{self.displayName()} – {self.source.name}"
        facts = {tr("Image"): self.source.name, tr("Model"): options.model, **result.summary}

        def dress(style: str, title: str, *, visible: bool = True) -> Dress:
            return Dress(style, group, tr(title), facts, visible)

        for name, path in rasters.items():
            _, style, title = self.RASTERS[name]
            load_on_completion(context, path, path, name, dress(style, title, visible=False))
        for name, (layer, style, title) in reversed(list(self._further(output).items())):
            load_beside(context, layer_source(output, layer), name, dress(style, title, visible=False))
        layer, style, title = self.MAIN
        load_on_completion(context, target, layer_source(output, layer), "OUTPUT", dress(style, title))


class ExtractRoads(ExtractAlgorithm):
    """Image to road network."""

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

    def task_parameters(self) -> list[Any]:
        """Whether the areas of roads are made, too, and the threshold."""
        areas = options_of(RoadOptions)["areas"]
        flag = QgsProcessingParameterBoolean("ROAD_AREAS", make.option_title(areas, show_default=False), areas.default)
        return [make.threshold(), make.advanced(flag)]

    def task_words(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """The options for them."""
        return [] if self.parameterAsBool(parameters, "ROAD_AREAS", context) else ["--no-areas"]


class ExtractLandCover(ExtractAlgorithm):
    """Image to land-cover coverage."""

    ID = "extractlandcover"
    TITLE = "Extract Land Cover"
    ICON = "landcover"
    TASK = "landcover"
    GEOMETRY = make.POLYGONS
    TAGS = "land cover,land use,classification,coverage,deep learning,segmentation,satellite,aerial"
    HELP = (
        "Classifies an aerial or satellite image and writes the land cover as polygons without gaps and overlaps, "
        "with class and confidence, into a GeoPackage. "
        "The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). "
        "Limit the work with a rectangle or with polygons; tiles outside are skipped."
    )
    MAIN = ("landcover", "landcover", "Land cover")
    RASTERS = {  # noqa: RUF012
        "CLASSES": ("classes", "landcover_classes", "Land-cover classes"),
        "CONFIDENCE": ("confidence", "probability", "Confidence"),
    }
    NUMBERS = {"COUNT": ("polygons", "Number of polygons")}  # noqa: RUF012

    def task_parameters(self) -> list[Any]:
        """The smallest polygon."""
        return [make.advanced(make.engine_option(options_of(CoverageOptions)["minimum_area"]))]

    def task_words(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """The option for it."""
        area = self.optional_number(parameters, "MINIMUM_AREA", context)
        return [] if area is None else [f"--minimum-area={area!r}"]


def geopackage(target: str) -> Path:
    """The GeoPackage at ``target``.

    Raises:
        EngineError: it is another format.
    """
    path = Path(target).absolute()
    if path.suffix.lower() != ".gpkg":
        raise EngineError(
            f"The output {path.name} is not a GeoPackage.", "Choose a name that ends in .gpkg; it holds all layers."
        )
    return path


def layer_source(path: Path, layer: str) -> str:
    """The layer ``layer`` of the GeoPackage ``path``, as QGIS opens it."""
    return f"{path}|layername={layer}"


def layer_names(path: Path) -> list[str]:
    """Names of the layers in the GeoPackage ``path``; none where it cannot be opened."""
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_READONLY)
    return [dataset.GetLayer(index).GetName() for index in range(dataset.GetLayerCount())] if dataset else []
