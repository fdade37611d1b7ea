"""Logs of a run: CSV tables, TensorBoard, and the plot of its curves."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .run_folder import RunFolder

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

Row = Mapping[str, float | int | str]

#: ``seconds`` is the time of the whole step, ``data_seconds`` the time it waited for its samples before.
STEP_COLUMNS = [
    "step",
    "loss",
    "lr",
    "grad_norm",
    "loss_scale",
    "overflows",
    "seconds",
    "images_per_second",
    "data_seconds",
]


class CsvTable:
    """A CSV file that grows by rows; it is opened for each row, so that every row is on disk.

    Args:
        path: the file.
        columns: its columns; the first holds the step.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self.columns = columns

    def truncate(self, step: int) -> None:
        """Drop the rows after ``step``, which a resumed run writes again."""
        rows = [row for row in self.read() if int(row[self.columns[0]]) <= step]
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)

    def read(self) -> list[dict[str, str]]:
        """All complete rows; a last line that a crash cut short is left out."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values() and None not in row]

    def append(self, row: Row) -> None:
        """Append one row."""
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)


class RunLog:
    """Writes ``steps.csv``, ``checks.csv`` and TensorBoard's file; writes nothing unless ``active``.

    Args:
        folder: of the run.
        step: steps that are done already; rows of later steps, from before a resume, are dropped.
        active: whether this process writes.
    """

    def __init__(self, folder: RunFolder, step: int, active: bool) -> None:
        self._folder = folder
        self._steps = CsvTable(folder.steps, STEP_COLUMNS)
        self._validations: CsvTable | None = None
        self._active = active
        self._board: SummaryWriter | None = None
        self._smooth: float | None = None
        if active:
            self._steps.truncate(step)

    def __enter__(self) -> RunLog:
        """Open TensorBoard's file."""
        if self._active:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(str(self._folder.path / "tensorboard"))
        return self

    def __exit__(self, *_: object) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def add_step(self, row: Row, loss: float) -> float:
        """Log a step; return the running mean of the loss, without steps that overflowed."""
        if math.isfinite(loss):
            self._smooth = loss if self._smooth is None else 0.98 * self._smooth + 0.02 * loss
        if self._active:
            self._steps.append(row)
        if self._board is not None:
            for key in ("loss", "lr", "grad_norm", "images_per_second"):
                self._board.add_scalar(f"train/{key}", float(row[key]), int(row["step"]))
        return loss if self._smooth is None else self._smooth

    def add_validation(self, step: int, metrics: Mapping[str, float], seconds: float, best: bool) -> None:
        """Log the metrics of a validation."""
        if not self._active:
            return
        if self._validations is None:
            self._validations = CsvTable(self._folder.validations, ["step", *metrics, "seconds", "best"])
            self._validations.truncate(step - 1)
        self._validations.append({"step": step, **metrics, "seconds": f"{seconds:.2f}", "best": int(best)})
        if self._board is not None:
            for key, value in metrics.items():
                if math.isfinite(value):
                    self._board.add_scalar(f"val/{key}", value, step)


def plot_curves(folder: RunFolder) -> None:
    """Plot loss, learning rate and validation metrics of a run into ``curves.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    steps, validations = CsvTable(folder.steps, ["step"]).read(), CsvTable(folder.validations, ["step"]).read()
    if not steps:
        return
    figure, axes = plt.subplots(3, 1, figsize=(8, 9), sharex=True)
    x = [int(row["step"]) for row in steps]
    axes[0].plot(x, [float(row["loss"]) for row in steps], lw=0.6, label="loss")
    axes[0].set_ylabel("training loss")
    axes[1].plot(x, [float(row["lr"]) for row in steps])
    axes[1].set_ylabel("learning rate")
    metrics = [name for name in (validations[0] if validations else {}) if name not in ("step", "seconds", "best")]
    for name in metrics[:4]:
        x = [int(row["step"]) for row in validations]
        axes[2].plot(x, [float(row[name]) for row in validations], marker=".", label=name)
    if validations:
        axes[2].legend()
    axes[2].set_ylabel("validation")
    axes[2].set_xlabel("step")
    figure.tight_layout()
    figure.savefig(folder.path / "curves.png", dpi=100)
    plt.close(figure)
