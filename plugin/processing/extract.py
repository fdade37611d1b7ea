"""The algorithms that run a model over an image: Extract Roads, Extract Land Cover, Segment with Another Model."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from ...engine.protocol.declaration import options_of
from ...engine.protocol.options import CoverageOptions, RoadOptions
from ..i18n import tr
from .model_algorithm import ModelAlgorithm
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
