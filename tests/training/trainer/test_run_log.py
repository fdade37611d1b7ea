"""Logs of a run and the speed of its steps."""

from pathlib import Path

import pytest
from terraspore.training.trainer.progress import StepTimer
from terraspore.training.trainer.run_folder import STEP_COLUMNS, CsvTable, RunFolder, RunLog


def row(step: int) -> dict[str, float | int | str]:
    return {**dict.fromkeys(STEP_COLUMNS, "0.5"), "step": step}


def test_the_running_loss_skips_steps_that_overflowed(tmp_path: Path) -> None:
    with RunLog(RunFolder(tmp_path), 0, active=False) as log:
        means = [log.add_step(row(step), loss) for step, loss in enumerate((2.0, float("inf"), 1.0))]
    assert means == pytest.approx([2.0, 2.0, 0.98 * 2 + 0.02])


def test_steps_after_the_state_are_written_again(tmp_path: Path) -> None:
    # A table of an earlier version lacks a column; its rows are kept.
    (tmp_path / "steps.csv").write_text("step,loss\n1,0.9\n2,0.8\n3,0.7\n4,0.")
    with RunLog(RunFolder(tmp_path), 2, active=True) as log:
        log.add_step(row(3), 0.5)
        log.add_validation(3, {"mean_iou": float("nan"), "overall_acc": 0.5}, 1.0, best=True)
    table = CsvTable(tmp_path / "steps.csv", STEP_COLUMNS).read()
    assert [(line["step"], line["loss"]) for line in table] == [("1", "0.9"), ("2", "0.8"), ("3", "0.5")]
    assert (tmp_path / "checks.csv").read_text().splitlines()[1] == "3,nan,0.5,1.00,1"


def test_the_first_step_is_not_counted_in_the_speed() -> None:
    timer = StepTimer(images=8)
    for seconds in (30.0, 2.0, 4.0):
        timer.add(seconds)
    assert (timer.compile_seconds, timer.mean, timer.images_per_second) == (30.0, 3.0, pytest.approx(8 / 3))
