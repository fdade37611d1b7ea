"""Evaluation of a network on a split, in training and of a checkpoint, with its report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mindspore import nn
from numpy.typing import NDArray

from ...engine.context import RunContext
from ...engine.fs.outputs import check_written_files
from ..backend import ProcessGroup, configure_mindspore
from ..config import Config, class_names
from ..data import ImageCache, Sample, Source, open_sources, read_label
from ..data.checks import check_files, describe_missing
from ..data.labels import CITYSCAPES_TRAIN_IDS
from ..data.samples import Label
from ..metrics import InstanceCounts, class_metrics, replace_nan
from ..networks.registry import create_configured_network
from .calibration import Calibration, merge_calibrations, plot_calibration, write_calibration
from .plots import class_colours, plot_confusion, save_classes
from .predictor import Predictor, checkpoint_path, load_predictor
from .scores import SegmentationScores, SourceScores, line_buffer_pixels, write_confusion

#: Files of a report: metrics, and the confusion matrix and the calibration as table and picture.
REPORT_FILES = ("metrics.json", "confusion.csv", "confusion.png", "calibration.csv", "calibration.png")

#: Cityscapes' classes that have instances, from person to bicycle.
_INSTANCE_CLASSES = {label: number for label, number in CITYSCAPES_TRAIN_IDS.items() if number >= 11}


def predict_split(
    images: ImageCache, predictor: Predictor, group: ProcessGroup, *, limit: int = 0, context: RunContext | None = None
) -> Iterator[tuple[Sample, Label, NDArray[np.float32], NDArray[np.uint8]]]:
    """Predict this process's share of the images of a split.

    Args:
        images: the split.
        predictor: of probabilities and class ids.
        group: this process among those that evaluate together.
        limit: at most so many images over all processes; 0 for all.
        context: its cancellation is checked before each image.

    Yields:
        Of each image: its sample, label (H, W), probabilities (classes, H, W) and predicted class ids (H, W).

    Raises:
        Cancelled: the evaluation was stopped.
    """
    for index in range(group.rank, len(images.split.samples[: limit or None]), group.size):
        if context is not None:
            context.check_cancelled()
        image, label = images.read(index)
        probabilities = predictor.predict(image)
        yield images.split.samples[index], label, probabilities, predictor.classify(probabilities)


@dataclass(frozen=True)
class EvaluationReport:
    """Result of an evaluation.

    Attributes:
        metrics: by name; NaN where a metric is undefined.
        per_class: one row of metrics per class.
        by_source: metrics of each source by its name; empty unless there are several.
        images: number of images.
        seconds: duration.
        matrix: confusion matrix, pixels by (true class, predicted class).
        calibration: by source; a single one has no name.
    """

    metrics: dict[str, float]
    per_class: list[dict[str, float | str]]
    by_source: dict[str, dict[str, float]]
    images: int
    seconds: float
    matrix: NDArray[np.int64]
    calibration: dict[str, Calibration]

    def json_metrics(self) -> dict[str, float | None]:
        """The metrics with None for NaN, which JSON does not have."""
        return {key: replace_nan(value) for key, value in self.metrics.items()}

    def text(self) -> str:
        """One line for a person; with several sources also one of each."""
        lines = [f"{self.images} images in {self.seconds:.1f} s: {_list_metrics(self.metrics)}"]
        return "\n".join(lines + [f"{name}: {_list_metrics(table)}" for name, table in self.by_source.items()])

    def write(self, names: Sequence[str], folder: Path) -> None:
        """Write ``metrics.json``, and confusion matrix and calibration as table and picture, into ``folder``.

        Args:
            names: of the rows of the confusion matrix.
            folder: created if it does not exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        values = {
            "metrics": self.metrics,
            "images": self.images,
            "seconds": self.seconds,
            "classes": self.per_class,
            "sources": self.by_source,
        }
        metrics, table, picture, curve, curve_picture = (folder / name for name in REPORT_FILES)
        metrics.write_text(json.dumps(replace_nan(values), indent=2) + "\n", "utf-8")
        write_confusion(self.matrix, names, table)
        plot_confusion(self.matrix, names, picture)
        write_calibration(self.calibration, curve)
        plot_calibration(self.calibration, curve_picture)


def _list_metrics(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())


def evaluate_checkpoint(
    config: Config,
    checkpoint: Path | None,
    *,
    split: str | None = None,
    out: Path | None = None,
    save_predictions: bool = False,
    overwrite: bool = False,
    context: RunContext | None = None,
    make_network: Callable[[Config], nn.Cell] = create_configured_network,
) -> EvaluationReport:
    """Evaluate a checkpoint on a split.

    Args:
        config: data, network, and how images are predicted.
        checkpoint: the weights; ``init.checkpoint`` unless given.
        split: name of the split; ``data.test`` unless given.
        out: folder for ``REPORT_FILES`` and ``predictions/``.
        save_predictions: whether to write the predictions.
        overwrite: whether existing files may be replaced.
        context: its cancellation is checked before each image.
        make_network: creates the network.

    Raises:
        ParameterError: there is no checkpoint to evaluate.
        CheckpointError: the checkpoint is damaged or of another network.
        SourceError: the data are missing.
        OutputError: a file exists already.
        Cancelled: the evaluation was stopped.
    """
    context, path = context or RunContext(), checkpoint_path(config, checkpoint)
    sources, names = open_sources(config, split), class_names(config)
    relaxed, lines, limit = config.evaluation.relaxed, line_buffer_pixels(config), config.evaluation.limit
    _check_files(sources, out, save_predictions, overwrite)
    group = configure_mindspore(config.train, config.seed)
    predictor = load_predictor(config, path, make_network)
    instances, started, count = InstanceCounts(_INSTANCE_CLASSES, config.data.ignore), time.perf_counter(), 0
    has_instances = config.data.layout == "cityscapes" and group.size == 1
    tables: dict[str, SegmentationScores] = {}
    curves: dict[str, Calibration] = {}
    for source in sources:
        scores = tables[source.name] = SegmentationScores(len(names), config.data.ignore, relaxed, lines)
        curve = curves[source.name] = Calibration(config.data.ignore, is_mask=config.network.num_classes == 1)
        predictions = predict_split(ImageCache(source.split, 0), predictor, group, limit=limit, context=context)
        for sample, label, probabilities, predicted in predictions:
            scores.add(label, predicted)
            curve.add(label, probabilities)
            if save_predictions and out is not None:
                save_classes(predicted, class_colours(config), out / "predictions" / source.name / f"{sample.id}.png")
            if sample.instances is not None and has_instances:
                instances.add(label, predicted, read_label(sample.instances))
        scores.pool(group)
        curve.pool(group)
        count += len(source.split.samples[: limit or None])
        _warn_of_nothing(source, scores, names, context)
    seconds = time.perf_counter() - started
    report = _make_report(SourceScores(tables), curves, instances, names, images=count, seconds=seconds)
    if out is not None and group.is_main:
        report.write(names, out)
    return report


def _make_report(
    scores: SourceScores,
    curves: dict[str, Calibration],
    instances: InstanceCounts,
    names: Sequence[str],
    *,
    images: int,
    seconds: float,
) -> EvaluationReport:
    """Make the report of what was counted, by source; ``names`` are those of the confusion matrix."""
    further = merge_calibrations(curves).metrics()
    tables = scores.by_source() if len(curves) > 1 else {}
    return EvaluationReport(
        metrics=scores.metrics() | further | (instances.summary(names) if instances.instances else {}),
        per_class=class_metrics(scores.matrix, names),
        by_source={name: table | curves[name].metrics() for name, table in tables.items()},
        images=images,
        seconds=seconds,
        matrix=scores.matrix,
        calibration=curves,
    )


def _warn_of_nothing(source: Source, scores: SegmentationScores, names: Sequence[str], context: RunContext) -> None:
    """Warn of classes of which there is no pixel in the labels, so that their metrics say nothing."""
    counts = scores.matrix.sum(1)
    missing = [name for name, count in zip(names, counts, strict=True) if not count]
    if missing:
        context.warn(f"{describe_missing(source.split, missing)} Its metrics are not defined there.")
    if len(names) == 2 and counts[1] and not scores.matrix[:, 1].any():
        context.warn(f"No pixel of {source.split.name!r} was predicted as {names[1]}; is the checkpoint of this data?")


def _check_files(sources: Sequence[Source], out: Path | None, save_predictions: bool, overwrite: bool) -> None:
    """Raise ``UserError`` if the files of an evaluation exist and must not be replaced, or if an image is missing."""
    if out is not None:
        samples = [(source.name, sample) for source in sources for sample in source.split.samples]
        read = [path for _, sample in samples for path in (sample.image, sample.label) if path is not None]
        pictures = [out / "predictions" / name / f"{sample.id}.png" for name, sample in samples]
        written = [*(out / name for name in REPORT_FILES), *(pictures if save_predictions else ())]
        check_written_files(written, read, overwrite=overwrite)
    for source in sources:
        check_files(source.split)
