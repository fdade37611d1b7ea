"""Quality of a class raster or mask: accuracy, kappa, IoU, precision, recall and F1 from the confusion matrix.

Accuracy ("Overall Acc"), mean recall ("Mean Acc"), FreqW Acc and mean IoU are defined as by Long et al. (CVPR 2015). A
class that is in neither truth nor prediction is NaN and left out of means (some published code counts it as 0).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats, Ints, find_sorted

#: Class ids, of any integer type.
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ConfusionMatrix:
    """Pixels by true and predicted class; metrics per class are arrays (classes,), NaN where they are undefined.

    Attributes:
        matrix: int64 (classes, classes), pixels by true class (row) and predicted class (column); a further column
            counts predictions of other values.
        classes: the class ids, ascending; they name the metrics.
    """

    matrix: Ints
    classes: tuple[int, ...] = ()

    @property
    def true_pixels(self) -> Ints:
        """Pixels of each class in the truth."""
        return np.asarray(self.matrix.sum(axis=1), np.int64)

    @property
    def predicted_pixels(self) -> Ints:
        """Pixels of each class in the prediction."""
        return np.asarray(self.matrix.sum(axis=0)[: len(self.matrix)], np.int64)

    @property
    def correct_pixels(self) -> Ints:
        """Pixels of each class that are predicted right."""
        return np.diag(self.matrix)

    @property
    def accuracy(self) -> float:
        """Share of pixels with the right class, 0 to 1; NaN without pixels."""
        return float(_divide(np.trace(self.matrix), self.matrix.sum()))

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960), -1 to 1; NaN without pixels."""
        chance = float(_divide((self.predicted_pixels * self.true_pixels).sum(), float(self.matrix.sum()) ** 2))
        return 1.0 if chance == 1.0 else (self.accuracy - chance) / (1.0 - chance)

    @property
    def frequency_weighted_iou(self) -> float:
        """``sum(share of class * IoU)`` over the classes that occur in the truth ("FreqW Acc"); NaN without pixels."""
        shares = _divide(self.true_pixels, self.matrix.sum())
        return float((shares * self.iou)[shares > 0].sum()) if self.matrix.any() else float("nan")

    @property
    def iou(self) -> Floats:
        """Intersection over union of each class; NaN for a class without pixels."""
        return _divide(self.correct_pixels, self.predicted_pixels + self.true_pixels - self.correct_pixels)

    @property
    def precision(self) -> Floats:
        """Share of the predicted pixels of each class that are right; NaN where none are predicted."""
        return _divide(self.correct_pixels, self.predicted_pixels)

    @property
    def recall(self) -> Floats:
        """Share of the true pixels of each class that are predicted (class accuracy); NaN where there are none."""
        return _divide(self.correct_pixels, self.true_pixels)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall of each class; NaN for a class without pixels."""
        return _divide(2 * self.correct_pixels, self.predicted_pixels + self.true_pixels)

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return the scores by name, for the result event; undefined ones are None."""
        values = {"accuracy": self.accuracy, "kappa": self.kappa, "mean_iou": mean_defined(self.iou)}
        for name in ("iou", "precision", "recall", "f1"):
            values |= {f"{name}_{key}": value for key, value in zip(self.classes, getattr(self, name), strict=True)}
        return {name: None if np.isnan(value) else float(value) for name, value in values.items()}


def count_pixels(
    pairs: Iterable[tuple[Labels, Labels]], classes: Iterable[int], ignore: int | None = None
) -> ConfusionMatrix:
    """Accumulate the confusion matrix of pairs of result and truth, for instance windows of two rasters.

    Args:
        pairs: class ids of result and truth, two arrays of the same shape each.
        classes: the class ids; pixels with another truth are left out, other results count as wrong.
        ignore: class id of the truth whose pixels are left out, too.
    """
    ids = np.array(sorted(classes))
    size = len(ids)
    matrix = np.zeros((size, size + 1), np.int64)
    for result, truth in pairs:
        row, is_counted = find_sorted(ids, truth.ravel())
        is_counted &= truth.ravel() != ignore
        column, is_class = find_sorted(ids, result.ravel())
        column = np.where(is_class, column, size)
        cell = row[is_counted] * (size + 1) + column[is_counted]
        matrix += np.bincount(cell, minlength=matrix.size).reshape(matrix.shape)
    return ConfusionMatrix(matrix, tuple(ids.tolist()))


def mean_defined(values: Floats) -> float:
    """Mean without NaN; NaN if nothing else is there."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _divide(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Divide element by element; NaN where ``whole`` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, np.divide(part, whole), np.nan)
