"""Optimizers with explicit weight decay.

MindSpore's own optimizers leave batch-norm parameters out of weight decay if the parameters are in one group, and decay
them if they are in several. Here decay is applied to the parameters that the configuration names, outside of
MindSpore's optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from ..config import OptimizerConfig


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

    Args:
        parameters: the trained parameters.
        config: rule, constants and weight decay.
    """

    def __init__(self, parameters: Sequence[Parameter], config: OptimizerConfig) -> None:
        super().__init__(auto_prefix=False)
        trained = list(parameters)
        self.rule = _make_rule(trained, config)
        self.weights = ms.ParameterTuple(trained)
        self.factors = tuple(
            config.weight_decay if is_decayed(parameter.name, config.decay_filter) else 0.0 for parameter in trained
        )
        self.decay = config.weight_decay > 0
        self.decoupled = config.name == "adamw"
        # HyperMap, because a plain loop is compiled into calls nested a thousand deep.
        self.each = ops.HyperMap()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        ops.assign(self.rule.learning_rate, Tensor(rate, ms.float32))

    def state(self) -> list[Parameter]:
        """The optimizer's own parameters (moments, powers, step), without the trained ones."""
        trained = {parameter.name for parameter in self.weights}
        return [parameter for parameter in self.rule.get_parameters() if parameter.name not in trained]

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Apply ``gradients`` to the trained parameters."""
        if self.decay and self.decoupled:
            self.each(ops.partial(_shrink, self.rule.learning_rate), self.factors, self.weights)
        elif self.decay:
            gradients = self.each(_add_decay, self.factors, gradients, self.weights)
        return self.rule(gradients)


def _shrink(rate: Tensor, factor: float, parameter: Parameter) -> Tensor:
    return ops.assign(parameter, parameter * (1.0 - rate * factor))


def _add_decay(factor: float, gradient: Tensor, parameter: Parameter) -> Tensor:
    return gradient + factor * parameter


def _make_rule(trained: list[Parameter], config: OptimizerConfig) -> nn.Optimizer:
    # If the rate is a tensor, it becomes a parameter, which each step sets.
    rate = Tensor(config.lr, ms.float32)
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
