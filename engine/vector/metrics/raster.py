"""Quality of a class raster or mask: accuracy, kappa, IoU, precision, recall and F1 from the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..arrays import Flags, Floats, Ints


@dataclass(frozen=True)
class RasterScores:
    """Metrics of a confusion matrix.

    Attributes:
        classes: the class ids, ascending.
        matrix: int64 (classes, classes + 1), pixels by true class (row) and predicted class (column); the last
            column counts predictions of other values.
    """

    classes: tuple[int, ...]
    matrix: Ints

    @property
    def true_pixels(self) -> Ints:
        """Pixels of each class in the truth, (classes,)."""
        return np.asarray(self.matrix.sum(axis=1), np.int64)

    @property
    def predicted_pixels(self) -> Ints:
        """Pixels of each class in the result, (classes,)."""
        return np.asarray(self.matrix.sum(axis=0)[:-1], np.int64)

    @property
    def correct_pixels(self) -> Ints:
        """Pixels of each class that are predicted right, (classes,)."""
        return np.diag(self.matrix)

    @property
    def accuracy(self) -> float:
        """Share of pixels with the right class, 0 to 1; 0 without pixels."""
        total = float(self.matrix.sum())
        return float(np.trace(self.matrix)) / total if total else 0.0

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960), -1 to 1; 0 without pixels."""
        total = float(self.matrix.sum())
        if total == 0.0:
            return 0.0
        chance = float((self.predicted_pixels * self.true_pixels).sum()) / total**2
        return (self.accuracy - chance) / (1.0 - chance) if chance < 1.0 else 1.0

    def iou(self) -> Floats:
        """Intersection over union of each class, (classes,); NaN for a class without pixels."""
        return _divide(self.correct_pixels, self.predicted_pixels + self.true_pixels - self.correct_pixels)

    def precision(self) -> Floats:
        """Share of the predicted pixels of each class that are right, (classes,); NaN where none are predicted."""
        return _divide(self.correct_pixels, self.predicted_pixels)

    def recall(self) -> Floats:
        """Share of the true pixels of each class that are predicted, (classes,); NaN where there are none."""
        return _divide(self.correct_pixels, self.true_pixels)

    def f1(self) -> Floats:
        """Harmonic mean of precision and recall of each class, (classes,); NaN for a class without pixels."""
        return _divide(2 * self.correct_pixels, self.predicted_pixels + self.true_pixels)

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return the scores by name, for the result event; undefined ones are None."""
        values: dict[str, float | int | str | None] = {"accuracy": self.accuracy, "kappa": self.kappa}
        iou = self.iou()
        is_present = ~np.isnan(iou)
        values["mean_iou"] = float(iou[is_present].mean()) if is_present.any() else None
        precision, recall, f1 = self.precision(), self.recall(), self.f1()
        for name, by_class in (("iou", iou), ("precision", precision), ("recall", recall), ("f1", f1)):
            for key, value in zip(self.classes, by_class.tolist(), strict=True):
                values[f"{name}_{key}"] = None if np.isnan(value) else value
        return values


def score_rasters(
    pairs: Iterable[tuple[Ints, Ints]], classes: tuple[int, ...], ignore: int | None = None
) -> RasterScores:
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
        row, is_counted = _index_of(truth.ravel(), ids)
        if ignore is not None:
            is_counted &= truth.ravel() != ignore
        column, is_class = _index_of(result.ravel(), ids)
        column = np.where(is_class, column, size)
        cell = row[is_counted] * (size + 1) + column[is_counted]
        matrix += np.bincount(cell, minlength=matrix.size).reshape(matrix.shape)
    return RasterScores(tuple(int(key) for key in ids), matrix)


def _index_of(values: Ints, ids: Ints) -> tuple[Ints, Flags]:
    """Index of each value in the ascending ``ids``, and whether it is there."""
    position = np.minimum(np.searchsorted(ids, values), len(ids) - 1)
    return position.astype(np.int64), ids[position] == values


def _divide(part: Ints, whole: Ints) -> Floats:
    """Divide element by element; NaN where ``whole`` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
