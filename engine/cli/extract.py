"""``terraspore extract roads`` and ``terraspore extract landcover``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..pipeline.landcover import extract_classes
from ..pipeline.request import ClassRequest, RoadRequest
from ..pipeline.roads import extract_roads
from ..protocol.options import CoverageOptions, RoadOptions
from .cli_context import current_services, json_option, run_reported
from .options import GEOTIFF, PATH, image_options, resume_option, take_image_request
from .sessions import session_opener


@click.group()
def extract() -> None:
    """Extract roads or land cover from an image as vector layers."""


@extract.command()
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write, .gpkg for all layers in one.")
@click.option("--probability", type=GEOTIFF, help="Keep the probability raster in this GeoTIFF.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="T", help="From which probability on; else the model's."
)
@click.option("--areas/--no-areas", default=None, help="Make the layer road_areas. [yes]")
@resume_option
@json_option
def roads(image: Path, output: Path, areas: bool | None, as_json: bool, **words: Any) -> None:
    """Extract the road network of IMAGE: lines, nodes and areas.

    A new threshold needs no new extraction: keep the probability raster and use `terraspore vectorize roads`.
    """
    options = RoadOptions() if areas is None else RoadOptions(areas=areas)
    request = RoadRequest(take_image_request(image, words), output, **words, options=options)
    opener = session_opener(current_services())
    run_reported(as_json, lambda context: extract_roads(request, opener, context))


@extract.command(short_help="Extract the land cover of IMAGE as polygons.")
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write.")
@click.option("--classes", type=GEOTIFF, help="Keep the class raster in this GeoTIFF.")
@click.option("--confidence", type=GEOTIFF, help="Keep the probability of the class of each pixel in this GeoTIFF.")
@click.option("--probability", type=GEOTIFF, help="Keep the probabilities of all classes in this GeoTIFF.")
@click.option("--minimum-area", type=click.FloatRange(0), metavar="M2", help="Smallest polygon. [16 pixels]")
@resume_option
@json_option
def landcover(image: Path, output: Path, minimum_area: float | None, as_json: bool, **words: Any) -> None:
    """Extract the land cover of IMAGE as polygons without gaps and overlaps."""
    options = CoverageOptions(minimum_area=minimum_area)
    request = ClassRequest(take_image_request(image, words), output, **words, options=options)
    opener = session_opener(current_services())
    run_reported(
        as_json,
        lambda context: extract_classes(request, "landcover", opener, context),
    )
