"""Options that several commands share, made from their declarations, and the types of their values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from ..context import RunContext
from ..errors import ParameterError, shorten
from ..fs.paths import is_name_too_long
from ..pipeline.batch import run_batch, split_request
from ..pipeline.request import ClassRequest, ImageRequest, RoadRequest
from ..protocol.declaration import Option, options_of
from ..protocol.messages import Result
from ..protocol.options import (
    ClusterOptions,
    CoverageOptions,
    ImageOptions,
    OutputOptions,
    RoadOptions,
    RuntimeOptions,
    SourceOptions,
)
from ..raster.sources import find_sources
from ..runtimes.pool import SessionPool
from .cli_context import current_cli_context

F = TypeVar("F", bound=Callable[..., Any])
D = TypeVar("D")
R = TypeVar("R", RoadRequest, ClassRequest)


class FiniteRange(click.FloatRange):
    """A finite number in a range; click's own type takes nan for a number in any range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; fails for one that is not finite or not in the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class FilePath(click.Path):
    """A path, which is not empty and whose name the libraries that read and write files can encode."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails for a name that is empty or not UTF-8."""
        if not os.fspath(value):
            self.fail("the name of the file is empty.", param, ctx)
        path = super().convert(value, param, ctx)
        if is_name_too_long(Path(os.fsdecode(path))):
            self.fail(f"the name '{shorten(os.fsdecode(path))}' is too long for a file.", param, ctx)
        try:
            os.fsdecode(path).encode("utf-8")
        except UnicodeEncodeError:
            text = f"{os.fsdecode(path)!a} is not UTF-8; rename the file or folder, or use a UTF-8 locale."
            self.fail(text, param, ctx)
        return path


class GeoTiffPath(FilePath):
    """The name of a raster to write: what is written is a GeoTIFF, and others look at the suffix.

    A name without suffix may be a folder, with --separate; ``make_request`` checks that.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails for a name with another suffix."""
        path = super().convert(value, param, ctx)
        name = Path(os.fsdecode(path))
        if name.suffix and not name.is_dir() and not is_geotiff(name):
            self.fail(refuse_raster(name), param, ctx)
        return path


def is_geotiff(path: Path) -> bool:
    """Whether ``path`` has the suffix of a GeoTIFF."""
    return path.suffix.lower() in (".tif", ".tiff")


def refuse_raster(path: Path) -> str:
    """Explain that ``path`` cannot be the name of a raster."""
    return f"rasters are written as GeoTIFF, so the name '{shorten(path)}' must end in .tif or .tiff."


class SourceName(FilePath):
    """The name of an image, or of several: a pattern, an address; as text, because a path changes addresses."""

    name = "image"


PATH = FilePath(path_type=Path)
SOURCE = SourceName(path_type=str)
GEOTIFF = GeoTiffPath(path_type=Path)


def add_options(*options: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that adds click options, in the order of the help."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def parse_list(kind: str, form: str) -> Callable[..., Any]:
    """Make a callback that parses numbers or names with commas between them.

    Args:
        kind: type of the value, such as ``tuple[int, ...]`` or ``tuple[float, float]``.
        form: how the items are written, for errors.
    """
    items = kind[len("tuple[") : -1].split(", ")
    make: Callable[[str], Any] = {"int": int, "float": float}.get(items[0], str.strip)

    def parse(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        """The items in the option's text; None where it is not given."""
        if value is None:
            return None
        try:
            found = tuple(map(make, value.split(",")))
        except ValueError:
            found = ()
        if not found or (len(found) != len(items) and items[-1] != "..."):
            raise click.BadParameter(f"'{shorten(value)}' is not of the form {form}.")
        return tuple(item for item in found if item != "")

    return parse


#: Names of values on the command line by unit, or else by type.
_METAVARS = {"m": "M", "m²": "M2", "MB": "MB", "int": "N", "float": "X", "str": "NAME", "Path": "FILE"}


class GroupedOption(click.Option):
    """An option that stands under a heading of its own in the help of a ``GroupedCommand``.

    Args:
        heading: the heading; empty for that of all other options.
        facts: as for ``click.Option``.
    """

    def __init__(self, *names: Any, heading: str = "", **facts: Any) -> None:
        super().__init__(*names, **facts)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command with so many options that its help has headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options without a heading first, then the others under theirs."""
        records: dict[str, list[tuple[str, str]]] = {"": []}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                records.setdefault(getattr(parameter, "heading", ""), []).append(record)
        for heading, found in records.items():
            with formatter.section(heading or "Options"):
                formatter.write_dl(found)


def declared_options(declaration: type, *names: str, heading: str = "") -> Callable[[F], F]:
    """Make click options of the fields of a dataclass that declares them with ``protocol.options.option``.

    Every value is None unless it is given, so that ``given_options`` leaves the dataclass its defaults.

    Args:
        declaration: the dataclass.
        names: fields to take, in the order of the help; all of them unless given.
        heading: see ``GroupedOption``.
    """
    return add_options(*(_click_option(option, heading) for option in options_of(declaration, *names).values()))


def _click_option(option: Option, heading: str) -> Callable[[F], F]:
    info, flags = option.info, f"--{option.flag}"
    facts: dict[str, Any]
    if option.kind == "bool":
        flags += f"/--no-{option.flag}" if option.default else ""
        facts = {"is_flag": True, "default": None}
    elif info.items:
        facts = {"multiple": True, "type": int if info.items == "ID" else str, "metavar": info.items}
    elif info.choices:
        facts = {"type": click.Choice(info.choices)}
    else:
        metavar = info.metavar or _METAVARS.get(info.unit) or _METAVARS.get(option.kind, "X")
        is_list = option.kind.startswith("tuple")
        facts = {"callback": parse_list(option.kind, metavar)} if is_list else {"type": _value_type(option)}
        facts["metavar"] = metavar
    text = f"{info.help} [{option.default_text}]" if option.default_text else info.help
    return click.option(flags, option.name, cls=GroupedOption, heading=heading, help=text, **facts)


def _value_type(option: Option) -> Any:
    """The type of click for a single value."""
    info = option.info
    if option.kind == "int" and info.minimum is not None:
        return click.IntRange(int(info.minimum), None if info.maximum is None else int(info.maximum))
    if option.kind == "float" and info.minimum is not None:
        return FiniteRange(info.minimum, info.maximum, min_open=info.above)
    return {"Path": PATH, "int": int, "float": float}.get(option.kind, str)


def given_options(declaration: type[D], values: Mapping[str, Any], **parsed: Any) -> D:
    """Make a dataclass of options from the values of a command; what was not given keeps its default.

    Args:
        declaration: the dataclass.
        values: the command's values by name; those that are no fields of the dataclass are left out.
        parsed: values that had to be parsed first.

    Raises:
        ParameterError: a value is out of its range.
    """
    given = {entry.name: values.get(entry.name) for entry in fields(declaration)} | parsed  # type: ignore[arg-type]
    given = {name: value for name, value in given.items() if value is not None and value != ()}
    parsers: dict[str, Callable[[Any], Any]] = {"ID=M2": parse_numbers, "ID": frozenset}
    for name, option in options_of(declaration).items():
        if name in given and option.info.items in parsers:
            given[name] = parsers[option.info.items](given[name])
    return declaration(**given)


def parse_numbers(items: Sequence[str]) -> dict[int, float]:
    """Parse the items of an option that is repeated for several classes, ``ID=NUMBER``.

    Raises:
        ParameterError: an item has no ``=``, no class number before it or no number behind it.
    """
    return {key: _parse_number(value) for key, value in parse_texts(items).items()}


def parse_texts(items: Sequence[str]) -> dict[int, str]:
    """Parse the items of an option that is repeated for several classes, ``ID=TEXT``; errors as ``parse_numbers``."""
    pairs = [item.partition("=") for item in items]
    for key, equals, _ in pairs:
        if not equals:
            raise ParameterError(f"The class {shorten(key)} is followed by no = and no value.", "Write it like 3=250.")
        if not key.strip().isdecimal():
            raise ParameterError(f"{shorten(key)} is no class number.")
    return {int(key): value for key, _, value in pairs}


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ParameterError(f"{shorten(text)} is no number.") from error


@dataclass(frozen=True)
class VectorOptions(Generic[D]):
    """The options of the vectors of commands that run a model: those of the task that the command has no own ones for.

    Args:
        declaration: all options of the task's vectors.
        without: fields that the commands do not have, because another option of theirs has the name or the meaning.
    """

    declaration: type[D]
    without: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The fields that the commands have."""
        return [name for name in options_of(self.declaration) if name not in self.without]

    def add(self, command: F) -> F:
        """Add the options to a command, under a heading of their own."""
        return declared_options(self.declaration, *self.names, heading="Options of the vectors")(command)

    def read(self, values: Mapping[str, Any], **others: Any) -> D:
        """Make the dataclass from the values of a command, and ``others`` of those that the command does not have.

        Raises:
            ParameterError: a value is out of its range.
        """
        return given_options(self.declaration, {name: values[name] for name in self.names} | others)


#: The engine chooses tiles, strips and threads of vectors by itself where it computes a network beside them.
ROAD_VECTORS = VectorOptions(RoadOptions, without=("threshold", "tile", "threads"))
CLASS_VECTORS = VectorOptions(CoverageOptions, without=("strip",))


def threshold_option(text: str) -> Callable[[F], F]:
    """Make the option of the threshold on probabilities, from 0 to 1."""
    return click.option("--threshold", type=FiniteRange(0, 1), metavar="P", help=text)


#: Fields of requests that are rasters to write.
_RASTERS = ("probability", "classes", "confidence")

#: The options of everything that runs a model over images, the images themselves first.
image_options = add_options(
    click.argument("images", type=SOURCE, nargs=-1, required=True, metavar="IMAGE..."),
    declared_options(SourceOptions, "asset"),
    declared_options(ImageOptions),
    declared_options(RuntimeOptions),
)

#: The options of everything that writes what a model gives.
run_options = add_options(
    declared_options(OutputOptions),
    declared_options(ClusterOptions),
    declared_options(SourceOptions, "separate"),
    click.option("--resume", is_flag=True, help="Go on with the unfinished run of this output, where there is one."),
)


def make_image_request(images: Sequence[str], options: Mapping[str, Any], context: RunContext) -> ImageRequest:
    """Make the request for images from the values of ``image_options``; ``context`` receives what is said of them."""
    (image, *others), remarks = find_sources(images, given_options(SourceOptions, options))
    for remark in remarks:
        context.report(remark)
    runtime = given_options(RuntimeOptions, options)
    return ImageRequest(image, given_options(ImageOptions, options), runtime, tuple(others))


def make_request(
    kind: type[R],
    images: Sequence[str],
    values: Mapping[str, Any],
    names: Sequence[str],
    context: RunContext,
    **further: Any,
) -> R:
    """Make the request of a run from the values of its command.

    Args:
        kind: ``RoadRequest`` or ``ClassRequest``.
        images: what the person named.
        values: of the command, with those of ``image_options`` and ``OutputOptions``.
        names: values that the request has under the same name.
        context: receives what is said of the images.
        further: values of the request under their names.
    """
    further |= {name: values[name] for name in names}
    rasters = (path for name, path in further.items() if name in _RASTERS and path is not None)
    if not values["separate"]:
        for path in rasters:
            if not is_geotiff(path):
                raise click.BadParameter(refuse_raster(path))
    request = make_image_request(images, values, context)
    return kind(request, writing=given_options(OutputOptions, values), **further)


def run_request(
    request: R,
    separate: bool | None,
    run: Callable[[R, SessionPool, RunContext], Result],
    context: RunContext,
) -> Result:
    """Run a request as one; where ``separate`` is set, once for each of its images with one session."""
    cli_context = current_cli_context()
    if not separate:
        return run(request, cli_context.session_pool(), context)
    with ExitStack() as stack:
        sessions = cli_context.sessions or stack.enter_context(cli_context.session_pool(1))
        items = split_request(request)
        return run_batch(
            items, lambda each, part: run(each, sessions, part), context, overwrite=request.writing.overwrite
        )
