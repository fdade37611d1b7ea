"""Three steps of each optimizer against the formulas in NumPy."""

from dataclasses import replace

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from terraspore.engine.errors import ParameterError
from terraspore.training.config import OptimizerConfig
from terraspore.training.optim import Optimizer, is_decayed

pytestmark = pytest.mark.mindspore

GRADIENTS = [np.array([0.5, -1.0, 2.0]), np.array([-0.25, 1.0, 0.5]), np.array([1.0, 1.0, -1.0])]
START = np.array([1.0, -2.0, 3.0])
RATES = [0.1, 0.05, 0.2]


def adam(p: np.ndarray, *, decay: float, decoupled: bool, target: np.ndarray | float = 0.0) -> np.ndarray:
    m, v = np.zeros(3), np.zeros(3)
    for t, (g, lr) in enumerate(zip(GRADIENTS, RATES, strict=True), 1):
        if decoupled:
            p = p - lr * decay * (p - target)
        else:
            g = g + decay * (p - target)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        p = p - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


def sgd(p: np.ndarray, *, decay: float, nesterov: bool) -> np.ndarray:
    v = np.zeros(3)
    for g, lr in zip(GRADIENTS, RATES, strict=True):
        g = g + decay * p
        v = 0.9 * v + g
        p = p - lr * (g + 0.9 * v if nesterov else v)
    return p


def rmsprop(p: np.ndarray) -> np.ndarray:
    s, v = np.zeros(3), np.zeros(3)
    for g, lr in zip(GRADIENTS, RATES, strict=True):
        s = 0.9 * s + 0.1 * g**2
        v = 0.5 * v + lr * g / np.sqrt(s + 1e-8)
        p = p - v
    return p


CASES = {
    "adam": (OptimizerConfig(name="adam", weight_decay=0.1), adam(START, decay=0.1, decoupled=False)),
    "adamw": (OptimizerConfig(name="adamw", weight_decay=0.1), adam(START, decay=0.1, decoupled=True)),
    "adam to its start": (
        OptimizerConfig(name="adam", weight_decay=0.5, decay_to_init=True),
        adam(START, decay=0.5, decoupled=False, target=START),
    ),
    "adamw to its start": (
        OptimizerConfig(name="adamw", weight_decay=2.0, decay_to_init=True),
        adam(START, decay=2.0, decoupled=True, target=START),
    ),
    "sgd": (OptimizerConfig(name="sgd", weight_decay=0.01), sgd(START, decay=0.01, nesterov=False)),
    "nesterov": (OptimizerConfig(name="sgd", nesterov=True), sgd(START, decay=0.0, nesterov=True)),
    "rmsprop": (OptimizerConfig(name="rmsprop", momentum=0.5, beta2=0.9), rmsprop(START)),
}


@pytest.mark.parametrize("case", CASES)
def test_three_steps(case: str) -> None:
    config, want = CASES[case]
    parameter = ms.Parameter(ms.Tensor(START, ms.float32), name="weight")
    optimizer = Optimizer([parameter], config)
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.set_rate(rate)
        optimizer((ms.Tensor(gradient, ms.float32),))
    assert parameter.asnumpy() == pytest.approx(want, rel=2e-5)


def test_decay_filter_excludes_norm_and_bias() -> None:
    names = ("encoder1.0.bn1.gamma", "encoder1.0.bn1.beta", "decoder1.conv1.bias", "firstconv.weight")
    assert [is_decayed(name, "norm_and_bias") for name in names] == [False, False, False, True]
    assert all(is_decayed(name, "all") for name in names)
    weight = ms.Parameter(ms.Tensor(START, ms.float32), name="a.weight")
    bias = ms.Parameter(ms.Tensor(START, ms.float32), name="a.bias")
    config = OptimizerConfig(name="adamw", weight_decay=0.5, decay_filter="norm_and_bias", lr=0.1)
    zero = ms.Tensor(np.zeros(3), ms.float32)
    Optimizer([weight, bias], config)((zero, zero))
    assert weight.asnumpy() == pytest.approx(START * 0.95)
    assert bias.asnumpy() == pytest.approx(START)


@pytest.mark.parametrize("case", CASES)
def test_rate_factors_multiply_the_rate_of_their_parameters(case: str) -> None:
    config, want = CASES[case]
    config = replace(config, rate_factors={"encoder.": 0.1, "encoder.last.": 0.5})
    names = {"decoder.weight": 1.0, "encoder.weight": 0.1, "encoder.last.weight": 0.5, "head.weight": 1.0}
    parameters = [ms.Parameter(ms.Tensor(START, ms.float32), name=name) for name in names]
    optimizer = Optimizer(parameters, config)
    assert set(optimizer.rate_factors) == {1.0, 0.1, 0.5}

    @ms.jit
    def step(gradient: ms.Tensor) -> ms.Tensor:
        return optimizer((gradient, gradient, gradient, gradient))

    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.set_rate(rate)
        step(ms.Tensor(gradient, ms.float32))
    for parameter, factor in zip(parameters, names.values(), strict=True):
        alone = ms.Parameter(ms.Tensor(START, ms.float32), name="weight")
        single = Optimizer([alone], replace(config, rate_factors={}))
        for gradient, rate in zip(GRADIENTS, RATES, strict=True):
            single.set_rate(rate * factor)
            single((ms.Tensor(gradient, ms.float32),))
        assert parameter.asnumpy() == pytest.approx(alone.asnumpy(), rel=1e-6), parameter.name
    assert parameters[0].asnumpy() == pytest.approx(want, rel=2e-5)


def test_a_rate_factor_of_no_parameter_is_refused() -> None:
    parameter = ms.Parameter(ms.Tensor(START, ms.float32), name="encoder.weight")
    with pytest.raises(ParameterError, match="begins with 'decoder"):
        Optimizer([parameter], OptimizerConfig(rate_factors={"decoder.": 0.1}))
