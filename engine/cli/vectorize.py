"""``terraspore vectorize``: vectors of any probability, mask or class raster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..context import RunContext
from ..errors import ParameterError
from ..fs.lock import lock_outputs
from ..protocol.messages import Result
from .cli_context import json_option, run_reported

PATH = click.Path(path_type=Path)
METRES = click.FloatRange(0)


@dataclass(frozen=True)
class Job:
    """What all kinds of vectors need."""

    raster: Path
    output: Path
    band: int
    crs: str | None


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


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of all kinds of vectors."""
    for option in (
        json_option,
        click.option("--crs", metavar="CRS", help="CRS of the vectors, like EPSG:25832; else the raster's."),
        click.option("--band", type=click.IntRange(1), default=1, show_default=True, help="The band to use."),
        click.option(
            "-o",
            "--output",
            type=PATH,
            required=True,
            help="File to write: .gpkg (all layers in one), .fgb, .geojson, .shp or .parquet.",
        ),
        click.argument("raster", type=PATH),
    ):
        command = option(command)
    return command


def road_option(name: str, text: str, metavar: str = "M") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of the road network, named like the field of ``RoadOptions``."""
    return click.option(f"--{name}", type=METRES, metavar=metavar, help=text)


@vectorize.command(hidden=True)
@shared_options
@road_option("threshold", "Probability from which a pixel is road. [0.5]", "P")
@road_option("simplify", "Largest distance between line and simplified line. [1, or one pixel]")
@road_option("minimum-area", "Smallest area. [100, or 16 pixels]", "M2")
def auto(raster: Path, output: Path, band: int, crs: str | None, as_json: bool, **words: Any) -> None:
    """Find out what the raster shows."""
    job = Job(raster, output, band, checked_crs(crs))
    _run(as_json, _auto, job, words)


@vectorize.command(short_help="Make a road network of road probabilities or a mask.")
@shared_options
@road_option("threshold", "Probability from which a pixel is road. [0.5]", "P")
@road_option("strong", "Probability that a connected piece must reach. [threshold + (1 - threshold) / 4]", "P")
@road_option("blur", "Standard deviation of the Gaussian before the threshold. [2]")
@road_option("hole-area", "Holes in the surface up to this area are closed. [200]", "M2")
@road_option("max-width", "What is wider is a place; lines lead around it. [40]")
@road_option("merge-parallel", "Carriageways with less between them become one line. [0: off]")
@road_option("spur", "Dead ends shorter than this and 1.2 half widths are dropped. [6]")
@road_option("gap", "Gaps up to this length are bridged. [50]")
@road_option("gap-angle", "Largest angle between a road's end and its bridge. [40]", "DEGREES")
@road_option("min-length", "Connected pieces with less length of road are dropped. [80]")
@road_option("smooth", "Standard deviation of the smoothing along the line. [3]")
@road_option("simplify", "Largest distance between line and simplified line. [1]")
@road_option("minimum-area", "Pieces of surface below this area are dropped. [100]", "M2")
@road_option("area-simplify", "The same for the outlines of areas; 0 keeps pixel edges. [0.5]")
@click.option("--areas/--no-areas", default=None, help="Make the layer road_areas. [yes]")
@click.option("--tile", type=click.IntRange(64), help="Side of the tiles in pixels; does not change the result. [2048]")
@click.option("--threads", type=click.IntRange(1), help="Tiles worked on at a time. [one for each core]")
@click.option(
    "--update", type=PATH, metavar="FILE", help="Conflate with the roads of this file: kept, new, gone, moved."
)
@road_option("update-distance", "Lines within this distance of each other are the same road. [10]")
def roads(raster: Path, output: Path, band: int, crs: str | None, as_json: bool, **words: Any) -> None:
    """Make a road network of a raster of road probabilities or a mask: lines, nodes and areas.

    Lengths are in metres on the ground. The defaults stand in brackets.
    """
    job = Job(raster, output, band, checked_crs(crs))
    _run(as_json, _roads, job, words)


@vectorize.command(short_help="Make polygons of a raster of classes.")
@shared_options
@click.option("--confidence", type=PATH, help="Raster of the same size with the probability of each pixel's class.")
@click.option("--minimum-area", type=METRES, metavar="M2", help="Minimum mapping unit; 0 keeps all. [16 pixels]")
@click.option("--class-minimum-area", multiple=True, metavar="ID=M2", help="The same for one class; may be repeated.")
@click.option("--protect", multiple=True, type=int, metavar="ID", help="A class that is never merged away.")
@click.option("--only", multiple=True, type=int, metavar="ID", help="Make areas of this class alone; may be repeated.")
@click.option("--nodata", type=int, metavar="ID", help="A value that is no class.")
@click.option("--simplify", type=METRES, metavar="M", help="Largest distance of a dropped vertex. [one pixel]")
@click.option("--smooth/--no-smooth", default=True, show_default=True, help="Cut lines at the corners of pixels.")
@click.option("--name", multiple=True, metavar="ID=NAME", help="Name of a class; may be repeated.")
@click.option("--strip", type=click.IntRange(1), help="Rows worked on at a time; does not change the result. [512]")
def landcover(raster: Path, output: Path, band: int, crs: str | None, as_json: bool, **words: Any) -> None:
    """Make a coverage of a raster of classes: polygons without gaps and overlaps."""
    job = Job(raster, output, band, checked_crs(crs))
    _run(as_json, _landcover, job, words)


def _run(as_json: bool, work: Callable[..., Result], job: Job, words: dict[str, Any]) -> None:
    """Run ``work`` with its output for itself."""

    def alone(context: RunContext) -> Result:
        """Vectorize while no other run writes the output."""
        with lock_outputs([job.output], [job.raster]):
            return work(job, words, context)

    run_reported(as_json, alone)


def _auto(job: Job, words: dict[str, Any], context: RunContext) -> Result:
    from ..raster.probability import has_class_values, open_raster

    with open_raster(job.raster) as dataset:
        classes = has_class_values(dataset, job.band)
    work = _landcover if classes else _roads
    return work(job, words, context)


def _origin(raster: Path) -> dict[str, str]:
    """What is written into vectors of where they are from: the raster, and the model where the raster names it."""
    from ..raster.probability import open_raster

    with open_raster(raster) as dataset:
        tags: dict[str, str] = dataset.tags()
    return {"source": raster.name, **{name: tags[name][:1000] for name in ("MODEL", "MODEL_SHA256") if name in tags}}


def _roads(job: Job, words: dict[str, Any], context: RunContext) -> Result:
    from ..vector.conflation import read_existing
    from ..vector.roads.extract import vectorize_roads
    from ..vector.roads.options import RoadOptions

    given = {name: value for name, value in words.items() if value is not None}
    existing, distance = given.pop("update", None), given.pop("update_distance", 10.0)
    begin = time.perf_counter()
    summary = vectorize_roads(
        job.raster,
        job.output,
        RoadOptions(**given),
        metadata=_origin(job.raster),
        context=context,
        band=job.band,
        crs=job.crs,
        existing=None if existing is None else read_existing(existing, distance),
    )
    text = f"{summary.length / 1000:.2f} km of road in {summary.edges} lines -> {job.output}"
    figures = summary.figures()
    if existing is not None:
        kinds = ", ".join(f"{float(value or 0) / 1000:.2f} km {name[:-2]}" for name, value in summary.changes.items())
        text += f" ({kinds})"
    return Result(
        outputs={role: str(path) for role, path in summary.layers.items()},
        summary=figures,
        seconds=time.perf_counter() - begin,
        text=text,
    )


def _landcover(job: Job, words: dict[str, Any], context: RunContext) -> Result:
    from ..vector.coverage import CoverageOptions, vectorize_landcover

    given = {name: words[name] for name in ("minimum_area", "nodata", "simplify", "smooth", "strip")
             if words.get(name) is not None}  # fmt: skip
    by_class = {int_key(key): as_float(value) for key, value in _pairs(words.get("class_minimum_area", ()))}
    options = CoverageOptions(
        **given,
        minimum_area_by_class=by_class,
        protected=frozenset(words.get("protect", ())),
        classes=frozenset(words["only"]) if words.get("only") else None,
    )
    begin = time.perf_counter()
    summary = vectorize_landcover(
        job.raster,
        job.output,
        options,
        confidence=words.get("confidence"),
        class_names={int_key(key): value for key, value in _pairs(words.get("name", ()))},
        metadata=_origin(job.raster),
        context=context,
        band=job.band,
        crs=job.crs,
    )
    return Result(
        outputs={role: str(path) for role, path in summary.layers.items()},
        summary=summary.figures(),
        seconds=time.perf_counter() - begin,
        text=f"{summary.polygons} polygons, {summary.area / 1e6:.3f} km² -> {job.output}",
    )


def checked_crs(text: str | None) -> str | None:
    """``text`` where it is a CRS.

    Raises:
        ParameterError: it is none.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if text is None:
        return None
    try:
        CRS.from_user_input(text)
    except CRSError as error:
        raise ParameterError(f"{text} is no CRS.", "Give one like EPSG:25832.") from error
    return text


def _pairs(words: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = [word.partition("=") for word in words]
    for key, equals, _ in pairs:
        if not equals:
            raise ParameterError(f"The class {key} is followed by no = and no value.", "Write it like 3=250.")
    return [(key, value) for key, _, value in pairs]


def int_key(text: str) -> int:
    """A class id from a word."""
    if not text.strip().isdecimal():
        raise ParameterError(f"{text} is no class number.")
    return int(text)


def as_float(text: str) -> float:
    """A number from a word."""
    try:
        return float(text)
    except ValueError as error:
        raise ParameterError(f"{text} is no number.") from error
