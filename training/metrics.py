"""Metrics of a segmentation: of a confusion matrix, relaxed precision and recall, Cityscapes' instance-level IoU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.vector.metrics.raster import ConfusionMatrix, mean_defined
from ..engine.vector.metrics.skeletons import BufferCounts


def replace_nan(value: Any) -> Any:
    """Plain values with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: replace_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [replace_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def matrix_metrics(matrix: NDArray[np.int64]) -> dict[str, float]:
    """Metrics of a confusion matrix of many classes; of two, also those of a mask, class 1 against class 0.

    ``background_iou`` is what upstream's D-LinkNet evaluator publishes as "IoU" (98.19 %), element 0 of the IoU per
    class. It says next to nothing about roads.
    """
    confusion = ConfusionMatrix(matrix)
    mask = {
        "foreground_iou": confusion.iou[1],
        "precision": confusion.precision[1],
        "recall": confusion.recall[1],
        "f1": confusion.f1[1],
        "background_iou": confusion.iou[0],
    }
    many = {
        "overall_acc": confusion.accuracy,
        "mean_acc": mean_defined(confusion.recall),
        "freqw_acc": confusion.frequency_weighted_iou,
        "mean_iou": mean_defined(confusion.iou),
    }
    return {key: float(value) for key, value in {**(mask if len(matrix) == 2 else {}), **many}.items()}


def class_metrics(matrix: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, float | str]]:
    """One row per class of a confusion matrix: class (its name), iou, recall, precision, f1, pixels."""
    confusion = ConfusionMatrix(matrix)
    rates = {"iou": confusion.iou, "recall": confusion.recall, "precision": confusion.precision, "f1": confusion.f1}
    return [
        {"class": name, **{key: float(values[i]) for key, values in rates.items()}, "pixels": int(pixels)}
        for i, (name, pixels) in enumerate(zip(names, confusion.true_pixels, strict=False))
    ]


def relaxed_counts(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], buffer: int) -> BufferCounts:
    """Count the pixels of one image for relaxed precision and recall (Mnih, 2013).

    Args:
        truth: true mask (H, W).
        predicted: predicted mask (H, W).
        buffer: Euclidean distance in pixels up to which a pixel is correct.
    """
    return BufferCounts(
        right=int((predicted & _within(truth, buffer)).sum()),
        result=int(predicted.sum()),
        found=int((truth & _within(predicted, buffer)).sum()),
        truth=int(truth.sum()),
    )


def _within(mask: NDArray[np.bool_], buffer: int) -> NDArray[np.bool_]:
    """Pixels within ``buffer`` of the mask."""
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= buffer + 1e-4)


@dataclass
class InstanceCounts:
    """Counts of Cityscapes' instance-level IoU (iIoU); add images one by one.

    ``iIoU = iTP / (iTP + FP + iFN)``: true positives and false negatives are weighted by (mean instance size of the
    class / size of the instance), false positives are not. It needs ``*_instanceIds.png``, whose values from 1000 on
    are ``1000 * label id + number``; regions without a number ("group") count as no instance.

    Attributes:
        classes: class ids with instances, by Cityscapes' label id.
        ignore: label value that is not counted.
        instances: (size, correctly predicted pixels) of each instance by class id.
        false: false positive pixels by class id.
    """

    classes: Mapping[int, int]
    ignore: int = 255
    instances: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    false: dict[int, int] = field(default_factory=dict)

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], ids: NDArray[np.generic]) -> None:
        """Count an image: class ids of truth and prediction, and the instance ids, all (H, W)."""
        numbers = np.asarray(ids, np.int64)
        for value in np.unique(numbers[numbers >= 1000]):
            class_id = self.classes.get(int(value) // 1000)
            if class_id is None:
                continue
            area = numbers == value
            hits = int((predicted[area] == class_id).sum())
            self.instances.setdefault(class_id, []).append((int(area.sum()), hits))
        counted = truth != self.ignore
        for class_id in set(self.classes.values()):
            wrong = int(((predicted == class_id) & counted & (truth != class_id)).sum())
            self.false[class_id] = self.false.get(class_id, 0) + wrong

    def iiou(self, sizes: Mapping[int, float] | None = None) -> dict[int, float]:
        """Instance-level IoU by class id, NaN for classes without an instance.

        Args:
            sizes: mean instance size by class id, pixels; of the instances that were counted unless given.
        """
        result = {}
        for class_id in sorted(set(self.classes.values())):
            found = self.instances.get(class_id, [])
            if not found:
                result[class_id] = float("nan")
                continue
            mean = (sizes or {}).get(class_id) or sum(size for size, _ in found) / len(found)
            hit = sum(mean / size * hits for size, hits in found)
            missed = sum(mean / size * (size - hits) for size, hits in found)
            result[class_id] = hit / (hit + self.false.get(class_id, 0) + missed)
        return result

    def summary(self, names: Sequence[str] = ()) -> dict[str, float]:
        """``mean_iiou`` and, where names are given, ``iiou_<name>`` of each class."""
        values = self.iiou()
        metrics = {"mean_iiou": mean_defined(np.array(list(values.values())))}
        metrics.update({f"iiou_{names[class_id]}": iiou for class_id, iiou in values.items() if class_id < len(names)})
        return metrics
