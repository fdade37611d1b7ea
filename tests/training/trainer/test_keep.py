"""Which weights are kept, by hand."""

import math
from pathlib import Path

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.trainer.checkpoint_policy import archived, new_bests, prune, score


def test_higher_is_better_except_for_losses() -> None:
    figures = {"mean_iou": 0.25, "train_loss": 2.0, "f1": math.nan}
    assert score("mean_iou", figures) == 0.25
    assert score("train_loss", figures) == -2.0
    assert score("f1", figures) == -math.inf
    with pytest.raises(ParameterError, match="'iou'"):
        score("iou", figures)


def test_new_bests_are_the_first_and_the_better_ones() -> None:
    figures = {"mean_iou": 0.25, "train_loss": 2.0, "f1": math.nan, "recall": 0.5}
    names = ("mean_iou", "train_loss", "f1", "recall")
    assert new_bests(names, figures, {"mean_iou": 0.25, "train_loss": 2.5}) == {"train_loss": 2.0, "recall": 0.5}


def test_an_archive_keeps_the_latest(tmp_path: Path) -> None:
    for step in (5, 100, 20, 9):
        (tmp_path / f"step_{step}.ckpt").touch()
    (tmp_path / "mine.ckpt").touch()
    prune(tmp_path, -1)
    assert [path.stem for path in archived(tmp_path)] == ["step_5", "step_9", "step_20", "step_100"]
    prune(tmp_path, 2)
    assert [path.stem for path in archived(tmp_path)] == ["step_20", "step_100"]
    assert (tmp_path / "mine.ckpt").exists()
