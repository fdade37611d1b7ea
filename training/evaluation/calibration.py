"""Calibration: how often a pixel is what it is predicted as, by the probability that was predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..backend import ProcessGroup
from ..data.samples import Label
from .plots import draw_figure

#: Steps of the probabilities that are counted, and of a row of the table.
_STEPS, _STEPS_PER_ROW = 100, 10


@dataclass
class Calibration:
    """Counts of pixels by their predicted probability; add images one by one.

    For a mask the probability is that of the foreground; for several classes that of the predicted class.

    Attributes:
        ignore: label value that is not counted.
        is_mask: whether there is one class, the foreground.
        counts: pixels by (0 for wrong or background, 1 for right or foreground; step of the probability).
    """

    ignore: int = 255
    is_mask: bool = True
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, _STEPS), np.int64))

    def add(self, truth: Label, probabilities: NDArray[np.float32]) -> None:
        """Count an image: class ids (H, W), and probabilities (classes, H, W)."""
        counted = truth != self.ignore
        predicted = np.ones_like(truth) if self.is_mask else probabilities.argmax(0)
        hits = (truth == predicted)[counted]
        steps = np.minimum((probabilities.max(0)[counted] * _STEPS).astype(np.int64), _STEPS - 1)
        self.counts += np.bincount(hits * _STEPS + steps, minlength=2 * _STEPS).reshape(2, _STEPS)

    def pool(self, group: ProcessGroup) -> None:
        """Replace the counts of this process by those of all processes."""
        self.counts = group.sum_counts(self.counts)

    def rows(self) -> list[tuple[float, float, int]]:
        """Mean predicted probability, observed share and number of pixels, for each tenth of the probability."""
        totals, middles = self.counts.sum(0), (np.arange(_STEPS) + 0.5) / _STEPS
        table = []
        for start in range(0, _STEPS, _STEPS_PER_ROW):
            part = slice(start, start + _STEPS_PER_ROW)
            pixels = int(totals[part].sum())
            if pixels:
                predicted, observed = (middles * totals)[part].sum() / pixels, self.counts[1, part].sum() / pixels
                table.append((float(predicted), float(observed), pixels))
        return table

    def metrics(self) -> dict[str, float]:
        """The expected calibration error; for a mask also the threshold with the highest IoU (and F1), and that IoU."""
        rows = self.rows()
        pixels = max(1, sum(row[2] for row in rows))
        error = sum(abs(predicted - observed) * count for predicted, observed, count in rows) / pixels
        result = {"calibration_error": error if rows else float("nan")}
        if self.is_mask:
            found = self.counts[:, ::-1].cumsum(1)[:, ::-1]  # pixels at or above each threshold
            union = self.counts[1].sum() + found[0]
            iou = np.divide(found[1], union, out=np.zeros(_STEPS), where=union > 0)
            best = int(iou.argmax())
            result |= {"best_threshold": best / _STEPS, "best_threshold_iou": float(iou[best])}
        return result


def merge_calibrations(tables: Mapping[str, Calibration]) -> Calibration:
    """Sum the counts of several sources."""
    is_mask = all(table.is_mask for table in tables.values())
    return Calibration(is_mask=is_mask, counts=np.sum([table.counts for table in tables.values()], axis=0))


def write_calibration(tables: Mapping[str, Calibration], path: Path) -> None:
    """Write the calibration of each source as CSV."""
    lines = ["source,predicted,observed,pixels"]
    for name, table in tables.items():
        lines += [f"{name},{predicted:.4f},{observed:.4f},{pixels}" for predicted, observed, pixels in table.rows()]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def plot_calibration(tables: Mapping[str, Calibration], path: Path) -> None:
    """Plot the observed share over the predicted probability, a curve for each source."""
    with draw_figure(path, dpi=150, figsize=(5, 5)) as axes:
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="calibrated")
        for name, table in tables.items():
            rows = table.rows()
            axes.plot([row[0] for row in rows], [row[1] for row in rows], marker="o", label=name or "measured")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="observed share")
        axes.legend()
