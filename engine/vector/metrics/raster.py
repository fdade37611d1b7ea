"""How good a class raster or mask is: accuracy, intersection over union, precision, recall, kappa."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RasterScores:
    """Measures from a confusion matrix.

    Attributes:
        classes: the class ids.
        matrix: int64 (classes, classes + 1), pixels by true class (row) and class of the result (column); the last
            column is for results that are no class.
    """

    classes: tuple[int, ...]
    matrix: Ints

    @property
    def accuracy(self) -> float:
        """The share of pixels with the right class."""
        return _share(float(np.trace(self.matrix)), float(self.matrix.sum()))

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960)."""
        total = float(self.matrix.sum())
        if total == 0.0:
            return 0.0
        chance = float((self._given() * self.matrix.sum(axis=1)).sum()) / total**2
        return (self.accuracy - chance) / (1.0 - chance) if chance < 1.0 else 1.0

    def _given(self) -> Ints:
        """Pixels that got each class."""
        return np.asarray(self.matrix.sum(axis=0)[:-1], np.int64)

    def iou(self) -> Floats:
        """Intersection over union of each class; NaN for one that occurs nowhere."""
        both = self._given() + self.matrix.sum(axis=1) - np.diag(self.matrix)
        return _shares(np.diag(self.matrix), both)

    def precision(self) -> Floats:
        """Of the pixels that got a class, the share that has it; NaN where none got it."""
        return _shares(np.diag(self.matrix), self._given())

    def recall(self) -> Floats:
        """Of the pixels that have a class, the share that got it; NaN where none has it."""
        return _shares(np.diag(self.matrix), self.matrix.sum(axis=1))

    def f1(self) -> Floats:
        """Harmonic mean of precision and recall of each class; NaN for one that occurs nowhere."""
        return _shares(2 * np.diag(self.matrix), self._given() + self.matrix.sum(axis=1))

    def figures(self) -> dict[str, float | int | str | None]:
        """The scores for the result event."""
        values: dict[str, float | int | str | None] = {"accuracy": self.accuracy, "kappa": self.kappa}
        iou, precision, recall, f1 = self.iou(), self.precision(), self.recall(), self.f1()
        present = ~np.isnan(iou)
        values["mean_iou"] = float(iou[present].mean()) if present.any() else None
        for name, shares in (("iou", iou), ("precision", precision), ("recall", recall), ("f1", f1)):
            for key, value in zip(self.classes, shares.tolist(), strict=True):
                values[f"{name}_{key}"] = None if np.isnan(value) else value
        return values


def confusion(pairs: Iterable[tuple[Ints, Ints]], classes: tuple[int, ...], ignore: int | None = None) -> RasterScores:
    """Count a confusion matrix over pairs of result and truth (windows of two rasters, say).

    Args:
        pairs: result and truth, of the same shape.
        classes: the class ids; pixels whose truth is another are left out, results of another count as wrong.
        ignore: a value of the truth that is left out although it is a class.
    """
    size = len(classes)
    ids = np.array(sorted(classes))
    matrix = np.zeros((size, size + 1), np.int64)
    for result, truth in pairs:
        row, known = _index(truth.ravel(), ids)
        if ignore is not None:
            known &= truth.ravel() != ignore
        column, right = _index(result.ravel(), ids)
        column = np.where(right, column, size)
        matrix += np.bincount(row[known] * (size + 1) + column[known], minlength=matrix.size).reshape(matrix.shape)
    return RasterScores(tuple(int(key) for key in ids), matrix)


def _index(values: Ints, ids: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    position = np.minimum(np.searchsorted(ids, values), len(ids) - 1)
    return position.astype(np.int64), ids[position] == values


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _shares(part: Ints, whole: Ints) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
