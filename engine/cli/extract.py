"""``terraspore extract roads`` and ``terraspore extract landcover``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..context import RunContext
from ..pipeline.landcover import extract_classes
from ..pipeline.request import ClassRequest, RoadRequest
from ..pipeline.roads import extract_roads
from ..protocol.messages import Result
from ..protocol.options import CoverageOptions, OutputOptions, RoadOptions
from .cli_context import current_cli_context, reports_result
from .options import declared_options, given_options, image_options, make_request, resume_option, threshold_option
from .paths import GEOTIFF, PATH


@click.group()
def extract() -> None:
    """Extract roads or land cover from an image as vector layers."""


@extract.command()
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write, .gpkg for all layers in one.")
@click.option("--probability", type=GEOTIFF, help="Keep the probability raster in this GeoTIFF.")
@threshold_option("Probability from which a pixel is road; else the model's.")
@declared_options(RoadOptions, "areas")
@declared_options(OutputOptions)
@resume_option
@reports_result
def roads(context: RunContext, image: Path, **values: Any) -> Result:
    """Extract the road network of IMAGE: lines, nodes and areas.

    A new threshold needs no new extraction: keep the probability raster and use `terraspore vectorize roads`.
    """
    options = given_options(RoadOptions, {"areas": values["areas"]})
    names = ("output", "probability", "threshold", "resume")
    request = make_request(RoadRequest, image, values, names, options=options)
    return extract_roads(request, current_cli_context().session_pool(), context)


@extract.command(short_help="Extract the land cover of IMAGE as polygons.")
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write.")
@click.option("--classes", type=GEOTIFF, help="Keep the class raster in this GeoTIFF.")
@click.option("--confidence", type=GEOTIFF, help="Keep the probability of the class of each pixel in this GeoTIFF.")
@click.option("--probability", type=GEOTIFF, help="Keep the probabilities of all classes in this GeoTIFF.")
@declared_options(CoverageOptions, "minimum_area")
@declared_options(OutputOptions)
@resume_option
@reports_result
def landcover(context: RunContext, image: Path, **values: Any) -> Result:
    """Extract the land cover of IMAGE as polygons without gaps and overlaps."""
    options = CoverageOptions(minimum_area=values["minimum_area"])
    names = ("output", "classes", "confidence", "probability", "resume")
    request = make_request(ClassRequest, image, values, names, options=options)
    return extract_classes(request, "landcover", current_cli_context().session_pool(), context)
