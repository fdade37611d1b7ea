"""Arguments of the engine's command line. Pure functions, without QGIS.

Every value stands in one argument with its option (``--option=value``) and every path is absolute, so that no name of
a layer, a file or a model can become an option.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...engine.protocol.declaration import Option, options_of
from ...engine.protocol.options import ImageOptions, OutputOptions, RuntimeOptions


@dataclass(frozen=True)
class RunOptions:
    """Options of a run of a model over an image.

    Attributes:
        image: how the model sees the image.
        runtime: where and how the network runs.
        threshold: probability from which a pixel belongs to the class; None for the model's.
        resume: whether to continue the unfinished run of the output.
    """

    image: ImageOptions
    runtime: RuntimeOptions
    threshold: float | None = None
    resume: bool = False

    def to_arguments(self) -> list[str]:
        """Return the arguments of all options that differ from their defaults."""
        arguments = []
        for options in (self.image, self.runtime):
            declared = options_of(type(options))
            arguments += make_option_arguments((option, getattr(options, name)) for name, option in declared.items())
        if self.threshold is not None:
            arguments.append(f"--threshold={format_number(self.threshold)}")
        return [*arguments, "--resume"] if self.resume else arguments


def make_run_arguments(
    task: str,
    images: Sequence[str],
    output: Path,
    options: RunOptions,
    further: Mapping[str, Path],
    *,
    layer: str | None = None,
) -> list[str]:
    """Make the arguments of ``extract roads``, ``extract landcover`` and ``segment``.

    Args:
        task: ``roads``, ``landcover`` or ``segmentation``.
        images: files, folders or addresses; several form a mosaic.
        output: the GeoPackage to write; the raster of classes for ``segmentation``.
        options: the run's options.
        further: files to write too, by the option's name.
        layer: name of the main layer; None for its own.
    """
    command = ["segment"] if task == "segmentation" else ["extract", task]
    files = [f"--{name}={path}" for name, path in further.items()]
    writing = make_writing_arguments(layer)
    return [*command, *images, f"--output={output}", *writing, *options.to_arguments(), *files]


def make_batch_arguments(task: str, images: Sequence[str], folder: Path, options: RunOptions) -> list[str]:
    """Make the arguments of ``extract`` and ``segment`` with a result for each image in ``folder``."""
    command = ["segment"] if task == "segmentation" else ["extract", task]
    return [*command, *images, f"--output={folder}", "--separate", *options.to_arguments()]


def make_plan_arguments(task: str, images: Sequence[str], options: RunOptions) -> list[str]:
    """Make the arguments of ``plan``; threshold and resuming do not change a plan."""
    arguments = ["plan", *images, *([] if task == "segmentation" else [f"--task={task}"])]
    return arguments + replace(options, threshold=None, resume=False).to_arguments()


def make_vectorize_arguments(
    kind: str,
    raster: Path,
    output: Path,
    values: Iterable[tuple[Option, float | bool | None]] = (),
    *,
    layer: str | None = None,
) -> list[str]:
    """Make the arguments of ``vectorize roads`` and ``vectorize landcover``; None leaves a value to the engine."""
    writing = make_writing_arguments(layer)
    return ["vectorize", kind, str(raster), f"--output={output}", *writing, *make_option_arguments(values)]


def make_compare_arguments(result: Path, truth: Path, values: Iterable[tuple[Option, Any]] = ()) -> list[str]:
    """Make the arguments of ``compare``; None leaves a value to the engine."""
    return ["compare", str(result), str(truth), *make_option_arguments(values)]


def make_writing_arguments(layer: str | None) -> list[str]:
    """Make the arguments of how outputs are written: QGIS has asked before a file is replaced."""
    return make_option_arguments(zip(options_of(OutputOptions).values(), (layer, True)))


def make_chips_arguments(image: Path, vectors: Path, folder: Path, values: Mapping[str, str]) -> list[str]:
    """Make the arguments of ``chips``; ``values`` are by the option's name, empty ones are left out."""
    arguments = ["chips", str(image), str(vectors), f"--output={folder}"]
    return arguments + [f"--{name}={value}" for name, value in values.items() if value]


def make_option_arguments(values: Iterable[tuple[Option, Any]]) -> list[str]:
    """Make the arguments of declared options; values that are None or the default are left out."""
    arguments = []
    for option, value in values:
        if value is None or value == option.default:
            continue
        if option.kind == "bool":
            arguments.append(f"--{option.flag}" if value else f"--no-{option.flag}")
        elif option.info.items:
            arguments += [f"--{option.flag}={item}" for item in value]
        elif isinstance(value, tuple):
            arguments.append(f"--{option.flag}=" + ",".join(repr(item) for item in value))
        else:
            arguments.append(f"--{option.flag}={format_number(value) if isinstance(value, (int, float)) else value}")
    return arguments


def format_number(value: float) -> str:
    """Format ``value`` as the engine reads it, whatever the locale."""
    return repr(round(value, 9)) if value != int(value) else str(int(value))
