"""Predictions against labels over a split: pooled figures and the mean of the figures per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import ParameterError
from ..config import Config
from ..data.samples import Label
from ..metrics import Confusion, RelaxedCounts, confusion_matrix, relaxed_counts


@dataclass
class Judgement:
    """What was counted.

    Attributes:
        classes: number of classes; 2 for a mask (background and foreground).
        ignore: label value that counts nowhere.
        buffer: of the relaxed figures, pixels; 0 for none.
        matrix: pixels by (true class, predicted class).
        relaxed: counts of the relaxed figures.
        images: confusion matrix of each image.
    """

    classes: int
    ignore: int = 255
    buffer: int = 0
    matrix: NDArray[np.int64] = field(init=False)
    relaxed: RelaxedCounts = field(default_factory=RelaxedCounts)
    images: list[NDArray[np.int64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.matrix = np.zeros((self.classes, self.classes), np.int64)

    def add(self, truth: Label, predicted: NDArray[np.uint8]) -> None:
        """Count one image."""
        matrix = confusion_matrix(truth, predicted, self.classes, self.ignore)
        self.matrix += matrix
        self.images.append(matrix)
        if self.buffer and self.classes == 2:
            counted = truth != self.ignore
            self.relaxed = self.relaxed + relaxed_counts(
                (truth == 1) & counted, (predicted == 1) & counted, self.buffer
            )

    @property
    def confusion(self) -> Confusion:
        """The pooled confusion matrix."""
        return Confusion(self.matrix)

    def figures(self) -> dict[str, float]:
        """Pooled figures; means over the images where a figure is defined have the suffix ``_per_image``."""
        result = figures_of(self.matrix)
        if self.buffer and self.classes == 2:
            result.update(self.relaxed.summary())
        each = [figures_of(matrix) for matrix in self.images]
        for key in ("foreground_iou", "f1") if self.classes == 2 else ("mean_iou", "overall_acc"):
            values = np.array([figures[key] for figures in each if key in figures])
            present = values[~np.isnan(values)]
            if present.size:
                result[f"{key}_per_image"] = float(present.mean())
        return result


def figures_of(matrix: NDArray[np.int64]) -> dict[str, float]:
    """The figures of a mask for two classes (a single output channel), of many classes otherwise."""
    confusion = Confusion(matrix)
    if len(matrix) == 2:
        return {
            **confusion.foreground(),
            **{k: v for k, v in confusion.summary().items() if k in ("mean_acc", "mean_iou", "freqw_acc")},
        }
    return confusion.summary()


def class_names(config: Config) -> tuple[str, ...]:
    """A name for each row of the confusion matrix; a mask has two rows: background and the one class."""
    count = config.network.num_classes
    given = config.data.classes
    if count == 1:
        return ("background", given[0] if given else "foreground")
    if given and len(given) != count:
        raise ParameterError(f"data.classes has {len(given)} names, but network.num_classes is {count}.")
    return given or tuple(f"class {number}" for number in range(count))


def write_confusion(matrix: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Write a confusion matrix as a table: a row per true class, a column per predicted one, pixels."""
    lines = [",".join(["true \\ predicted", *names])]
    lines += [",".join([name, *map(str, row)]) for name, row in zip(names, matrix.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
