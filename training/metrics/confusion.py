"""The confusion matrix and everything that is read from it.

Overall Acc, Mean Acc, FreqW Acc and Mean IoU have the meaning of Long et al. (CVPR 2015). A class that is in neither
the labels nor the
prediction is NaN and left out of means (some published code counts it as 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion_matrix(
    truth: NDArray[np.generic], predicted: NDArray[np.generic], classes: int, ignore: int = 255
) -> Counts:
    """Pixels by (true class, predicted class), int64; pixels whose truth is ``ignore`` or no class are left out."""
    t, p = np.asarray(truth, np.int64).ravel(), np.asarray(predicted, np.int64).ravel()
    counted = (t != ignore) & (t >= 0) & (t < classes)
    pairs = t[counted] * classes + p[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Floats:
    """``part / whole``, NaN where the whole is 0."""
    top, bottom = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)


def _mean(values: Floats) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix with its measures.

    Attributes:
        matrix: pixels by (true class, predicted class).
    """

    matrix: Counts

    @property
    def iou(self) -> Floats:
        """Intersection over union per class."""
        hits = np.diag(self.matrix)
        return _ratio(hits, self.matrix.sum(1) + self.matrix.sum(0) - hits)

    @property
    def recall(self) -> Floats:
        """Share of each class's pixels that were found (class accuracy)."""
        return _ratio(np.diag(self.matrix), self.matrix.sum(1))

    @property
    def precision(self) -> Floats:
        """Share of the pixels called a class that are of it."""
        return _ratio(np.diag(self.matrix), self.matrix.sum(0))

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, per class."""
        return _ratio(2 * np.diag(self.matrix), self.matrix.sum(1) + self.matrix.sum(0))

    @property
    def overall_accuracy(self) -> float:
        """Share of pixels that are right."""
        return float(_ratio(np.trace(self.matrix), self.matrix.sum()))

    @property
    def frequency_weighted_iou(self) -> float:
        """``sum(share of class * IoU)`` over the classes that occur in the labels ("FreqW Acc")."""
        share = _ratio(self.matrix.sum(1), self.matrix.sum())
        present = self.matrix.sum(1) > 0
        return float((share[present] * self.iou[present]).sum()) if present.any() else float("nan")

    def summary(self) -> dict[str, float]:
        """The figures of many classes: overall_acc, mean_acc, freqw_acc, mean_iou."""
        return {
            "overall_acc": self.overall_accuracy,
            "mean_acc": _mean(self.recall),
            "freqw_acc": self.frequency_weighted_iou,
            "mean_iou": _mean(self.iou),
        }

    def foreground(self) -> dict[str, float]:
        """The figures of a mask (class 1 against class 0).

        ``background_iou`` is what upstream's D-LinkNet evaluator publishes as "IoU" (98.19 %): element 0 of the IoU
        per class.
        It says next to nothing about roads.
        """
        return {
            "foreground_iou": float(self.iou[1]),
            "precision": float(self.precision[1]),
            "recall": float(self.recall[1]),
            "f1": float(self.f1[1]),
            "background_iou": float(self.iou[0]),
            "overall_acc": self.overall_accuracy,
        }

    def per_class(self, names: Sequence[str]) -> list[dict[str, float | str]]:
        """One row per class: name, iou, recall, precision, f1, pixels."""
        pixels = self.matrix.sum(1)
        return [
            {
                "class": name,
                "iou": float(self.iou[i]),
                "recall": float(self.recall[i]),
                "precision": float(self.precision[i]),
                "f1": float(self.f1[i]),
                "pixels": int(pixels[i]),
            }
            for i, name in enumerate(names)
        ]
