"""One optimizer step: forward, backward, loss scale, accumulation, clipping, update and running mean of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mindspore as ms
from mindspore import Tensor, ops

from ...engine.errors import TerraSporeError
from ..backend import ProcessGroup
from ..config import OptimizerConfig
from ..data import Batch
from ..losses import Loss, MixLoss
from ..networks.layers import batch_key, bind_dropout
from .state import TrainState


@dataclass(frozen=True)
class StepResult:
    """Result of a step.

    Attributes:
        loss: mean over the batches of the step.
        norm: global norm of the gradient before clipping.
        applied: False if the gradient overflowed and the step was skipped.
    """

    loss: float
    norm: float
    applied: bool


class TrainStep:
    """Runs optimizer steps on a network: forward, backward, clipping, update, running mean, as one compiled function.

    Dropout masks are derived from the seed, the number of the batch and the process, so that a resumed run has those of
    an uninterrupted one.

    Args:
        state: network, optimizer, loss scale and running means; updated by each step.
        loss: of outputs and labels.
        mix_loss: adds the loss of a teacher; None without one.
        config: clipping, accumulation and decay of the running mean.
        compiled: whether the step is compiled by ``ms.jit``.
        seed: of the run.
        group: processes that train together; their gradients are averaged.
    """

    def __init__(
        self,
        state: TrainState,
        loss: Loss,
        config: OptimizerConfig,
        *,
        compiled: bool,
        seed: int,
        group: ProcessGroup,
        mix_loss: MixLoss | None = None,
    ) -> None:
        self.state = state
        self._config = config
        self._share = 1.0 / (config.accumulate * group.size)
        self._seed, self._rank = seed, group.rank
        self._dropout = bind_dropout(state.network)
        self._apply, self._collect = _step_functions(state, loss, mix_loss, config, group)
        if compiled:
            self._apply, self._collect = ms.jit(self._apply), ms.jit(self._collect)

    def run(self, batches: Sequence[Batch], rate: float, number: int) -> StepResult:
        """Run step ``number`` (from 0) with learning rate ``rate``; the gradients of ``batches`` are averaged.

        Raises:
            TerraSporeError: the gradient is not finite and there is no loss scale that could be lowered.
        """
        loss_scale = self.state.loss_scale
        scale = Tensor(loss_scale.value, ms.float32)
        share = Tensor(self._share / loss_scale.value, ms.float32)
        # At first the running mean follows the weights closely, so that the initial weights do not linger in it.
        decay = Tensor(min(self._config.ema, (1 + number) / (10 + number)), ms.float32)
        self.state.optimizer.set_rate(rate)
        losses = []
        for place, batch in enumerate(batches):
            if self._dropout is not None:
                key = batch_key(self._seed, number * len(batches) + place, self._rank)
                ops.assign(self._dropout, Tensor(key, ms.int64))
            images, labels = Tensor(batch.images), Tensor(batch.labels)
            if place < len(batches) - 1:
                losses.append(self._collect(images, labels, scale))
            else:
                loss, norm = self._apply(images, labels, scale, share, decay)
                losses.append(loss)
        mean_loss = sum(float(loss.asnumpy()) for loss in losses) / len(losses)
        gradient_norm = float(norm.asnumpy())
        finite = math.isfinite(gradient_norm)
        if not finite and not loss_scale.enabled:
            raise TerraSporeError(
                f"The training diverged: the gradient of step {number + 1} is not finite (loss {mean_loss:.4g}).",
                "Lower optimizer.lr, or set optimizer.clip.",
            )
        loss_scale.update(finite)
        return StepResult(mean_loss, gradient_norm, finite)


def _step_functions(
    state: TrainState, loss: Loss, mix_loss: MixLoss | None, config: OptimizerConfig, group: ProcessGroup
) -> tuple[Callable[..., tuple[Tensor, Tensor]], Callable[..., Tensor]]:
    """Functions that can be compiled: one applies the gradients, the other only collects those of a batch."""
    network, optimizer, parameters, averages = state.network, state.optimizer, state.parameters, state.averages
    weights, clip, scaled, averaged = optimizer.weights, config.clip, state.loss_scale.enabled, bool(averages)
    is_factor_one = not scaled and clip <= 0 and config.accumulate * group.size == 1
    sums = weights.clone("sum", init="zeros") if config.accumulate > 1 else None
    reduce = ops.AllReduce() if group.size > 1 else None
    each = ops.HyperMap()

    def forward(images: Tensor, labels: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled loss, which is differentiated, and the loss itself."""
        output = network(images)
        value = loss(output, labels)
        if mix_loss is not None:
            value = mix_loss(value, output, images)
        return value * scale, value

    gradients_of = ms.value_and_grad(forward, None, weights, has_aux=True)

    def update(gradients: tuple[Tensor, ...], factor: Tensor, decay: Tensor) -> None:
        """Apply the gradients and update the running means."""
        if not is_factor_one:
            gradients = each(ops.partial(_multiply, factor), gradients)
        optimizer(gradients)
        if averaged:
            each(ops.partial(_update_average, decay), parameters, averages)

    def collect(images: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
        """Add the gradients of a batch to the sums; return its loss."""
        (_, value), gradients = gradients_of(images, labels, scale)
        each(_accumulate, sums, gradients)
        return value

    def apply(images: Tensor, labels: Tensor, scale: Tensor, share: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        """Step with the gradients of the last batch and the sums; return its loss and the norm before clipping."""
        (_, value), gradients = gradients_of(images, labels, scale)
        if sums is not None:
            gradients = each(_take_sum, sums, gradients)
        if reduce is not None:
            gradients = each(reduce, gradients)
        norm = ops.sqrt(ops.addn(each(_sum_of_squares, gradients))) * share
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


def _sum_of_squares(gradient: Tensor) -> Tensor:
    # In two dimensions, because MindSpore sums over four on a CPU twenty times as slowly.
    squares = ops.square(ops.cast(gradient, ms.float32))
    return squares.reshape((squares.shape[0], -1)).sum(1).sum()


def _multiply(factor: Tensor, gradient: Tensor) -> Tensor:
    return gradient * factor


def _update_average(decay: Tensor, parameter: ms.Parameter, mean: ms.Parameter) -> Tensor:
    # In this form a parameter that does not change is met exactly.
    return ops.assign(mean, mean + (parameter - mean) * (1.0 - decay))


def _accumulate(total: ms.Parameter, gradient: Tensor) -> Tensor:
    return ops.assign_add(total, gradient)


def _take_sum(total: ms.Parameter, gradient: Tensor) -> Tensor:
    """Sum including the last gradient; the accumulator is reset to zero."""
    value = total + gradient
    ops.assign(total, ops.zeros_like(total))
    return value
