"""Learning rates as a function of the optimizer's step, and the rule of the plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import ScheduleConfig


def learning_rate(config: ScheduleConfig, peak: float, step: int, total: int, plateau_factor: float = 1.0) -> float:
    """The learning rate of step ``step`` (from 0) of ``total``.

    Over the first ``warmup`` steps it rises linearly, ``peak (step + 1) / warmup``; then, with t from 0 to 1 over the
    remaining steps:

    - constant: ``peak``
    - cosine: ``peak (f + (1 - f) (1 + cos(pi t)) / 2)``, f the floor
    - poly: ``peak (f + (1 - f) (1 - t)^power)``
    - step: ``peak factor^(steps since warm-up // every)``
    - plateau: ``peak`` times the factor that ``Plateau`` says
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


@dataclass
class Plateau:
    """Watches a score; says when it is the best, when the rate is to drop, and when to stop.

    Upstream's D-LinkNet counts on after a drop, so that from then on it drops at every check (the original), or loads
    the best weights
    into a network that nobody trains (the MindSpore port). Here the count starts anew after a drop, and ``drop``
    tells the
    trainer to put the best weights back into the network that is trained.

    Attributes:
        patience: checks without a better score before a drop; 0 for never.
        stop_after: checks without a better score before the end; 0 for never.
        factor: what a drop multiplies by.
        best: the best score so far, None at first.
        scale: product of all drops.
        waited: checks without a better score since the best score or the last drop.
        stale: checks without a better score since the best score.
    """

    patience: int
    stop_after: int
    factor: float
    best: float | None = None
    scale: float = 1.0
    waited: int = 0
    stale: int = 0

    def update(self, score: float) -> tuple[bool, bool, bool]:
        """Take the score of a check (higher is better). Returns (is the best, drop the rate, stop)."""
        if self.best is None or score > self.best:
            self.best, self.waited, self.stale = score, 0, 0
            return True, False, False
        self.waited += 1
        self.stale += 1
        drop = 0 < self.patience <= self.waited
        if drop:
            self.scale *= self.factor
            self.waited = 0
        return False, drop, 0 < self.stop_after <= self.stale

    def state(self) -> dict[str, float | int | None]:
        """What ``restore`` needs to go on exactly."""
        return {"best": self.best, "scale": self.scale, "waited": self.waited, "stale": self.stale}

    def restore(self, state: dict[str, float | int | None]) -> None:
        """Go on from a ``state``."""
        self.best = state["best"]
        self.scale = float(state["scale"] or 0.0)
        self.waited = int(state["waited"] or 0)
        self.stale = int(state["stale"] or 0)
