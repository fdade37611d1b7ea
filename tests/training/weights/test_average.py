"""``terraspore average``: the mean of checkpoints, and what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command_line import run_last
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.models.registry import find_model

average = partial(run_last, "average")


def write(path: Path, seed: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = {
        "conv.weight": rng.normal(size=(4, 3, 2)).astype(np.float32),
        "norm.moving_variance": rng.uniform(1, 2, 4).astype(np.float16),
        "count": np.array([3], np.int32),
        **changes,
    }
    write_checkpoint(path, values)
    return values


def test_the_mean_is_that_of_every_parameter(in_tmp: Path) -> None:
    files = [write(in_tmp / f"{seed}.ckpt", seed) for seed in range(3)]
    code, result = average("0.ckpt", "1.ckpt", "2.ckpt", "-o", "mean.ckpt")
    assert (code, result["summary"]) == (0, {"sources": 3}), result["text"]
    mean = read_checkpoint(in_tmp / "mean.ckpt")
    assert list(mean) == list(files[0])
    for name, value in mean.items():
        assert value.dtype == files[0][name].dtype
        assert value == pytest.approx(np.mean([file[name].astype(float) for file in files], 0), rel=1e-3)
    assert mean["conv.weight"] == pytest.approx(np.mean([file["conv.weight"] for file in files], 0), rel=1e-5)


def test_weights_are_relative(in_tmp: Path) -> None:
    first, second = write(in_tmp / "a.ckpt", 1), write(in_tmp / "b.ckpt", 2, **{"moments.conv.weight": np.ones(3)})
    want = 0.7 * first["conv.weight"] + 0.3 * second["conv.weight"]
    for number, weights in enumerate(("0.7,0.3", "7, 3", "1.4e308,6e307")):
        code, result = average("a.ckpt", "b.ckpt", "-o", f"{number}.ckpt", "--weights", weights)
        assert code == 0, result["text"]
        assert read_checkpoint(in_tmp / f"{number}.ckpt")["conv.weight"] == pytest.approx(want, rel=1e-5)


def test_a_state_without_parameters_is_refused(in_tmp: Path) -> None:
    write_checkpoint(in_tmp / "state.ckpt", {"moment1.conv.weight": np.ones(3, np.float32)})
    code, result = average("state.ckpt", "state.ckpt", "-o", "mean.ckpt")
    assert code == 2
    assert "no parameter of a network" in result["text"]
    assert not (in_tmp / "mean.ckpt").exists()


def test_a_model_is_averaged_by_its_name(in_tmp: Path) -> None:
    weights = find_model("roads-lednet").weights
    own = {name: np.zeros_like(value) for name, value in read_checkpoint(weights).items()}
    write_checkpoint(in_tmp / "zero.ckpt", own)
    code, result = average("zero.ckpt", "roads-lednet", "-o", "half.ckpt")
    assert code == 0, result["text"]
    halves = read_checkpoint(in_tmp / "half.ckpt")
    for name, value in read_checkpoint(weights).items():
        assert np.allclose(halves[name], value / 2, rtol=1e-3, atol=1e-7), name


def test_folders_of_runs_give_their_best_weights(in_tmp: Path) -> None:
    for seed in (1, 2):
        folder = in_tmp / f"run{seed}"
        folder.mkdir()
        write(folder / "best.ckpt", seed)
        write(folder / "last.ckpt", 9)
    assert average("run1", "run2", "-o", "mean.ckpt")[0] == 0
    assert average("run1/best.ckpt", "run2/best.ckpt", "-o", "same.ckpt")[0] == 0
    assert (in_tmp / "mean.ckpt").read_bytes() == (in_tmp / "same.ckpt").read_bytes()


@pytest.mark.parametrize("name", ["mean.onnx", "mean.mindir", "mean"])
def test_a_name_that_is_not_of_a_checkpoint_is_refused(in_tmp: Path, name: str) -> None:
    for file in ("a.ckpt", "b.ckpt"):
        write(in_tmp / file, 1)
    for command in (("average", "a.ckpt", "b.ckpt", "-o", name), ("convert", "a.ckpt", name, "--arch", "lednet")):
        code, result = run_last(*command)
        assert code == 2
        assert result["text"] == f"The output {name} is a checkpoint, whose name has to end in .ckpt."
        assert not (in_tmp / name).exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"conv.weight": np.ones((4, 3, 3), np.float32)}, "'conv.weight' has the shape [4, 3, 3] instead of [4, 3, 2]"),
        ({"head.bias": np.ones(2, np.float32)}, "a.ckpt has no 'head.bias'"),
        ({"count": np.array([4], np.int32)}, "'count' differs between a.ckpt and b.ckpt"),
    ],
)
def test_other_networks_are_refused(in_tmp: Path, changes: dict[str, np.ndarray], text: str) -> None:
    write(in_tmp / "a.ckpt", 1)
    write(in_tmp / "b.ckpt", 2, **changes)
    code, result = average("a.ckpt", "b.ckpt", "-o", "mean.ckpt")
    assert code == 2
    assert text in result["text"]
    assert not (in_tmp / "mean.ckpt").exists()


def test_mistakes_and_existing_files(in_tmp: Path) -> None:
    write(in_tmp / "a.ckpt", 1)
    write(in_tmp / "b.ckpt", 2)
    before = (in_tmp / "b.ckpt").read_bytes()
    write(in_tmp / "c.ckpt", 3)
    for arguments, text in (
        (("a.ckpt", "-o", "mean.ckpt"), "two or more"),
        (("a.ckpt", "b.ckpt", "-o", "mean.ckpt", "--weights", "1"), "as many weights"),
        (("a.ckpt", "b.ckpt", "-o", "mean.ckpt", "--weights", "1,-1"), "above 0"),
        (("a.ckpt", "b.ckpt", "-o", "mean.ckpt", "--weights", "1,x"), "not numbers"),
        (("a.ckpt", "none.ckpt", "-o", "mean.ckpt"), "none.ckpt"),
        (("a.ckpt", "b.ckpt", "-o", "c.ckpt"), "c.ckpt"),
        (("a.ckpt", "b.ckpt", "-o", "b.ckpt", "--overwrite"), "b.ckpt"),
    ):
        code, result = average(*arguments)
        assert code == 2, arguments
        assert text in result["text"]
    assert not (in_tmp / "mean.ckpt").exists()
    assert (in_tmp / "b.ckpt").read_bytes() == before
    assert average("a.ckpt", "b.ckpt", "-o", "c.ckpt", "--overwrite")[0] == 0
