"""From parameters to the words of the engine's command line. Pure functions.

Every value stands in one word with its option (``--option=value``) and every path is absolute, so that no name of
a layer, a file or a model can become an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What all runs of a model over an image share; None and empty leave the choice to the engine."""

    model: str = ""
    extent: tuple[float, float, float, float] | None = None
    area: Path | None = None
    bands: tuple[int, ...] = ()
    threshold: float | None = None
    overlap: int | None = None
    tile: int = 0
    threads: int = 0
    device: str = "auto"
    runtime: str = "auto"
    tta: bool = False
    memory: int = 0
    resume: bool = False


def extract_words(task: str, image: Path, output: Path, options: Options, rasters: dict[str, Path]) -> list[str]:
    """``extract roads`` and ``extract landcover``.

    Args:
        task: ``roads`` or ``landcover``.
        image: the image's file.
        output: the GeoPackage to write.
        options: the run's options.
        rasters: option's name -> raster to write beside the vectors.
    """
    words = ["extract", task, str(image), f"--output={output}", *_shared(options)]
    words += [f"--{name}={path}" for name, path in rasters.items()]
    return words


def segment_words(image: Path, output: Path, options: Options, vectors: Path | None) -> list[str]:
    """``segment``: the raster of classes or of probabilities, and its vectors where ``vectors`` is given."""
    words = ["segment", str(image), f"--output={output}", *_shared(options)]
    return words + ([f"--vectors={vectors}"] if vectors is not None else [])


def plan_words(task: str, image: Path, options: Options) -> list[str]:
    """``plan``: what a run over ``image`` would be; a threshold changes nothing about it."""
    wanted = [] if task == "segmentation" else [f"--task={task}"]
    return ["plan", str(image), *wanted, *_shared(replace(options, threshold=None, resume=False))]


def vectorize_words(kind: str, raster: Path, output: Path, values: dict[str, float | None]) -> list[str]:
    """``vectorize roads`` and ``vectorize landcover``: ``values`` by option, None for the engine's default."""
    words = ["vectorize", kind, str(raster), f"--output={output}"]
    return words + [f"--{name}={number(value)}" for name, value in values.items() if value is not None]


def chips_words(image: Path, vectors: Path, folder: Path, values: dict[str, str]) -> list[str]:
    """``chips``: training chips from an image and vectors."""
    words = ["chips", str(image), str(vectors), f"--output={folder}"]
    return words + [f"--{name}={value}" for name, value in values.items() if value]


def number(value: float) -> str:
    """``value`` as the engine reads it, whatever the locale."""
    return repr(round(value, 9)) if value != int(value) else str(int(value))


def _shared(options: Options) -> list[str]:
    words = []
    if options.model:
        words.append(f"--model={options.model}")
    if options.extent is not None:
        words.append("--extent=" + ",".join(repr(float(value)) for value in options.extent))
    if options.area is not None:
        words.append(f"--area={options.area}")
    if options.bands:
        words.append("--bands=" + ",".join(str(band) for band in options.bands))
    if options.threshold is not None:
        words.append(f"--threshold={number(options.threshold)}")
    for name in ("overlap", "tile", "threads", "memory"):
        if getattr(options, name):
            words.append(f"--{name}={getattr(options, name)}")
    words += _chosen("device", options.device) + _chosen("runtime", options.runtime)
    return words + [f"--{name}" for name in ("tta", "resume") if getattr(options, name)]


def _chosen(name: str, value: str) -> Sequence[str]:
    return [] if value in ("", "auto") else [f"--{name}={value}"]
