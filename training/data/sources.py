"""The data of a run: one data set, or several sources that are sampled by weight and resampled to one resolution."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...engine.context import RunContext
from ...engine.errors import ParameterError, SourceError
from ..config import Config, DataConfig, SourceConfig, class_names
from .checks import check_classes, check_files, describe_missing, find_missing_classes
from .layouts import open_split, open_train_val
from .samples import Sample, Split


@dataclass(frozen=True)
class Source:
    """Samples of one data set.

    Attributes:
        name: in columns and tables; empty where there is only one data set.
        split: its samples at the network's resolution.
        weight: share of the training samples, relative to the other sources.
    """

    name: str
    split: Split
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingData:
    """Samples of a run.

    Attributes:
        train: by source.
        validation: by source, in the same order, without sources that have no labels.
    """

    train: tuple[Source, ...]
    validation: tuple[Source, ...]


def open_training_data(config: Config, context: RunContext | None = None) -> TrainingData:
    """Open the training and validation samples of a run, and check their files and labels.

    Args:
        config: of the run.
        context: receives warnings; its cancellation is checked for each source.

    Raises:
        SourceError: files are missing or damaged, or there is nothing to learn from the labels.
        ParameterError: a resolution is missing.
    """
    context = context or RunContext()
    names = class_names(config)
    train, validation = [], []
    for source, data in source_configs(config):
        context.check_cancelled()
        kept, held = _open_unlabelled(data) if config.loss.teacher else open_train_val(data)
        check_files(kept)
        missing = check_classes(kept, names)
        if missing:
            context.warn(missing)
        opened = _at_resolution(kept, source, data, config, config.data.resize)
        train.append(Source(source.name, _ignore_band(opened, source, config), source.weight))
        if held is None:
            continue
        check_files(held)
        lacking = find_missing_classes(held, names)
        if lacking:
            context.warn(f"{describe_missing(held, lacking)} Its metrics are not defined there.")
        validation.append(Source(source.name, _at_resolution(held, source, data, config, 1.0), source.weight))
    if not validation:
        raise SourceError("No validation image has a label.", "Give data.val=SPLIT, a split with labels.")
    return TrainingData(tuple(train), tuple(validation))


def _open_unlabelled(data: DataConfig) -> tuple[Split, Split | None]:
    """Open training samples with or without label, and those of validation with label.

    Returns:
        Both splits; all samples and None where none of validation has a label.
    """
    train, validation = open_train_val(data)
    labelled = tuple(sample for sample in validation.samples if sample.label is not None)
    if not labelled and not data.val:
        train = open_split(data, data.train)
    return replace(train, needs_labels=False), replace(validation, samples=labelled) if labelled else None


def open_sources(config: Config, split: str | None = None) -> tuple[Source, ...]:
    """Open a split of each source; the test split of each unless given.

    Sources that only a teacher labels are left out, unless they name a split of their own for validation or test.

    Raises:
        SourceError: files are missing.
        ParameterError: a resolution is missing.
    """
    found = []
    for source, data in source_configs(config):
        may_lack_labels = source.name and config.loss.teacher and not (source.val or source.test)
        if may_lack_labels and all(sample.label is None for sample in open_split(data, data.train).samples):
            continue
        opened = open_split(data, split or data.test)
        found.append(Source(source.name, _at_resolution(opened, source, data, config, 1.0), source.weight))
    return tuple(found)


def source_configs(config: Config) -> list[tuple[SourceConfig, DataConfig]]:
    """Each source, by its name, with the data set that it is; a source without name if there is only one data set."""
    if not config.data.sources:
        return [(SourceConfig(), config.data)]
    pairs = []
    for source in config.data.sources:
        own = {
            key: value
            for key in ("root", "layout", "train", "val", "test", "label_map", "stretch")
            if (value := getattr(source, key))
        }
        named = replace(source, name=source.name or Path(source.root).resolve().name)
        pairs.append((named, replace(config.data, sources=(), **own)))
    names = [source.name for source, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"There are several data.sources with the name {name!r}.", "Give each its own name.")
    return pairs


def _at_resolution(split: Split, source: SourceConfig, data: DataConfig, config: Config, resize: float) -> Split:
    """The split with its images as the network sees them: contrast and resolution; areas without image ignored."""
    contrast = config.normalisation.contrast
    if contrast is not None:
        split = replace(split, contrast=data.stretch.stretch if data.stretch else contrast)
    if not source.name:
        return replace(split, scales=(resize,) * len(split.samples)) if resize != 1 else split
    resolutions = _read_resolutions(split.samples, source, data)
    if any(resolutions) and not config.resolution:
        raise ParameterError(
            f"The source {source.name!r} has a resolution, but that of the network is not known.", "Set resolution."
        )
    scales = tuple(resize * metres / config.resolution if metres else resize for metres in resolutions)
    return replace(split, name=f"{split.name} of {source.name}", scales=scales, find_blank=True)


def _ignore_band(split: Split, source: SourceConfig, config: Config) -> Split:
    """The training split without the background beside its labels; validation counts all pixels."""
    if not any(source.ignore_band):
        return split
    if not config.resolution or config.network.num_classes > 1:
        raise ParameterError(
            f"The source {source.name!r} has an ignore_band, which needs a network of one class and its resolution.",
            "Set resolution, or remove ignore_band.",
        )
    low, high = (metres / config.resolution for metres in source.ignore_band)
    return replace(split, ignore_band=(low, high))


def _read_resolutions(samples: Sequence[Sample], source: SourceConfig, data: DataConfig) -> list[float]:
    """Metres per pixel of each image; 0 where it is the network's."""
    if not isinstance(source.resolution, str):
        return [source.resolution] * len(samples)
    path = Path(data.root) / source.resolution
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"The table of resolutions {path} cannot be read.") from error
    table: dict[str, float] = {}
    for number, row in enumerate(rows, 2):
        try:
            metres = float(row.get("resolution") or row["resolution_m"])
            table[row["name"]] = metres
        except (KeyError, TypeError, ValueError):
            metres = 0.0
        if not 0 < metres < 1e6:
            raise SourceError(f"Line {number} of {path} has no name or no resolution in metres.")
    found = []
    for sample in samples:
        # Layouts and MindRecord call the same image differently.
        names = (sample.id, sample.image.stem, sample.image.stem.removesuffix("_sat"))
        metres = next((table[name] for name in names if name in table), 0.0)
        if not metres:
            raise SourceError(f"{path} has no resolution of the image {names[-1]}.")
        found.append(metres)
    return found
