"""Training in this process, on a tiny network."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.context import RunContext
from terraspore.engine.errors import Cancelled, ParameterError, TerraSporeError
from terraspore.engine.models.checkpoint import read_checkpoint

pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parent))
from mindspore import Tensor, nn
from terraspore.training.data import open_split, open_training_data
from terraspore.training.evaluation import SegmentationScores
from terraspore.training.evaluation.predictor import load_predictor
from terraspore.training.trainer import Trainer, run_training
from terraspore.training.trainer.state import read_state, write_state
from tiny_run import Tiny, tiny_config

pytestmark = pytest.mark.mindspore


def run(config, out, **options):
    return run_training(config, out, make_network=lambda chosen: Tiny(chosen.network.num_classes), **options)


def column(path: Path, key: str) -> list[float]:
    with path.open(newline="") as file:
        return [float(row[key]) for row in csv.DictReader(file)]


def test_it_learns_and_leaves_a_complete_folder(roads: Path, in_tmp: Path) -> None:
    out = in_tmp / "run"
    outcome = run(tiny_config(roads), out)
    assert outcome.progress.best > 0.8
    loss = column(out / "steps.csv", "loss")
    assert np.mean(loss[-5:]) < 0.3 * np.mean(loss[:3])
    for name in (
        "config.yaml",
        "environment.json",
        "curves.png",
        "summary.json",
        "last.ckpt",
        "best.ckpt",
        "state.npz",
    ):
        assert (out / name).stat().st_size > 0, name
    assert list((out / "tensorboard").iterdir())
    assert json.loads((out / "environment.json").read_text())["packages"]["mindspore"]
    # The checkpoint holds the running means, not the trained weights of the last step.
    groups, _ = read_state(out / "state.npz")
    weights = read_checkpoint(out / "last.ckpt")
    assert np.array_equal(weights["first.weight"], groups["mean"]["first.weight"])
    assert not np.array_equal(weights["first.weight"], groups["net"]["first.weight"])


def test_validation_does_not_change_the_losses(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train.evaluate_every=3"), in_tmp / "often")
    run(tiny_config(roads, "train.evaluate_every=30"), in_tmp / "once")
    assert column(in_tmp / "often" / "steps.csv", "loss") == column(in_tmp / "once" / "steps.csv", "loss")


def test_bests_of_further_metrics_and_an_archive_are_kept(
    roads: Path, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The best by recall is that of the second validation, the best by the monitored metric that of the third.
    scores = iter([(0.2, 0.5), (0.3, 0.9), (0.6, 0.4), (0.5, 0.8)])

    class FixedScores(SegmentationScores):
        def metrics(self) -> dict[str, float]:
            return dict(zip(("foreground_iou", "recall"), next(scores), strict=True))

    monkeypatch.setattr(Trainer, "validate", lambda self: FixedScores(2))
    overrides = ("train={steps: 8, evaluate_every: 2, keep_best: [recall], archive: 3}", "optimizer.ema=0")
    out = in_tmp / "run"
    outcome = run(tiny_config(roads, *overrides), out)
    assert outcome.progress.best_step == 6
    assert outcome.progress.bests == {"recall": 0.9}
    assert sorted(path.name for path in (out / "archive").iterdir()) == ["step_4.ckpt", "step_6.ckpt", "step_8.ckpt"]
    weights = {name: read_checkpoint(out / name)["first.weight"] for name in ("best.ckpt", "best_recall.ckpt")}
    assert np.array_equal(weights["best_recall.ckpt"], read_checkpoint(out / "archive" / "step_4.ckpt")["first.weight"])
    assert np.array_equal(weights["best.ckpt"], read_checkpoint(out / "archive" / "step_6.ckpt")["first.weight"])
    assert (out / "confusion_best_recall.csv").read_text().startswith("true \\ predicted,background,road")
    lines = (out / "train.log").read_text().splitlines()
    assert sum("validation at step" in line for line in lines) == 4
    assert column(out / "steps.csv", "data_seconds")


def test_a_state_of_another_version_can_be_resumed(roads: Path, in_tmp: Path) -> None:
    # Entries that the state lacks start at their defaults, and entries that are not known are ignored.
    out = in_tmp / "run"
    run(tiny_config(roads, "train.steps=2"), out)
    groups, meta = read_state(out / "state.npz")
    del meta["progress"]["bests"]
    meta["progress"]["figures"] = {"f1": 0.5}
    write_state(out / "state.npz", groups, meta)
    config = tiny_config(roads, "train={steps: 4, evaluate_every: 2, keep_best: [recall]}")
    assert run(config, out, resume=True).progress.bests.keys() == {"recall"}


def test_statistics_that_are_not_finite_end_the_training(roads: Path, in_tmp: Path) -> None:
    class Deep(Tiny):
        """Its batch norm sees a single value of each channel."""

        def construct(self, images: Tensor) -> Tensor:
            pooled = self.norm(self.first(images).mean((2, 3), keep_dims=True))
            return self.last(self.relu(self.first(images) + pooled))

    config = tiny_config(roads, "train={steps: 2, batch: 1, evaluate_every: 2, compile: false}")
    with pytest.raises(ParameterError, match=r"norm\.moving_variance is not finite: 1 crops of 32"):
        run_training(config, in_tmp / "run", make_network=lambda chosen: Deep())
    assert not (in_tmp / "run" / "best.ckpt").exists()
    assert "compiled" not in (in_tmp / "run" / "train.log").read_text()


def test_a_checkpoint_is_evaluated_in_the_precision_of_its_training(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train={steps: 2, evaluate_every: 2, compile: false}"), in_tmp / "run")
    image = open_split(tiny_config(roads).data, "valid").read(0)[0]
    probabilities = {}
    for level in ("O0", "O2"):
        config = tiny_config(roads, f"train.amp={level}", "train.compile=false")
        probabilities[level] = load_predictor(config, in_tmp / "run" / "best.ckpt", lambda _: Tiny()).predict(image)
    difference = np.abs(probabilities["O2"] - probabilities["O0"]).max()
    assert 1e-7 < difference < 1e-2


def test_a_training_without_a_defined_metric_warns(roads: Path, in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Undefined(SegmentationScores):
        def metrics(self) -> dict[str, float]:
            return {"foreground_iou": float("nan")}

    monkeypatch.setattr(Trainer, "validate", lambda self: Undefined(2))
    context = RunContext()
    run(tiny_config(roads, "train={steps: 1, compile: false}"), in_tmp / "run", context=context)
    assert "foreground_iou was not defined" in context.warnings[0]
    assert (in_tmp / "run" / "best.ckpt").exists()
    summary = json.loads((in_tmp / "run" / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["metrics"]["foreground_iou"] is None


def test_a_run_that_is_not_compiled_has_the_same_losses(roads: Path, in_tmp: Path) -> None:
    overrides = ("train.steps=4", "optimizer.accumulate=2", "train.loss_scale=dynamic", "train.init_scale=16")
    run(tiny_config(roads, *overrides), in_tmp / "compiled")
    run(tiny_config(roads, *overrides, "train.compile=false"), in_tmp / "plain")
    losses = [column(in_tmp / name / "steps.csv", "loss") for name in ("compiled", "plain")]
    assert np.allclose(losses[0], losses[1], rtol=1e-4)


def test_a_folder_with_a_run_is_not_overwritten(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train.steps=2"), in_tmp / "run")
    with pytest.raises(ParameterError, match="--resume"):
        run(tiny_config(roads, "train.steps=2"), in_tmp / "run")


def test_cancelling_saves_the_state(roads: Path, in_tmp: Path) -> None:
    context = RunContext()
    context.cancellation.cancel()
    config = tiny_config(roads)
    with pytest.raises(Cancelled, match="nothing was written"):
        run(config, in_tmp / "run", context=context)
    assert not (in_tmp / "run").exists()
    with pytest.raises(Cancelled, match="after step 1"):
        run(config, in_tmp / "run", context=context, data=open_training_data(config))
    assert read_state(in_tmp / "run" / "state.npz")[1]["progress"]["step"] == 1


def test_plateau_restores_the_best_weights_in_the_trained_network(
    roads: Path, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first validation is the best; the second lowers the rate to next to nothing. From then on the compiled steps
    # must train the weights of the first validation: they hardly change any more, and are saved at the end.
    scores = iter([0.5, 0.4, 0.3, 0.2])

    class FixedScores(SegmentationScores):
        def metrics(self) -> dict[str, float]:
            return {"foreground_iou": next(scores)}

    monkeypatch.setattr(Trainer, "validate", lambda self: FixedScores(2))
    config = tiny_config(
        roads,
        "optimizer={name: sgd, lr: 0.05, momentum: 0.0, ema: 0, weight_decay: 0.0}",
        "schedule={name: plateau, patience: 1, factor: 1e-30, warmup: 0}",
        "train={steps: 12, evaluate_every: 3}",
    )
    outcome = run(config, in_tmp / "run")
    assert outcome.progress.best_step == 3
    rates = column(in_tmp / "run" / "steps.csv", "lr")
    assert rates[:6] == [0.05] * 6
    assert max(rates[6:]) < 1e-20
    best = read_state(in_tmp / "run" / "best_state.npz")[0]["net"]
    last = read_state(in_tmp / "run" / "state.npz")[0]["net"]
    for name in ("first.weight", "last.weight", "norm.gamma"):
        assert np.array_equal(best[name], last[name]), name


def test_accumulated_gradients_equal_one_large_batch(roads: Path, in_tmp: Path) -> None:
    # No batch norm and no random changes, and a loss that is a mean over pixels: then it makes no difference.
    common = (
        "network.num_classes=2",
        "data.classes=[]",
        "loss.name=ce",
        "train.monitor=mean_iou",
        "train.steps=4",
        "optimizer.ema=0",
    )
    plain = (*common, "augment={crop: 40, hflip: 0.0, rot90: false, scale: [1, 1], noise_chance: 0}")
    losses = []
    for number, overrides in enumerate((("train.batch=4",), ("train.batch=2", "optimizer.accumulate=2"))):
        config = tiny_config(roads, *plain, *overrides)
        run_training(config, in_tmp / str(number), make_network=lambda _: nn.Conv2d(3, 2, 3, has_bias=True))
        losses.append(column(in_tmp / str(number) / "steps.csv", "loss"))
    assert np.allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][3] < losses[0][0]


def test_dynamic_loss_scale_skips_overflowing_steps(roads: Path, in_tmp: Path) -> None:
    config = tiny_config(
        roads, "train.loss_scale=dynamic", "train.init_scale=1e38", "train.scale_factor=16", "train.steps=20"
    )
    out = in_tmp / "run"
    run(config, out)
    scale, overflows, loss = (column(out / "steps.csv", key) for key in ("loss_scale", "overflows", "loss"))
    assert overflows[-1] >= 1
    assert scale[-1] < 1e38
    skipped = int(overflows[-1])
    # The optimizer did not count the skipped steps.
    groups, _ = read_state(out / "state.npz")
    assert int(groups["optimizer"]["global_step"][0]) == 20 - skipped
    assert np.isfinite(loss).all()
    assert loss[-1] < loss[0]


def test_loss_scale_does_not_change_the_losses(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train.steps=6"), in_tmp / "plain")
    run(tiny_config(roads, "train.steps=6", "train.loss_scale=fixed", "train.init_scale=1024"), in_tmp / "scaled")
    plain, scaled = (column(in_tmp / name / "steps.csv", "loss") for name in ("plain", "scaled"))
    assert np.allclose(plain, scaled, rtol=1e-4)


def test_half_precision_is_close_and_keeps_the_parameters(roads: Path, in_tmp: Path) -> None:
    run(tiny_config(roads, "train.steps=3"), in_tmp / "full")
    overrides = ("train.amp=O2", "train.loss_scale=dynamic", "train.init_scale=256")
    run(tiny_config(roads, "train.steps=3", *overrides), in_tmp / "half")
    full, half = (column(in_tmp / name / "steps.csv", "loss") for name in ("full", "half"))
    assert full != half
    assert np.allclose(full, half, rtol=0.02)
    weights = [read_checkpoint(in_tmp / name / "last.ckpt") for name in ("full", "half")]
    assert {key: value.dtype for key, value in weights[0].items()} == {key: v.dtype for key, v in weights[1].items()}


def test_divergence_is_reported(roads: Path, in_tmp: Path) -> None:
    config = tiny_config(roads, "optimizer={name: sgd, lr: 1e30}", "train.steps=20", "schedule.name=constant")
    with pytest.raises(TerraSporeError, match="diverged"):
        run(config, in_tmp / "run")
