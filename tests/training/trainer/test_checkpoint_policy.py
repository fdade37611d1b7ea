"""Which checkpoints are kept."""

import math
from pathlib import Path

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.trainer.checkpoint_policy import archived_checkpoints, new_bests, prune_archive, score
from windows_files import windows_rules


def test_higher_is_better_except_for_losses() -> None:
    metrics = {"mean_iou": 0.25, "train_loss": 2.0, "f1": math.nan}
    assert score("mean_iou", metrics) == 0.25
    assert score("train_loss", metrics) == -2.0
    assert score("f1", metrics) == -math.inf
    with pytest.raises(ParameterError, match="'iou'"):
        score("iou", metrics)


def test_new_bests_are_the_first_and_the_better_ones() -> None:
    metrics = {"mean_iou": 0.25, "train_loss": 2.0, "f1": math.nan, "recall": 0.5}
    names = ("mean_iou", "train_loss", "f1", "recall")
    assert new_bests(names, metrics, {"mean_iou": 0.25, "train_loss": 2.5}) == {"train_loss": 2.0, "recall": 0.5}


def test_an_archive_keeps_the_latest(tmp_path: Path) -> None:
    for step in (5, 100, 20, 9):
        (tmp_path / f"step_{step}.ckpt").touch()
    (tmp_path / "mine.ckpt").touch()
    prune_archive(tmp_path, -1)
    assert [path.stem for path in archived_checkpoints(tmp_path)] == ["step_5", "step_9", "step_20", "step_100"]
    prune_archive(tmp_path, 2)
    assert [path.stem for path in archived_checkpoints(tmp_path)] == ["step_20", "step_100"]
    assert (tmp_path / "mine.ckpt").exists()


def test_a_checkpoint_that_is_open_elsewhere_does_not_end_the_training(tmp_path: Path) -> None:
    """Windows does not remove it; a later call does."""
    for step in range(4):
        (tmp_path / f"step_{step}.ckpt").touch()
    with windows_rules(lambda _text: None), (tmp_path / "step_0.ckpt").open():
        prune_archive(tmp_path, 1)
    assert [path.stem for path in archived_checkpoints(tmp_path)] == ["step_0", "step_3"]
    prune_archive(tmp_path, 1)
    assert [path.stem for path in archived_checkpoints(tmp_path)] == ["step_3"]
