"""Scores of predictions against labels over a split: pooled over all pixels, and averaged over the images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.vector.metrics.raster import count_pixels, mean_defined
from ...engine.vector.metrics.skeletons import BufferCounts, compare_skeletons
from ..backend import ProcessGroup
from ..config import Config
from ..data.samples import Label
from ..metrics import matrix_metrics, relaxed_counts

#: Metrics of the confusion matrix that are also given as a mean over images, and by source: of a mask, of many classes.
MASK_METRICS = ("foreground_iou", "f1")
CLASS_METRICS = ("mean_iou", "overall_acc")
#: Metrics that are also given by source.
MAIN_METRICS = (*MASK_METRICS, "line_f1", *CLASS_METRICS)


@dataclass
class SegmentationScores:
    """Counts over the images of a split; add images one by one.

    Attributes:
        classes: number of classes; 2 for a mask (background and foreground).
        ignore: label value that is not counted.
        buffer: of the relaxed metrics, pixels; 0 for none.
        line_buffer: of the line F1, pixels; 0 for none.
        matrix: pixels by (true class, predicted class).
        relaxed: counts of the relaxed metrics.
        lines: counts of the line F1.
        images: confusion matrix of each image.
    """

    classes: int
    ignore: int = 255
    buffer: int = 0
    line_buffer: float = 0.0
    matrix: NDArray[np.int64] = field(init=False)
    relaxed: BufferCounts = field(default_factory=BufferCounts)
    lines: BufferCounts = field(default_factory=BufferCounts)
    images: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matrix = np.zeros((self.classes, self.classes), np.int64)

    def add(self, truth: Label, predicted: NDArray[np.uint8]) -> None:
        """Count an image: class ids of label and prediction, both (H, W)."""
        matrix = count_pixels([(predicted, truth)], range(self.classes), self.ignore).matrix[:, :-1]
        self.matrix += matrix
        self.images.append(matrix)
        if self.classes != 2:
            return
        counted = truth != self.ignore
        if self.buffer:
            self.relaxed += relaxed_counts((truth == 1) & counted, (predicted == 1) & counted, self.buffer)
        if self.line_buffer:
            masks = predicted == 1, (truth == 1) & counted, counted
            self.lines += compare_skeletons([masks], (1.0, 1.0), self.line_buffer)

    def pool(self, group: ProcessGroup) -> None:
        """Replace the counts of this process by those of all processes.

        Metrics per image need every image in one process: with several processes they are dropped.
        """
        if group.size > 1:
            self.matrix = group.sum_counts(self.matrix)
            self.relaxed, self.lines = (
                BufferCounts(*group.sum_counts(np.array(astuple(counts), np.int64)).tolist())
                for counts in (self.relaxed, self.lines)
            )
            self.images = []

    def metrics(self) -> dict[str, float]:
        """Pooled metrics by name; means over the images where a metric is defined have the suffix ``_per_image``."""
        result = matrix_metrics(self.matrix)
        if self.buffer and self.classes == 2:
            relaxed = self.relaxed
            result |= {
                "relaxed_precision": relaxed.correctness,
                "relaxed_recall": relaxed.completeness,
                "relaxed_f1": relaxed.f1,
            }
        if self.line_buffer and self.classes == 2:
            lines = self.lines
            result |= {
                "line_f1": lines.f1,
                "line_completeness": lines.completeness,
                "line_correctness": lines.correctness,
            }
        per_image = [matrix_metrics(matrix) for matrix in self.images]
        for key in MASK_METRICS if self.classes == 2 else CLASS_METRICS:
            mean = mean_defined(np.array([metrics[key] for metrics in per_image]))
            if not math.isnan(mean):
                result[f"{key}_per_image"] = mean
        return result


@dataclass(frozen=True)
class SourceScores:
    """Scores of several data sets.

    Attributes:
        sources: scores by name of the source; a single one has no name.
    """

    sources: Mapping[str, SegmentationScores]

    @property
    def matrix(self) -> NDArray[np.int64]:
        """Confusion matrix over all sources."""
        return np.asarray(np.sum([scores.matrix for scores in self.sources.values()], axis=0), np.int64)

    def by_source(self) -> dict[str, dict[str, float]]:
        """Metrics of each source by its name."""
        return {name: scores.metrics() for name, scores in self.sources.items()}

    def metrics(self) -> dict[str, float]:
        """Metrics of the only source; or the means over the sources, and ``<metric>_<source>`` for the main metrics."""
        tables = self.by_source()
        first = next(iter(tables.values()))
        if len(tables) == 1:
            return first
        result = {key: mean_defined(np.array([table.get(key, np.nan) for table in tables.values()])) for key in first}
        main = [key for key in MAIN_METRICS if key in first]
        return {**result, **{f"{key}_{name}": table[key] for key in main for name, table in tables.items()}}


def line_buffer_pixels(config: Config) -> float:
    """Largest distance of matching skeletons in pixels; a pixel is taken as a metre where its size is not known."""
    return config.evaluation.line_buffer / (config.resolution or 1.0)


def write_confusion(matrix: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Write a confusion matrix as CSV: a row per true class, a column per predicted one, in pixels."""
    lines = [",".join(["true \\ predicted", *names])]
    lines += [",".join([name, *map(str, row)]) for name, row in zip(names, matrix.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
