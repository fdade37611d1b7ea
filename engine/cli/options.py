"""Options that several commands share, and from their words to values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..pipeline.request import ImageRequest, RuntimeOptions
from ..protocol.options import Option, options_of

F = TypeVar("F", bound=Callable[..., Any])
D = TypeVar("D")


class GeoTiffPath(click.Path):
    """The name of a raster to write: what is written is a GeoTIFF, and others look at the suffix."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails for a name with another suffix."""
        path = super().convert(value, param, ctx)
        if Path(os.fsdecode(path)).suffix.lower() not in (".tif", ".tiff"):
            self.fail(f"rasters are written as GeoTIFF, so the name '{value}' must end in .tif or .tiff.", param, ctx)
        return path


PATH = click.Path(path_type=Path)
GEOTIFF = GeoTiffPath(path_type=Path)
RUNTIME_NAMES = ("device", "runtime", "precision", "threads")
IMAGE_NAMES = (
    "model",
    "bands",
    "extent",
    "area",
    "resolution",
    "pixel_size",
    "subdataset",
    "tile",
    "overlap",
    "memory",
    "tta",
)


def _numbers(kind: type[int] | type[float], count: int | None, form: str) -> Callable[..., Any]:
    """What makes a tuple of numbers of text with commas between them.

    Args:
        kind: ``int`` or ``float``.
        count: how many there must be; None for any number of them.
        form: how they are written, for errors.
    """

    def convert(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        """The numbers in the option's text; None where it is not given."""
        if value is None:
            return None
        try:
            numbers = tuple(kind(part) for part in value.split(","))
        except ValueError:
            raise click.BadParameter(f"'{value}' is not of the form {form}.") from None
        if count is not None and len(numbers) != count:
            raise click.BadParameter(f"'{value}' is not of the form {form}.")
        return numbers

    return convert


#: Names of values on the command line by unit.
_METAVARS = {"m": "M", "m²": "M2", "pixels": "N", "rows": "N", "MB": "MB"}


def declared_options(declaration: type, *names: str) -> Callable[[F], F]:
    """Make click options of the fields of a dataclass that declares them with ``protocol.options.option``.

    Every value is None unless it is given, so that ``given_options`` leaves the dataclass its defaults.

    Args:
        declaration: the dataclass.
        names: fields to take, in the order of the help; all of them unless given.
    """
    made = [_click_option(option) for option in options_of(declaration, *names).values()]

    def add(command: F) -> F:
        for click_option in reversed(made):
            command = click_option(command)
        return command

    return add


def _click_option(option: Option) -> Callable[[F], F]:
    info = option.info
    text = f"{info.help} [{option.default_text}]" if option.default_text else info.help
    if option.kind == "bool":
        return click.option(f"--{option.flag}/--no-{option.flag}", option.name, default=None, help=text)
    if info.items:
        value: Any = int if info.items == "ID" else str
        return click.option(f"--{option.flag}", option.name, multiple=True, type=value, metavar=info.items, help=text)
    kind: click.FloatRange | click.IntRange | click.types.IntParamType = click.FloatRange(
        info.minimum, info.maximum, min_open=info.above
    )
    if option.kind == "int":
        kind = click.INT if info.minimum is None else click.IntRange(int(info.minimum))
    return click.option(
        f"--{option.flag}", option.name, type=kind, metavar=info.metavar or _METAVARS.get(info.unit, "X"), help=text
    )


def given_options(declaration: type[D], values: Mapping[str, Any], **parsed: Any) -> D:
    """Make a dataclass of options from the values of a command; what was not given keeps its default.

    Args:
        declaration: the dataclass.
        values: the command's values by name; names that the dataclass does not declare are left out.
        parsed: values that had to be parsed first.

    Raises:
        ParameterError: a value is out of its range.
    """
    given = {name: values.get(name) for name in options_of(declaration)} | parsed
    return declaration(**{name: value for name, value in given.items() if value is not None and value != ()})


subdataset_option = click.option(
    "--subdataset", metavar="NUMBER", help="Which image of a file that holds several: its number or its name."
)
resume_option = click.option(
    "--resume", is_flag=True, help="Go on with the unfinished run of this output, where there is one."
)
_EXTENT = "xmin,ymin,xmax,ymax"
_IMAGE_OPTIONS = (
    click.option("--model", help="Name, folder or weights file of the model; unless given the task's default."),
    click.option(
        "--bands",
        metavar="1,2,3",
        callback=_numbers(int, None, "1,2,3"),
        help="Bands of the image in the model's order.",
    ),
    click.option(
        "--extent",
        metavar=_EXTENT,
        callback=_numbers(float, 4, _EXTENT),
        help="Part of the image, in its coordinates.",
    ),
    click.option("--area", type=PATH, help="Vector file whose polygons restrict the work."),
    click.option("--resolution", type=float, metavar="M", help="Metres per pixel for the network; else the model's."),
    click.option("--pixel-size", type=float, metavar="M", help="Metres per pixel of an image without georeference."),
    subdataset_option,
    click.option("--tile", type=int, metavar="N", help="Pixels along a tile's side; else the model's."),
    click.option("--overlap", type=int, metavar="N", help="Pixels that neighbouring tiles share; else the model's."),
    click.option("--memory", type=click.IntRange(1), metavar="MB", help="Most memory to take; else the machine's."),
    click.option("--tta", is_flag=True, help="Average over eight flips and rotations: better, eight times slower."),
)
_RUNTIME_OPTIONS = (
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ascend, ..."),
    click.option("--runtime", default="auto", show_default=True, help="auto, openvino, onnxruntime, mindspore, ..."),
    click.option(
        "--precision",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
        help="float32 is exact; auto may take a shorter type.",
    ),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads; else all cores."),
)


def image_options(command: F) -> F:
    """Add the options of everything that runs a model over an image, the image itself first."""
    for option in reversed((click.argument("image", type=PATH), *_IMAGE_OPTIONS, *_RUNTIME_OPTIONS)):
        command = option(command)
    return command


def image_request(image: Path, words: dict[str, Any]) -> ImageRequest:
    """Take the values of ``image_options`` out of a command's ``words``."""
    runtime = RuntimeOptions(**{name: words.pop(name) for name in RUNTIME_NAMES})
    return ImageRequest(image=image, runtime=runtime, **{name: words.pop(name) for name in IMAGE_NAMES})
