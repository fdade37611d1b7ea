"""Time per step, and the CSV and TensorBoard logs of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .run_folder import RunFolder, Table

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

#: ``seconds`` is the time of the whole step, ``data_seconds`` how long it waited for its samples before
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


@dataclass
class Clock:
    """Time per step; the first one, which compiles, is kept apart.

    Attributes:
        images: images per step over all processes.
        count: steps.
        compile_seconds: the first step's time.
        last: the last step's time.
        total: time of all but the first.
    """

    images: int
    count: int = 0
    compile_seconds: float = 0.0
    last: float = 0.0
    total: float = 0.0

    def step(self, seconds: float) -> None:
        """Note a step."""
        self.count += 1
        self.last = seconds
        if self.count == 1:
            self.compile_seconds = seconds
        else:
            self.total += seconds

    @property
    def mean(self) -> float:
        """Seconds per step."""
        return self.total / (self.count - 1) if self.count > 1 else self.last

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.mean if self.mean > 0 else 0.0


class Logs:
    """Writes the logs of a run; does nothing on ranks other than the first.

    Args:
        folder: of the run.
        step: steps that are done already; later rows of an earlier sitting are dropped, they are written anew.
        active: whether this process writes.
    """

    def __init__(self, folder: RunFolder, step: int, active: bool) -> None:
        self.smooth: float | None = None
        self._folder = folder
        self._steps = Table(folder.steps, STEP_COLUMNS)
        self._checks: Table | None = None
        self._active = active
        self._board: SummaryWriter | None = None
        if active:
            self._steps.keep_until(step)

    def __enter__(self) -> Logs:
        """Open TensorBoard's file."""
        if self._active:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(str(self._folder.path / "tensorboard"))
        return self

    def __exit__(self, *_: object) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def step(self, row: dict[str, float | int | str], loss: float) -> float:
        """Log a step; returns the running mean of the loss, without steps that overflowed."""
        if math.isfinite(loss):
            self.smooth = loss if self.smooth is None else 0.98 * self.smooth + 0.02 * loss
        if self._active:
            self._steps.add(row)
        if self._board is not None:
            for key in ("loss", "lr", "grad_norm", "images_per_second"):
                self._board.add_scalar(f"train/{key}", float(row[key]), int(row["step"]))
        return loss if self.smooth is None else self.smooth

    def check(self, step: int, figures: dict[str, float], seconds: float, best: bool) -> None:
        """Log a check."""
        if not self._active:
            return
        if self._checks is None:
            self._checks = Table(self._folder.checks, ["step", *figures, "seconds", "best"])
            self._checks.keep_until(step - 1)
        self._checks.add({"step": step, **figures, "seconds": f"{seconds:.2f}", "best": int(best)})
        if self._board is not None:
            for key, value in figures.items():
                if math.isfinite(value):
                    self._board.add_scalar(f"monitor/{key}", value, step)
