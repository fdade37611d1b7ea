"""``terraspore segment``: any segmentation model over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..pipeline.landcover import extract_classes
from ..pipeline.request import ClassRequest
from ..protocol.options import OutputOptions
from .cli_context import current_cli_context, json_option, run_command
from .options import (
    declared_options,
    given_options,
    image_options,
    make_image_request,
    resume_option,
    threshold_option,
)
from .paths import GEOTIFF, PATH


@click.command()
@image_options
@click.option("-o", "--output", type=GEOTIFF, required=True, help="GeoTIFF of classes to write.")
@click.option("--vectors", type=PATH, help="Vector file of the classes' polygons to write.")
@click.option("--confidence", type=GEOTIFF, help="GeoTIFF of the probability of each pixel's class.")
@click.option("--probability", type=GEOTIFF, help="GeoTIFF of the probabilities of all classes.")
@threshold_option("For models of one class; else the model's.")
@declared_options(OutputOptions)
@resume_option
@json_option
def segment(
    image: Path,
    output: Path,
    vectors: Path | None,
    confidence: Path | None,
    probability: Path | None,
    threshold: float | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Run any segmentation model over IMAGE and write the class of each pixel.

    Of a model of one class the result is 1 where its probability reaches the threshold, and 0 elsewhere.
    """
    request = ClassRequest(
        image=make_image_request(image, options),
        output=vectors,
        classes=output,
        confidence=confidence,
        probability=probability,
        threshold=threshold,
        layer="classes",
        resume=resume,
        main=output,
        writing=given_options(OutputOptions, options),
    )
    sessions = current_cli_context().session_pool()
    run_command(as_json, lambda context: extract_classes(request, "segmentation", sessions, context))
