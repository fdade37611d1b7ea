"""An optimizer step on a network of one weight, by hand: running mean, clipping, accumulation, decay, loss scale."""

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from mindspore import nn
from terraspore.engine.errors import TerraSporeError
from terraspore.training.backend import ProcessGroup
from terraspore.training.config import OptimizerConfig, TrainConfig
from terraspore.training.data import Batch
from terraspore.training.optim import Optimizer, Plateau
from terraspore.training.trainer.state import LossScale, TrainState
from terraspore.training.trainer.step import TrainStep

pytestmark = pytest.mark.mindspore

LABELS = np.zeros((1, 1, 1), np.int32)


class Scale(nn.Cell):
    """The image times one weight, 2 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor([2.0], ms.float32), name="weight")

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return x * self.weight


def batch(value: float) -> Batch:
    return Batch(np.full((1, 1, 1, 1), value, np.float32), LABELS)


def steps(groups: list[list[float]], train: TrainConfig | None = None, **optimizer: object) -> tuple[TrainState, list]:
    """Steps with a rate of 0.5 on batches that hold one value each; the loss is the weight times that value."""
    config = OptimizerConfig(name="sgd", momentum=0.0, accumulate=len(groups[0]), **optimizer)
    network = Scale()
    chosen = train or TrainConfig(compile=False)
    state = TrainState(
        network,
        Optimizer(network.trainable_params(), config),
        LossScale.from_config(chosen),
        Plateau(patience=0, stop_after=0, factor=0.1),
        averaged=config.ema > 0,
    )

    def loss(output: ms.Tensor, _labels: ms.Tensor) -> ms.Tensor:
        return output.mean()

    step = TrainStep(state, loss, config, compiled=chosen.compile, seed=1, group=ProcessGroup())
    return state, [step.run([batch(value) for value in group], 0.5, number) for number, group in enumerate(groups)]


def weight(state: TrainState) -> float:
    return float(state.parameters[0].asnumpy()[0])


def test_plain_steps() -> None:
    state, results = steps([[1.0], [3.0]])
    # The gradient is the value: 2 - 0.5 * 1 = 1.5, then 1.5 - 0.5 * 3 = 0.
    assert weight(state) == pytest.approx(0.0)
    assert [result.loss for result in results] == pytest.approx([2.0, 4.5])
    assert [result.norm for result in results] == pytest.approx([1.0, 3.0])


def test_running_mean_follows_closely_at_first() -> None:
    state, _ = steps([[1.0], [1.0], [1.0]], ema=0.15)
    # Decays 1/10, 2/11 -> 0.15 at most, 0.15; weights 1.5, 1.0, 0.5.
    mean = 2.0
    for decay, value in ((0.1, 1.5), (0.15, 1.0), (0.15, 0.5)):
        mean = decay * mean + (1 - decay) * value
    assert float(state.averages[0].asnumpy()[0]) == pytest.approx(mean, rel=1e-6)


def test_clipping_shortens_long_gradients_only() -> None:
    state, results = steps([[4.0], [1.0]], clip=2.0)
    # 2 - 0.5 * 2 = 1, then 1 - 0.5 * 1 = 0.5.
    assert weight(state) == pytest.approx(0.5)
    assert results[0].norm == pytest.approx(4.0)


def test_accumulated_gradients_are_averaged() -> None:
    state, results = steps([[1.0, 2.0], [0.0, 3.0]])
    # 2 - 0.5 * 1.5 = 1.25, then 1.25 - 0.5 * 1.5 = 0.5; the losses are 2 * 1.5 and 1.25 * 1.5.
    assert weight(state) == pytest.approx(0.5)
    assert [result.loss for result in results] == pytest.approx([3.0, 1.875])


def test_decay_is_added_to_the_gradient() -> None:
    state, _ = steps([[1.0]], weight_decay=0.1)
    assert weight(state) == pytest.approx(2 - 0.5 * (1 + 0.1 * 2))


def test_a_step_that_overflows_is_skipped() -> None:
    train = TrainConfig(compile=False, loss_scale="dynamic", init_scale=8.0, scale_factor=4.0, scale_window=2)
    state, results = steps([[1.0], [np.inf], [1.0], [1.0]], train)
    assert [result.applied for result in results] == [True, False, True, True]
    assert weight(state) == pytest.approx(2 - 3 * 0.5)
    # 8, a quarter of it after the overflow, four times as much after two good steps.
    assert (state.loss_scale.value, state.loss_scale.overflows) == (8.0, 1)
    with pytest.raises(TerraSporeError, match="diverged"):
        steps([[np.inf]])


def test_dynamic_loss_scale() -> None:
    scale = LossScale(16.0, dynamic=True, factor=2.0, window=3)
    values = []
    for finite in (True, True, False, True, True, True, True):
        scale.update(finite)
        values.append(scale.value)
    assert values == [16, 16, 8, 8, 8, 16, 16]
    fixed = LossScale(16.0, dynamic=False, factor=2.0, window=1)
    fixed.update(True)
    fixed.update(False)
    assert (fixed.value, fixed.overflows) == (16, 1)
