"""Optimizers with weight decay that says what it decays.

MindSpore's own optimizers leave batch-norm parameters out of weight decay when parameters come in one group and decay
them when
they come in several; here decay is applied by us, to the parameters the configuration names, and the optimizer gets
none.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from ..config import OptimizerConfig


def decays(name: str, rule: str) -> bool:
    """Whether the parameter ``name`` is decayed under ``rule`` (``all``, or ``norm_and_bias``: all but those)."""
    if rule == "all":
        return True
    last = name.rsplit(".", 1)[-1]
    return last not in ("gamma", "beta", "bias")


class Optimizer(nn.Cell):
    """Applies gradients: weight decay, then the rule.

    - ``adam``: Kingma & Ba 2015 with L2 decay added to the gradient; ``eps`` as in the paper's efficient form,
      ``lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)``.
    - ``adamw``: the same without L2; weights shrink by ``lr weight_decay`` first (Loshchilov & Hutter 2019).
    - ``sgd``: with momentum ``v = mu v + g``, ``p -= lr v`` (Nesterov: ``p -= lr (g + mu v)``).
    - ``rmsprop``: ``s = b2 s + (1 - b2) g^2``, ``v = mu v + lr g / sqrt(s + eps)``, ``p -= v``.

    Args:
        parameters: what is trained.
        config: the rule and its constants.
    """

    def __init__(self, parameters: Sequence[Parameter], config: OptimizerConfig) -> None:
        super().__init__(auto_prefix=False)
        trained = list(parameters)
        self.rule = _rule(trained, config)
        self.weights = ms.ParameterTuple(trained)
        self.factors = tuple(
            config.weight_decay if decays(parameter.name, config.decay_filter) else 0.0 for parameter in trained
        )
        self.decay = config.weight_decay > 0
        self.decoupled = config.name == "adamw"
        # Compiled code maps over parameters by HyperMap: a plain loop is unrolled into calls nested a thousand deep.
        self.each = ops.HyperMap()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the following steps."""
        ops.assign(self.rule.learning_rate, Tensor(rate, ms.float32))

    def state(self) -> list[Parameter]:
        """The optimizer's own parameters (moments, powers, step), without the trained ones."""
        trained = {parameter.name for parameter in self.weights}
        return [parameter for parameter in self.rule.get_parameters() if parameter.name not in trained]

    def construct(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Apply ``gradients`` to the trained parameters."""
        if self.decay:
            if self.decoupled:
                self.each(ops.partial(_shrink, self.rule.learning_rate), self.factors, self.weights)
            else:
                gradients = self.each(_add_decay, self.factors, gradients, self.weights)
        return self.rule(gradients)


def _shrink(rate: Tensor, factor: float, parameter: Parameter) -> Tensor:
    return ops.assign(parameter, parameter * (1.0 - rate * factor))


def _add_decay(factor: float, gradient: Tensor, parameter: Parameter) -> Tensor:
    return gradient + factor * parameter


def _rule(trained: list[Parameter], config: OptimizerConfig) -> nn.Optimizer:
    # A tensor as the rate makes it a parameter that each step sets.
    rate = Tensor(config.lr, ms.float32)
    if config.name in ("adam", "adamw"):
        return nn.Adam(trained, rate, beta1=config.beta1, beta2=config.beta2, eps=config.eps)
    if config.name == "rmsprop":
        rule = nn.RMSProp(trained, rate, decay=config.beta2, momentum=config.momentum, epsilon=config.eps)
        for parameter in rule.get_parameters():
            if parameter.name.startswith("mean_square."):
                # MindSpore begins at one, the formula (and Torch) at zero.
                parameter.set_data(ops.zeros_like(parameter))
        return rule
    if config.nesterov:
        # nn.Momentum leaves Nesterov's term out on the CPU without a word.
        return nn.SGD(trained, rate, momentum=config.momentum, nesterov=True)
    return nn.Momentum(trained, rate, momentum=config.momentum)
