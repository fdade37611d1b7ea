"""``terraspore extract roads`` and ``terraspore extract landcover``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..pipeline.landcover import extract_classes
from ..pipeline.request import ClassRequest, RoadRequest
from ..pipeline.roads import extract_roads
from ..protocol.options import CoverageOptions, OutputOptions, RoadOptions
from .cli_context import current_cli_context, json_option, run_command
from .options import declared_options, given_options, image_options, make_image_request, resume_option, threshold_option
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
@json_option
def roads(
    image: Path,
    output: Path,
    probability: Path | None,
    threshold: float | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Extract the road network of IMAGE: lines, nodes and areas.

    A new threshold needs no new extraction: keep the probability raster and use `terraspore vectorize roads`.
    """
    request = RoadRequest(
        image=make_image_request(image, options),
        output=output,
        probability=probability,
        threshold=threshold,
        options=given_options(RoadOptions, {"areas": options["areas"]}),
        resume=resume,
        writing=given_options(OutputOptions, options),
    )
    sessions = current_cli_context().session_pool()
    run_command(as_json, lambda context: extract_roads(request, sessions, context))


@extract.command(short_help="Extract the land cover of IMAGE as polygons.")
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write.")
@click.option("--classes", type=GEOTIFF, help="Keep the class raster in this GeoTIFF.")
@click.option("--confidence", type=GEOTIFF, help="Keep the probability of the class of each pixel in this GeoTIFF.")
@click.option("--probability", type=GEOTIFF, help="Keep the probabilities of all classes in this GeoTIFF.")
@declared_options(CoverageOptions, "minimum_area")
@declared_options(OutputOptions)
@resume_option
@json_option
def landcover(
    image: Path,
    output: Path,
    classes: Path | None,
    confidence: Path | None,
    probability: Path | None,
    minimum_area: float | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Extract the land cover of IMAGE as polygons without gaps and overlaps."""
    request = ClassRequest(
        image=make_image_request(image, options),
        output=output,
        classes=classes,
        confidence=confidence,
        probability=probability,
        options=CoverageOptions(minimum_area=minimum_area),
        resume=resume,
        writing=given_options(OutputOptions, options),
    )
    sessions = current_cli_context().session_pool()
    run_command(as_json, lambda context: extract_classes(request, "landcover", sessions, context))
