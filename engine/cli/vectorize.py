"""``terraspore vectorize``: vectors of any probability, mask or class raster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..context import RunContext
from ..fs.outputs import check_written_files
from ..pipeline.run_outputs import list_read_files, lock_run_outputs
from ..protocol.layer_names import name_road_layers
from ..protocol.messages import Result
from ..protocol.options import (
    ClassRasterOptions,
    CoverageOptions,
    OutputOptions,
    RasterOptions,
    RoadOptions,
    UpdateOptions,
)
from ..raster.band_facts import interpret_band
from ..raster.dataset import open_raster
from ..raster.values import Encoding, Expected
from ..vector.conflation import ExistingRoads, read_existing_roads
from ..vector.crs import check_output_crs
from ..vector.io.formats import VectorTarget, choose_format
from ..vector.io.reader import make_reference
from .cli_context import reports_result
from .options import PATH, add_options, declared_options, given_options, parse_texts

if TYPE_CHECKING:
    from ..vector.coverage.extract import CoverageSummary
    from ..vector.roads.extract import RoadSummary

Values = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What all kinds of vectors need."""

    raster: Path
    output: Path
    crs: str | None
    reading: RasterOptions
    writing: OutputOptions


class RasterGroup(click.Group):
    """A group whose command may be left out: ``vectorize RASTER`` finds out by itself what the raster shows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the first word as the beginning of ``auto`` where it is no command."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["auto", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RasterGroup)
def vectorize() -> None:
    """Make vectors of a raster, this program's or anybody's: roads of probabilities, land cover of classes.

    `terraspore vectorize RASTER -o out.gpkg` finds out which of the two; `vectorize roads` and `vectorize landcover`
    say it and have further options.
    """


#: The options of all kinds of vectors.
shared_options = add_options(
    click.argument("raster", type=PATH),
    click.option(
        "-o",
        "--output",
        type=PATH,
        required=True,
        help="Vector file to write; the suffix gives the format, .gpkg holds all layers.",
    ),
    declared_options(RasterOptions),
    click.option("--crs", metavar="CRS", help="CRS of the vectors, like EPSG:25832; else the raster's."),
    declared_options(OutputOptions),
)


@vectorize.command(hidden=True)
@shared_options
@declared_options(RoadOptions, "threshold", "simplify", "minimum_area")
@reports_result
def auto(context: RunContext, **values: Any) -> Result:
    """Find out what the raster shows."""
    return _run(make_job(values), context, roads=_prepare_roads(values), landcover=_prepare_landcover(values))


@vectorize.command(short_help="Make a road network of road probabilities or a mask.")
@shared_options
@declared_options(RoadOptions)
@declared_options(UpdateOptions)
@reports_result
def roads(context: RunContext, **values: Any) -> Result:
    """Make a road network of a raster of road probabilities or a mask: lines, nodes and areas.

    Lengths are in metres on the ground. The defaults stand in brackets.
    """
    return _run(make_job(values), context, roads=_prepare_roads(values))


@vectorize.command(short_help="Make polygons of a raster of classes.")
@shared_options
@declared_options(ClassRasterOptions)
@declared_options(CoverageOptions)
@click.option("--name", multiple=True, metavar="ID=NAME", help="Name of a class; may be repeated.")
@reports_result
def landcover(context: RunContext, **values: Any) -> Result:
    """Make a coverage of a raster of classes: polygons without gaps and overlaps."""
    return _run(make_job(values), context, landcover=_prepare_landcover(values))


#: Makes the vectors of a job, decides its encoding where it is None; returns their summary, and a sentence with it.
MakeVectors = Callable[[Job, Encoding | None, RunContext], "tuple[RoadSummary | CoverageSummary, str]"]


def _run(
    job: Job, context: RunContext, *, roads: MakeVectors | None = None, landcover: MakeVectors | None = None
) -> Result:
    """Make roads or land cover; the raster decides where both are given."""
    _check_crs(job)
    encoding, make_vectors = None, roads or landcover
    if roads and landcover:
        _check_output(job)
        encoding = _interpret(job, None, context)
        make_vectors = landcover if encoding.kind == "classes" else roads
    assert make_vectors is not None, "there is something to make"
    summary, text = make_vectors(job, encoding, context)
    return Result({role: str(path) for role, path in summary.layers.items()}, summary.metrics(), text)


def make_job(values: Values) -> Job:
    """Make the job of a command from its values."""
    reading, writing = given_options(RasterOptions, values), given_options(OutputOptions, values)
    return Job(values["raster"], values["output"], values["crs"], reading, writing)


def _check_crs(job: Job) -> None:
    """Check that the CRS of the vectors can express where the raster lies."""
    if job.crs is None and choose_format(job.output).crs is None:
        return
    with open_raster(job.raster) as dataset:
        reference = make_reference(job.raster.name, dataset.crs, dataset.transform, dataset.shape)
    if job.crs is not None:
        check_output_crs(job.crs, reference)
    VectorTarget(job.output, crs=job.crs).choose_crs(reference.crs)


def _check_output(job: Job) -> None:
    """Check the output as far as that does not depend on what the raster shows."""
    target = VectorTarget(job.output)
    overwrite = job.writing.overwrite or bool(target.extended)
    check_written_files([job.output], list_read_files(job.raster), overwrite=overwrite, folders=target.folders)


def _interpret(job: Job, expected: Expected | None, context: RunContext) -> Encoding:
    """Decide what the values of the raster mean."""
    with open_raster(job.raster) as dataset:
        return interpret_band(dataset, job.reading, expected, context)


@contextmanager
def _lock_output(
    job: Job, layers: Mapping[str, str], sources: list[Path], context: RunContext
) -> Iterator[VectorTarget]:
    """Check and lock the output of a job, and publish it at the end of the block."""
    target = VectorTarget(job.output, layers, job.crs)
    with lock_run_outputs(target, [], sources, context, overwrite=job.writing.overwrite) as outputs:
        yield replace(target, outputs=outputs)
        outputs.publish(context.cancellation.commit)


def _describe_origin(job: Job, encoding: Encoding) -> dict[str, str]:
    """What is written into vectors of where they are from: the raster, and the model where the raster names it."""
    with open_raster(job.raster) as dataset:
        tags = {name: value[:1000] for name, value in dataset.tags().items() if name in ("MODEL", "MODEL_SHA256")}
    return {"source": job.raster.name, "band": str(encoding.band), "values": encoding.describe(), **tags}


def _prepare_roads(values: Values) -> MakeVectors:
    """Check the options of roads, and return the function that makes them."""
    options, update = given_options(RoadOptions, values), given_options(UpdateOptions, values)

    def make_roads(job: Job, encoding: Encoding | None, context: RunContext) -> tuple[RoadSummary, str]:
        from ..vector.roads.extract import vectorize_roads

        layers = name_road_layers(job.writing.layer, areas=options.areas, changes=update.update is not None)
        with _lock_output(job, layers, list_read_files(job.raster, vectors=update.update), context) as target:
            encoding = encoding or _interpret(job, "roads", context)
            summary = vectorize_roads(
                job.raster,
                replace(target, metadata=_describe_origin(job, encoding)),
                options,
                context=context,
                encoding=encoding,
                existing=_read_existing(job, encoding.band, update, context),
            )
        text = f"{summary.length / 1000:.2f} km of road in {summary.edges} lines -> {job.output}"
        if summary.changes:
            kinds = (
                f"{float(value or 0) / 1000:.2f} km {name[:-2].replace('_', ' ')}"
                for name, value in summary.changes.items()
            )
            text += f" ({', '.join(kinds)})"
        return summary, text

    return make_roads


def _read_existing(job: Job, band: int, update: UpdateOptions, context: RunContext) -> ExistingRoads | None:
    """Read the roads to conflate with, if there are any."""
    if update.update is None:
        return None
    with open_raster(job.raster) as dataset:
        reference = make_reference(job.raster.name, dataset.crs, dataset.transform, dataset.shape)
        if dataset.nodatavals[band - 1] == 0:
            context.warn(
                f"0 is the nodata value of {job.raster.name}, so that no data cannot be told from no road: every pixel "
                "counts as examined."
            )
    return read_existing_roads(update.update, update.update_layer, update.update_distance, reference, context)


def _prepare_landcover(values: Values) -> MakeVectors:
    """Check the options of land cover, and return the function that makes it."""
    options = given_options(CoverageOptions, values)
    class_names = parse_texts(values.get("name", ()))

    def make_landcover(job: Job, encoding: Encoding | None, context: RunContext) -> tuple[CoverageSummary, str]:
        from ..vector.coverage.extract import LAYER, vectorize_landcover

        layers, confidence = {LAYER: job.writing.layer or LAYER}, given_options(ClassRasterOptions, values).confidence
        with _lock_output(job, layers, list_read_files(job.raster, confidence), context) as target:
            encoding = encoding or _interpret(job, "classes", context)
            summary = vectorize_landcover(
                job.raster,
                replace(target, metadata=_describe_origin(job, encoding)),
                options,
                context=context,
                confidence=confidence,
                class_names=class_names,
                encoding=encoding,
            )
        return summary, f"{summary.polygons} polygons, {summary.area / 1e6:.3f} km² -> {job.output}"

    return make_landcover
