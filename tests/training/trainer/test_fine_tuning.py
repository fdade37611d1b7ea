"""Training that starts from trained weights: what is frozen stays, decay towards the start, exact resume."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import Cancelled, ParameterError
from terraspore.engine.models.checkpoint import read_checkpoint

pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parent))
from mindspore import Tensor, nn
from terraspore.training.checkpoint_io import parameter_values, save_checkpoint
from terraspore.training.trainer import run_training
from terraspore.training.trainer.state import read_state
from tiny_run import StoppingDisplay, Tiny, read_rows, tiny_config, train_whole_and_broken

pytestmark = pytest.mark.mindspore


class Shifted(nn.Cell):
    """A batch norm whose statistics are far from those of the images, and a convolution to two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.norm.moving_mean.set_data(Tensor(np.full(3, 2.0, np.float32)))
        self.norm.moving_variance.set_data(Tensor(np.full(3, 9.0, np.float32)))
        self.last = nn.Conv2d(3, 2, 3, has_bias=True)

    def construct(self, images: Tensor) -> Tensor:
        return self.last(self.norm(images))


def run(config, out, **options):
    return run_training(config, out, make_network=lambda chosen: Tiny(chosen.network.num_classes), **options)


def test_frozen_parameters_do_not_change_at_all(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train.steps=3"), in_tmp / "first")
    start = f"init.checkpoint={in_tmp / 'first' / 'last.ckpt'}"
    before = read_checkpoint(in_tmp / "first" / "last.ckpt")
    frozen = {
        "init.freeze=[first]": {"first.weight"},
        "init.freeze=[norm.]": {"norm.gamma", "norm.beta", "norm.moving_mean", "norm.moving_variance"},
        "init.freeze_norm=true": {"norm.moving_mean", "norm.moving_variance"},
    }
    for number, (override, names) in enumerate(frozen.items()):
        run(tiny_config(roads, "train.steps=3", start, override), in_tmp / str(number))
        after = read_checkpoint(in_tmp / str(number) / "last.ckpt")
        assert {name for name in before if np.array_equal(before[name], after[name])} == names


def test_what_cannot_be_frozen_is_refused(roads: Path, in_tmp: Path) -> None:
    with pytest.raises(ParameterError, match="begins with 'frist'"):
        run(tiny_config(roads, "init.freeze=[frist]"), in_tmp / "run")
    with pytest.raises(ParameterError, match="Every parameter is frozen"):
        run(tiny_config(roads, "init.freeze=[first, norm, last]"), in_tmp / "run")


def test_a_frozen_norm_computes_with_its_own_statistics(roads: Path, in_tmp: Path) -> None:
    plain = ("network.num_classes=2", "data.classes=[]", "loss.name=ce", "train.monitor=mean_iou", "train.steps=3")
    crops = "augment={crop: 40, hflip: 0.0, rot90: false, scale: [1, 1], noise_chance: 0}"
    start = in_tmp / "start.ckpt"
    save_checkpoint(start, parameter_values(Shifted().get_parameters()))
    plain = (*plain, f"init.checkpoint={start}")
    losses = {}
    for frozen in ("true", "false"):
        for batch, accumulate in ((4, 1), (2, 2)):
            options = (f"init.freeze_norm={frozen}", f"train.batch={batch}", f"optimizer.accumulate={accumulate}")
            out = in_tmp / f"{frozen}{batch}"
            run_training(tiny_config(roads, *plain, crops, *options), out, make_network=lambda _: Shifted())
            losses[frozen, batch] = [float(row["loss"]) for row in read_rows(out / "steps.csv")]
    # Then the loss of a batch is the mean of those of its halves, as it is not with the statistics of the batch.
    assert np.allclose(losses["true", 4], losses["true", 2], rtol=1e-5)
    assert not np.allclose(losses["false", 4], losses["false", 2], rtol=1e-5)


def test_a_run_that_decays_to_its_start_resumes_exactly(roads: Path, in_tmp: Path) -> None:
    def config(start: str):
        decay = ("optimizer.decay_to_init=true", "optimizer.weight_decay=5.0", "init.freeze_norm=true")
        return tiny_config(roads, "train.steps=6", *decay, f"init.checkpoint={in_tmp / start / 'last.ckpt'}")

    run(tiny_config(roads, "train.steps=3"), in_tmp / "start")
    run(config("start"), in_tmp / "whole")
    display = StoppingDisplay(6, 3)
    with pytest.raises(Cancelled, match="after step 3"):
        run(config("start"), in_tmp / "broken", display=display, context=display.context)
    # The start is that of the state, even if the configuration names another one now.
    run(config("whole"), in_tmp / "broken", resume=True)
    assert read_rows(in_tmp / "broken" / "steps.csv") == read_rows(in_tmp / "whole" / "steps.csv")
    states = [read_state(in_tmp / name / "state.npz")[0] for name in ("broken", "whole")]
    assert "initial.last.weight" in states[0]["optimizer"]
    for name, value in states[1]["net"].items():
        assert np.array_equal(value, states[0]["net"][name]), name


def test_a_run_with_rate_factors_resumes_exactly(roads: Path, in_tmp: Path) -> None:
    config = tiny_config(roads, "train.steps=6", "optimizer.rate_factors={first: 1.0e-3, norm.: 0.5}")
    train_whole_and_broken(run, config, in_tmp, 3)
    states = [read_state(in_tmp / name / "state.npz")[0] for name in ("broken", "whole")]
    for group, values in states[1].items():
        for name, value in values.items():
            assert np.array_equal(value, states[0][group][name]), name


def test_a_run_with_dropped_paths_resumes_exactly(roads: Path, in_tmp: Path) -> None:
    network = "network={name: dlinknet_efficientnet_lite0, drop_path: 0.5, decoder_dropout: 0.3}"
    config = tiny_config(roads, network, "train.steps=4", "train.compile=false", "train.convolution=mindspore")
    train_whole_and_broken(run_training, config, in_tmp, 2)
    plain = replace(config, network=replace(config.network, drop_path=0.0), train=replace(config.train, steps=1))
    run_training(plain, in_tmp / "plain")
    losses = [read_rows(in_tmp / name / "steps.csv")[0]["loss"] for name in ("whole", "plain")]
    assert losses[0] != losses[1]
