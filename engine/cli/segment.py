"""``terraspore segment``: any segmentation model over an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..context import RunContext
from ..pipeline.landcover import extract_classes
from ..pipeline.request import ClassRequest
from ..protocol.messages import Result
from ..protocol.options import OutputOptions
from .cli_context import current_cli_context, reports_result
from .options import declared_options, image_options, make_request, resume_option, threshold_option
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
@reports_result
def segment(context: RunContext, image: Path, output: Path, vectors: Path | None, **values: Any) -> Result:
    """Run any segmentation model over IMAGE and write the class of each pixel.

    Of a model of one class the result is 1 where its probability reaches the threshold, and 0 elsewhere.
    """
    names = ("confidence", "probability", "threshold", "resume")
    request = make_request(
        ClassRequest, image, values, names, output=vectors, classes=output, main=output, layer="classes"
    )
    return extract_classes(request, "segmentation", current_cli_context().session_pool(), context)
