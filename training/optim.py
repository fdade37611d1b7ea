"""Optimizers with explicit weight decay, learning-rate schedules, and reduction of the rate on a plateau.

MindSpore's own optimizers leave batch-norm parameters out of weight decay if the parameters are in one group, and decay
them if they are in several. Here decay is applied to the parameters that the configuration names, outside of
MindSpore's optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from ..engine.errors import ParameterError
from .config import OptimizerConfig, ScheduleConfig


def is_decayed(name: str, rule: str) -> bool:
    """Whether the parameter ``name`` is decayed under ``rule``: ``all``, or ``norm_and_bias``, which excludes those."""
    return rule == "all" or name.rsplit(".", 1)[-1] not in ("gamma", "beta", "bias")


class Optimizer(nn.Cell):
    """Applies weight decay, then the gradients by one of these rules.

    - ``adam``: Kingma & Ba 2015 with L2 decay added to the gradient; ``eps`` as in the paper's efficient form,
      ``lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)``.
    - ``adamw``: the same without L2; weights shrink by ``lr weight_decay`` first (Loshchilov & Hutter 2019).
    - ``sgd``: with momentum ``v = mu v + g``, ``p -= lr v`` (Nesterov: ``p -= lr (g + mu v)``).
    - ``rmsprop``: ``s = b2 s + (1 - b2) g^2``, ``v = mu v + lr g / sqrt(s + eps)``, ``p -= v``.

    With ``decay_to_init`` what decays is the difference from the initial values (L2-SP, Li et al., ICML 2018).

    Args:
        parameters: the trained parameters, with their initial values.
        config: rule, constants and weight decay.

    Raises:
        ParameterError: a prefix of ``rate_factors`` fits no trained parameter.
    """

    def __init__(self, parameters: Sequence[Parameter], config: OptimizerConfig) -> None:
        super().__init__(auto_prefix=False)
        trained = list(parameters)
        self.rate_factors = _rate_factors([parameter.name for parameter in trained], config.rate_factors)
        self.has_rate_factors = any(factor != 1 for factor in self.rate_factors)
        self.rule = _make_rule(trained, self.rate_factors if self.has_rate_factors else (), config)
        self.weights = ms.ParameterTuple(trained)
        self.factors = tuple(
            config.weight_decay if is_decayed(parameter.name, config.decay_filter) else 0.0 for parameter in trained
        )
        self.decay = config.weight_decay > 0
        self.initial = self.weights.clone("initial") if self.decay and config.decay_to_init else ()
        self.decoupled = config.name == "adamw"
        # HyperMap, because a plain loop is compiled into calls nested a thousand deep.
        self.each = ops.HyperMap()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps, before the factors of the parameters."""
        if not self.has_rate_factors:
            ops.assign(self.rule.learning_rate, Tensor(rate, ms.float32))
            return
        # Parameters of the same factor share a rate.
        rates = dict(zip(self.rate_factors, self.rule.learning_rate, strict=True))
        for factor, parameter in rates.items():
            ops.assign(parameter, Tensor(rate * factor, ms.float32))

    def state(self) -> list[Parameter]:
        """The optimizer's own parameters (moments, powers, step, initial values), without the trained ones."""
        trained = {parameter.name for parameter in self.weights}
        own = [parameter for parameter in self.rule.get_parameters() if parameter.name not in trained]
        return [*own, *self.initial]

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Apply ``gradients`` to the trained parameters."""
        if self.decay:
            decayed = self.each(_subtract, self.weights, self.initial) if self.initial else self.weights
            if self.decoupled and self.has_rate_factors:
                self.each(_shrink, self.rule.learning_rate, self.factors, self.weights, decayed)
            elif self.decoupled:
                self.each(ops.partial(_shrink, self.rule.learning_rate), self.factors, self.weights, decayed)
            else:
                gradients = self.each(_add_decay, self.factors, gradients, decayed)
        return self.rule(gradients)


def _subtract(parameter: Parameter, initial: Parameter) -> Tensor:
    return parameter - initial


def _shrink(rate: Tensor, factor: float, parameter: Parameter, decayed: Tensor) -> Tensor:
    return ops.assign(parameter, parameter - rate * factor * decayed)


def _add_decay(factor: float, gradient: Tensor, decayed: Tensor) -> Tensor:
    return gradient + factor * decayed


def _rate_factors(names: Sequence[str], factors: Mapping[str, float]) -> tuple[float, ...]:
    """Factor of the learning rate of each parameter: that of the longest prefix of its name, else 1.

    Raises:
        ParameterError: a prefix fits no name.
    """
    for prefix in factors:
        if not any(name.startswith(prefix) for name in names):
            raise ParameterError(
                f"No trained parameter's name begins with {prefix!r} (optimizer.rate_factors).", f"One is {names[0]!r}."
            )
    found = []
    for name in names:
        prefixes = [prefix for prefix in factors if name.startswith(prefix)]
        found.append(factors[max(prefixes, key=len)] if prefixes else 1.0)
    return tuple(found)


def _make_rule(trained: list[Parameter], rate_factors: Sequence[float], config: OptimizerConfig) -> nn.Optimizer:
    """Make MindSpore's optimizer; with ``rate_factors`` the parameters of each factor have a rate of their own."""
    # If the rate is a tensor, it becomes a parameter, which each step sets.
    rate = Tensor(config.lr, ms.float32)
    if rate_factors:
        groups: dict[float, list[Parameter]] = {}
        for parameter, factor in zip(trained, rate_factors, strict=True):
            groups.setdefault(factor, []).append(parameter)
        tables = [{"params": group, "lr": Tensor(config.lr * factor, ms.float32)} for factor, group in groups.items()]
        trained = [*tables, {"order_params": trained}]
    if config.name in ("adam", "adamw"):
        return nn.Adam(trained, rate, beta1=config.beta1, beta2=config.beta2, eps=config.eps)
    if config.name == "rmsprop":
        rule = nn.RMSProp(trained, rate, decay=config.beta2, momentum=config.momentum, epsilon=config.eps)
        for parameter in rule.get_parameters():
            if parameter.name.startswith("mean_square."):
                # MindSpore starts at one, the formula (and PyTorch) at zero.
                parameter.set_data(ops.zeros_like(parameter))
        return rule
    if config.nesterov:
        # nn.Momentum silently ignores Nesterov on the CPU.
        return nn.SGD(trained, rate, momentum=config.momentum, nesterov=True)
    return nn.Momentum(trained, rate, momentum=config.momentum)


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
        vars(self).update(state)
