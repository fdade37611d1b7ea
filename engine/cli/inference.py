"""``terraspore extract``, ``segment``, ``plan`` and ``prepare``: the commands that run a model over an image."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from ..context import RunContext
from ..errors import ClusterError, first_line
from ..models.card import Task
from ..pipeline.computer import Computer
from ..pipeline.landcover import extract_classes
from ..pipeline.plan import plan_run
from ..pipeline.prepare import prepare_tasks
from ..pipeline.request import ClassRequest, RoadRequest
from ..pipeline.roads import extract_roads
from ..protocol.messages import Result
from ..protocol.options import RoadOptions
from ..runtimes.pool import SessionPool
from .cli_context import current_cli_context, reports_result
from .options import (
    CLASS_VECTORS,
    GEOTIFF,
    PATH,
    ROAD_VECTORS,
    GroupedCommand,
    image_options,
    make_image_request,
    make_request,
    run_options,
    run_request,
    threshold_option,
)


def _open_computer(address: str | None) -> Computer | None:
    """Return what computes on the cluster at ``address``; None for a run in this process.

    Raises:
        ClusterError: Dask is not installed.
    """
    if address is None:
        return None
    try:
        from ..cluster.computer import ClusterComputer
    except ImportError as error:
        raise ClusterError(
            f"--cluster needs Dask, which cannot be imported: {first_line(error)}.",
            "Install it with `pip install 'terraspore[cluster]'`.",
        ) from error
    return ClusterComputer(address, current_cli_context().network_factory)


@click.group()
def extract() -> None:
    """Extract roads or land cover from an image as vector layers."""


@extract.command(cls=GroupedCommand)
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write, .gpkg for all layers in one.")
@click.option("--probability", type=GEOTIFF, help="Keep the probability raster in this GeoTIFF.")
@threshold_option("Probability from which a pixel is road; else the model's.")
@ROAD_VECTORS.add
@run_options
@reports_result
def roads(context: RunContext, images: tuple[str, ...], **values: Any) -> Result:
    """Extract the road network of IMAGE: lines, nodes and areas.

    Several images form one mosaic: files, a folder, a pattern, a text list, a tile index or STAC items.

    A new threshold needs no new extraction: keep the probability raster and use `terraspore vectorize roads`.
    """
    threshold, strong = values["threshold"], values["strong"]
    if threshold is None and strong is not None:
        threshold = min(strong, RoadOptions.threshold)  # until the model's is known, which it is checked against
    options = ROAD_VECTORS.read(values, threshold=threshold)
    names = ("output", "probability", "threshold", "resume")
    request = make_request(RoadRequest, images, values, names, context, options=options)
    run = partial(extract_roads, computer=_open_computer(values["cluster"]))
    return run_request(request, values["separate"], run, context)


@extract.command(cls=GroupedCommand, short_help="Extract the land cover of IMAGE as polygons.")
@image_options
@click.option("-o", "--output", type=PATH, required=True, help="Vector file to write.")
@click.option("--classes", "class_raster", type=GEOTIFF, help="Keep the class raster in this GeoTIFF.")
@click.option("--confidence", type=GEOTIFF, help="Keep the probability of the class of each pixel in this GeoTIFF.")
@click.option("--probability", type=GEOTIFF, help="Keep the probabilities of all classes in this GeoTIFF.")
@CLASS_VECTORS.add
@run_options
@reports_result
def landcover(context: RunContext, images: tuple[str, ...], **values: Any) -> Result:
    """Extract the land cover of IMAGE as polygons without gaps and overlaps.

    Several images form one mosaic: files, a folder, a pattern, a text list, a tile index or STAC items.
    """
    names = ("output", "confidence", "probability", "resume")
    further = {"options": CLASS_VECTORS.read(values), "classes": values["class_raster"]}
    request = make_request(ClassRequest, images, values, names, context, **further)
    return _run_classes(request, "landcover", values, context)


def _run_classes(request: ClassRequest, task: Task, values: Mapping[str, Any], context: RunContext) -> Result:
    computer = _open_computer(values["cluster"])

    def run(each: ClassRequest, sessions: SessionPool, part: RunContext) -> Result:
        return extract_classes(each, task, sessions, part, computer=computer)

    return run_request(request, values["separate"], run, context)


@click.command(cls=GroupedCommand)
@image_options
@click.option("-o", "--output", type=GEOTIFF, required=True, help="GeoTIFF of classes to write.")
@click.option("--vectors", type=PATH, help="Vector file of the classes' polygons to write.")
@click.option("--confidence", type=GEOTIFF, help="GeoTIFF of the probability of each pixel's class.")
@click.option("--probability", type=GEOTIFF, help="GeoTIFF of the probabilities of all classes.")
@threshold_option("For models of one class; else the model's.")
@CLASS_VECTORS.add
@run_options
@reports_result
def segment(context: RunContext, images: tuple[str, ...], output: Path, vectors: Path | None, **values: Any) -> Result:
    """Run any segmentation model over IMAGE and write the class of each pixel.

    Of a model of one class the result is 1 where its probability reaches the threshold, and 0 elsewhere.
    """
    names = ("confidence", "probability", "threshold", "resume")
    outputs = {"output": vectors, "classes": output, "main": output, "layer": "classes"}
    options = CLASS_VECTORS.read(values)
    request = make_request(ClassRequest, images, values, names, context, options=options, **outputs)
    return _run_classes(request, "segmentation", values, context)


@click.command()
@image_options
@click.option("--task", type=click.Choice(get_args(Task)), help="What the model is to be for; any unless given.")
@reports_result
def plan(context: RunContext, images: tuple[str, ...], task: Task | None, **options: Any) -> Result:
    """Say how many tiles, how much memory and about how long a run over IMAGE would take; nothing is written."""
    sessions = current_cli_context().session_pool()
    return plan_run(make_image_request(images, options, context), task or "segmentation", sessions, context)


@click.command()
@reports_result
def prepare(context: RunContext) -> Result:
    """Compile kernels and the default models into their caches, so that the first run does not wait for them."""
    return prepare_tasks(current_cli_context().session_pool(), context)
