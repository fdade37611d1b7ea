"""Learning-rate schedules as functions of the optimizer's step, and reduction on a plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ..config import ScheduleConfig


def learning_rate(config: ScheduleConfig, peak: float, step: int, total: int, plateau_factor: float = 1.0) -> float:
    """Learning rate of step ``step`` (from 0) of ``total``.

    Over the first ``warmup`` steps it rises linearly, ``peak (step + 1) / warmup``; then, with t from 0 to 1 over the
    remaining steps:

    - constant: ``peak``
    - cosine: ``peak (f + (1 - f) (1 + cos(pi t)) / 2)``, f the floor
    - poly: ``peak (f + (1 - f) (1 - t)^power)``
    - step: ``peak factor^(steps since warm-up // every)``
    - plateau: ``peak`` times ``plateau_factor``, the ``scale`` of ``Plateau``, at least the floor
    """
    if step < config.warmup:
        return peak * (step + 1) / config.warmup
    since = step - config.warmup
    t = min(1.0, since / max(1, total - config.warmup))
    if config.name == "cosine":
        return peak * (config.floor + (1 - config.floor) * (1 + math.cos(math.pi * t)) / 2)
    if config.name == "poly":
        return float(peak * (config.floor + (1 - config.floor) * (1 - t) ** config.power))
    if config.name == "step":
        return float(peak * config.factor ** (since // max(1, config.every)))
    if config.name == "plateau":
        return max(config.floor, peak * plateau_factor)
    return peak


class PlateauDecision(NamedTuple):
    """What follows from the score of a validation.

    Attributes:
        is_best: whether the score is the best so far.
        drop: whether the learning rate is reduced.
        stop: whether training ends.
    """

    is_best: bool
    drop: bool
    stop: bool


@dataclass
class Plateau:
    """Reduces the learning rate, and ends training, when a score does not improve.

    Upstream's D-LinkNet does not reset its counter after a drop, so that it drops at every later validation (the
    original), or loads the best weights into a network that is not trained (the MindSpore port). Here the counter is
    reset, and the trainer restores the best weights in the network that is trained.

    Attributes:
        patience: validations without a better score before a drop; 0 for never.
        stop_after: validations without a better score before the end; 0 for never.
        factor: of a drop.
        best: best score so far, None at first.
        scale: product of the factors of all drops.
        waited: validations since the best score or the last drop.
        stale: validations since the best score.
    """

    patience: int
    stop_after: int
    factor: float
    best: float | None = None
    scale: float = 1.0
    waited: int = 0
    stale: int = 0

    def update(self, score: float) -> PlateauDecision:
        """Add the score of a validation; higher is better."""
        if self.best is None or score > self.best:
            self.best, self.waited, self.stale = score, 0, 0
            return PlateauDecision(is_best=True, drop=False, stop=False)
        self.waited += 1
        self.stale += 1
        drop = 0 < self.patience <= self.waited
        if drop:
            self.scale *= self.factor
            self.waited = 0
        return PlateauDecision(is_best=False, drop=drop, stop=0 < self.stop_after <= self.stale)

    def state(self) -> dict[str, float | int | None]:
        """Values for ``restore``."""
        return {"best": self.best, "scale": self.scale, "waited": self.waited, "stale": self.stale}

    def restore(self, state: dict[str, float | int | None]) -> None:
        """Set the values of a saved ``state``."""
        self.best = state["best"]
        self.scale = float(state["scale"] or 0.0)
        self.waited = int(state["waited"] or 0)
        self.stale = int(state["stale"] or 0)
