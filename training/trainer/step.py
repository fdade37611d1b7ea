"""One optimizer step: forward, backward, loss scale, accumulation, clipping, update, running mean of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mindspore as ms
from mindspore import Tensor, nn, ops

from ...engine.errors import TerraSporeError
from ..backend import Ranks
from ..config import OptimizerConfig, TrainConfig
from ..data import Batch
from ..losses.segmentation import Loss
from ..networks.dropout import batch_key, bind_dropout
from ..optim import Optimizer


@dataclass
class LossScale:
    """The factor on the loss that keeps small gradients from vanishing in half precision.

    Attributes:
        value: the factor.
        dynamic: whether it halves on overflow and grows after ``window`` good steps.
        factor: by how much.
        window: steps without overflow before it grows.
        good: steps since the last change.
        overflows: steps that were left out so far.
    """

    value: float
    dynamic: bool
    factor: float
    window: int
    good: int = 0
    overflows: int = 0

    def update(self, finite: bool) -> None:
        """Note whether a step's gradients were finite."""
        if not finite:
            self.overflows += 1
        if not self.dynamic:
            return
        if not finite:
            self.value, self.good = max(1.0, self.value / self.factor), 0
            return
        self.good += 1
        if self.good >= self.window:
            self.value, self.good = self.value * self.factor, 0


@dataclass(frozen=True)
class StepResult:
    """What a step tells.

    Attributes:
        loss: mean over its batches.
        norm: global norm of the gradient before clipping.
        applied: False where the gradient overflowed and the step was left out.
    """

    loss: float
    norm: float
    applied: bool


class Stepper:
    """Runs optimizer steps on a network: forward, backward, clipping, update, running mean, as one compiled function.

    Masks of dropout follow from the seed, the number of the batch and the process, so that a resumed run has those of
    an unbroken one.

    Args:
        network: what is trained.
        loss: of outputs and labels.
        optimizer: has the trained parameters.
        config: clipping, accumulation, running mean.
        train: loss scale, and whether steps are compiled.
        seed: of the run.
        ranks: processes that train together; their gradients are averaged.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: Loss,
        optimizer: Optimizer,
        *,
        config: OptimizerConfig,
        train: TrainConfig,
        seed: int,
        ranks: Ranks,
    ) -> None:
        self.optimizer = optimizer
        self.parameters = ms.ParameterTuple(list(network.get_parameters()))
        self.means = self.parameters.clone("mean") if config.ema > 0 else ()
        self.scaled = train.loss_scale != "none"
        self.scale = LossScale(
            train.init_scale if self.scaled else 1.0,
            train.loss_scale == "dynamic",
            train.scale_factor,
            train.scale_window,
        )
        self._config = config
        self._share = 1.0 / (config.accumulate * ranks.count)
        self._seed, self._rank = seed, ranks.rank
        self._dropout = bind_dropout(network)
        self._apply, self._collect = _step_functions(self, network, loss, config, ranks)
        if train.compile:
            self._apply, self._collect = ms.jit(self._apply), ms.jit(self._collect)

    def step(self, batches: Sequence[Batch], rate: float, number: int) -> StepResult:
        """Run step ``number`` (from 0) with learning rate ``rate`` on ``batches``, whose gradients are averaged.

        Raises:
            TerraSporeError: the gradient is not finite and there is no loss scale that could be lowered.
        """
        scale = _scalar(self.scale.value)
        self.optimizer.set_rate(rate)
        losses = []
        first = number * len(batches)
        for place, batch in enumerate(batches[:-1]):
            self._draw_masks(first + place)
            losses.append(self._collect(Tensor(batch.images), Tensor(batch.labels), scale))
        # At first the running mean follows closely: what the weights were before training should not linger.
        decay = min(self._config.ema, (1 + number) / (10 + number))
        share = _scalar(self._share / self.scale.value)
        last = batches[-1]
        self._draw_masks(first + len(batches) - 1)
        loss, norm = self._apply(Tensor(last.images), Tensor(last.labels), scale, share, _scalar(decay))
        losses.append(loss)
        value = sum(float(loss.asnumpy()) for loss in losses) / len(losses)
        length = float(norm.asnumpy())
        finite = math.isfinite(length)
        if not finite and not self.scaled:
            raise TerraSporeError(
                f"The training diverged: the gradient of step {number + 1} is not finite (loss {value:.4g}).",
                "Lower optimizer.lr, or set optimizer.clip.",
            )
        self.scale.update(finite)
        return StepResult(value, length, finite)

    def _draw_masks(self, batch: int) -> None:
        """Set the key that the masks of dropout follow from, for the batch number ``batch`` of the run."""
        if self._dropout is not None:
            ops.assign(self._dropout, Tensor(batch_key(self._seed, batch, self._rank), ms.int64))


def _scalar(value: float) -> Tensor:
    return Tensor(value, ms.float32)


def _step_functions(
    stepper: Stepper, network: nn.Cell, loss: Loss, config: OptimizerConfig, ranks: Ranks
) -> tuple[Callable[..., tuple[Tensor, Tensor]], Callable[..., Tensor]]:
    """The step (applies gradients), and the one that only collects them; both can be compiled."""
    optimizer, parameters, means = stepper.optimizer, stepper.parameters, stepper.means
    weights, clip, scaled, averaging = optimizer.weights, config.clip, stepper.scaled, bool(means)
    sums = weights.clone("sum", init="zeros") if config.accumulate > 1 else None
    reduce = ops.AllReduce() if ranks.count > 1 else None
    each = ops.HyperMap()

    def forward(images: Tensor, labels: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled loss, which is differentiated, and the loss itself."""
        value = loss(network(images), labels)
        return value * scale, value

    gradients_of = ms.value_and_grad(forward, None, weights, has_aux=True)

    def update(gradients: tuple[Tensor, ...], factor: Tensor, decay: Tensor) -> None:
        """Take the optimizer's step and move the running means."""
        optimizer(each(ops.partial(_times, factor), gradients))
        if averaging:
            each(ops.partial(_blend, decay), parameters, means)

    def collect(images: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
        """Add the gradients of a batch to the sums; its loss."""
        (_, value), gradients = gradients_of(images, labels, scale)
        each(_add_to, sums, gradients)
        return value

    def apply(images: Tensor, labels: Tensor, scale: Tensor, share: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        """Take the step with the gradients of the last batch; its loss, and the gradient's norm before clipping."""
        (_, value), gradients = gradients_of(images, labels, scale)
        if sums is not None:
            gradients = each(_take_sum, sums, gradients)
        if reduce is not None:
            gradients = each(reduce, gradients)
        norm = ops.sqrt(ops.addn(each(_squares, gradients))) * share
        factor = share
        if clip > 0:
            factor = share * clip / ops.maximum(norm, clip)
        if scaled:
            if ops.isfinite(norm):
                update(gradients, factor, decay)
        else:
            update(gradients, factor, decay)
        return value, norm

    return apply, collect


def _squares(gradient: Tensor) -> Tensor:
    return ops.square(ops.cast(gradient, ms.float32)).sum()


def _times(factor: Tensor, gradient: Tensor) -> Tensor:
    return gradient * factor


def _blend(decay: Tensor, parameter: ms.Parameter, mean: ms.Parameter) -> Tensor:
    # In this form a parameter that stays is met exactly.
    return ops.assign(mean, mean + (parameter - mean) * (1.0 - decay))


def _add_to(total: ms.Parameter, gradient: Tensor) -> Tensor:
    return ops.assign_add(total, gradient)


def _take_sum(total: ms.Parameter, gradient: Tensor) -> Tensor:
    """The sum with the last gradient; the store is emptied."""
    value = total + gradient
    ops.assign(total, ops.zeros_like(total))
    return value
