"""Relaxed precision and recall of a road mask (Mnih, 2013): a pixel within a buffer of the other mask is right."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RelaxedCounts:
    """Pixels for relaxed precision and recall; add them over images.

    Attributes:
        near_truth: predicted pixels within the buffer of a true one.
        predicted: predicted pixels.
        near_predicted: true pixels within the buffer of a predicted one.
        true: true pixels.
    """

    near_truth: int = 0
    predicted: int = 0
    near_predicted: int = 0
    true: int = 0

    def __add__(self, other: RelaxedCounts) -> RelaxedCounts:
        """The counts of both together."""
        return RelaxedCounts(
            self.near_truth + other.near_truth,
            self.predicted + other.predicted,
            self.near_predicted + other.near_predicted,
            self.true + other.true,
        )

    def summary(self) -> dict[str, float]:
        """relaxed_precision, relaxed_recall and their harmonic mean relaxed_f1; NaN where they are undefined."""
        precision = self.near_truth / self.predicted if self.predicted else float("nan")
        recall = self.near_predicted / self.true if self.true else float("nan")
        both = precision + recall
        f1 = 2 * precision * recall / both if both > 0 else (0.0 if both == 0 else float("nan"))
        return {"relaxed_precision": precision, "relaxed_recall": recall, "relaxed_f1": f1}


def relaxed_counts(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], buffer: int) -> RelaxedCounts:
    """The counts of one image; ``buffer`` is the Euclidean distance in pixels up to which a pixel counts as met."""
    return RelaxedCounts(
        near_truth=int((predicted & _near(truth, buffer)).sum()),
        predicted=int(predicted.sum()),
        near_predicted=int((truth & _near(predicted, buffer)).sum()),
        true=int(truth.sum()),
    )


def _near(mask: NDArray[np.bool_], buffer: int) -> NDArray[np.bool_]:
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= buffer + 1e-4)
