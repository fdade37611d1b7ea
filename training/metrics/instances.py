"""Cityscapes' instance-level IoU (iIoU): each true pixel counts in inverse proportion to its instance's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class InstanceCounts:
    """Instances and false pixels of the classes that have instances; add images one by one.

    ``iIoU = iTP / (iTP + FP + iFN)``: true positives and false negatives are weighted by (mean instance size of the
    class / size of the instance), false positives are not. It needs ``*_instanceIds.png``, whose values from 1000 on
    are ``1000 * label id + number``; regions without a number ("group") count as no instance.

    Attributes:
        classes: class numbers with instances, by Cityscapes' label id.
        ignore: label value that counts nowhere.
        instances: (size, hit pixels) of each instance by class number.
        false: false positive pixels by class number.
    """

    classes: Mapping[int, int]
    ignore: int = 255
    instances: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    false: dict[int, int] = field(default_factory=dict)

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], ids: NDArray[np.generic]) -> None:
        """Count an image: class numbers of truth and prediction, and the instance ids, all (H, W)."""
        numbers = np.asarray(ids, np.int64)
        for value in np.unique(numbers[numbers >= 1000]):
            label = int(value) // 1000
            if label not in self.classes:
                continue
            kind = self.classes[label]
            area = numbers == value
            hits = int((predicted[area] == kind).sum())
            self.instances.setdefault(kind, []).append((int(area.sum()), hits))
        counted = truth != self.ignore
        for kind in set(self.classes.values()):
            wrong = int(((predicted == kind) & counted & (truth != kind)).sum())
            self.false[kind] = self.false.get(kind, 0) + wrong

    def iiou(self, sizes: Mapping[int, float] | None = None) -> dict[int, float]:
        """IIoU by class number, NaN for classes without an instance.

        Args:
            sizes: mean instance size by class number; of the instances that were counted unless given.
        """
        result = {}
        for kind in sorted(set(self.classes.values())):
            found = self.instances.get(kind, [])
            if not found:
                result[kind] = float("nan")
                continue
            mean = (sizes or {}).get(kind) or sum(size for size, _ in found) / len(found)
            hit = sum(mean / size * hits for size, hits in found)
            missed = sum(mean / size * (size - hits) for size, hits in found)
            result[kind] = hit / (hit + self.false.get(kind, 0) + missed)
        return result

    def summary(self, names: Sequence[str] = ()) -> dict[str, float]:
        """``mean_iiou`` and, where names are given, ``iiou_<name>`` of each class."""
        values = self.iiou()
        present = [value for value in values.values() if not np.isnan(value)]
        figures = {"mean_iiou": float(np.mean(present)) if present else float("nan")}
        figures.update({f"iiou_{names[kind]}": value for kind, value in values.items() if kind < len(names)})
        return figures
