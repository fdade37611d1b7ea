"""Which tensors of a checkpoint are the network's parameters."""

import numpy as np
import pytest
from terraspore.engine.errors import CheckpointError
from terraspore.engine.models.parameters import is_in_modules, is_training_state, match_parameters

WANTED = {"conv.weight": ("classes", 3), "conv.bias": ("classes",), "norm.gamma": (4,)}


def tensors(prefix="", classes=2, **more):
    own = {"conv.weight": np.ones((classes, 3)), "conv.bias": np.zeros(classes), "norm.gamma": np.full(4, 2.0)}
    return {prefix + name: values.astype(np.float16) for name, values in own.items()} | more


@pytest.mark.parametrize("prefix", ["", "network.", "module.", "net.", "network.net."])
def test_wrappers_are_passed_over(prefix):
    found = match_parameters(tensors(prefix), WANTED, "x")
    assert list(found) == list(WANTED)
    assert all(values.dtype == np.float32 for values in found.values())
    assert (found["norm.gamma"] == 2).all()


def test_a_parameter_whose_own_name_begins_like_a_wrapper_is_kept():
    found = match_parameters(
        {"net.weight": np.ones(1), "weight": np.zeros(1)}, {"net.weight": (1,), "weight": (1,)}, "x"
    )
    assert found["net.weight"] == 1
    assert found["weight"] == 0


def test_the_state_of_training_is_ignored():
    state = {name: np.ones(1) for name in ("moment1.conv.weight", "moment2.norm.gamma", "beta1_power", "global_step")}
    state |= {"network.moments.conv.weight": np.ones(1), "learning_rate": np.ones(1), "scale_sense": np.ones(1)}
    assert list(match_parameters(tensors(**state), WANTED, "x")) == list(WANTED)
    assert not is_training_state("conv.weight")
    assert not is_training_state("bn.moving_mean")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.pop("conv.bias"), r"1 parameters are missing \(conv\.bias\)"),
        (lambda found: found.update(extra=np.ones(1)), r"1 are not known \(extra\)"),
        (lambda found: found.update({"net.conv.bias": np.zeros(2)}), r"conv\.bias twice"),
        (lambda found: found.update({"norm.gamma": np.ones(5)}), r"norm\.gamma has the shape \[5\] instead of \[4\]"),
        (lambda found: found.update({"norm.gamma": np.ones((4, 1))}), r"shape \[4, 1\] instead of \[4\]"),
        (lambda found: found.update({"conv.bias": np.ones(7)}), r"conv\.bias has the shape \[7\] instead of \[2\]"),
        (lambda found: found.update({"norm.gamma": np.full(4, 1e300)}), "beyond float32"),
    ],
)
def test_any_difference_is_said(change, message):
    found = tensors()
    change(found)
    with pytest.raises(CheckpointError, match=message):
        match_parameters(found, WANTED, "x")


def test_a_named_size_is_the_checkpoints():
    assert match_parameters(tensors(classes=6), WANTED, "x")["conv.weight"].shape == (6, 3)


def test_parts_are_found_at_any_depth_and_by_whole_names():
    assert is_in_modules("dsn.0.weight", ["dsn."])
    assert is_in_modules("net.dsn.0.weight", ["aux.", "dsn."])
    assert not is_in_modules("mydsn.weight", ["dsn."])
    assert not is_in_modules("dsn.weight", [])
