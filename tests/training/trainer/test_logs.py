"""What is logged of a step."""

from pathlib import Path

import pytest
from terraspore.training.trainer.logs import STEP_COLUMNS, Clock, Logs
from terraspore.training.trainer.run_folder import RunFolder, Table


def row(step: int) -> dict[str, float | int | str]:
    return {**dict.fromkeys(STEP_COLUMNS, "0.5"), "step": step}


def test_the_running_loss_passes_over_steps_that_overflowed(tmp_path: Path) -> None:
    with Logs(RunFolder(tmp_path), 0, active=False) as logs:
        means = [logs.step(row(step), loss) for step, loss in enumerate((2.0, float("inf"), 1.0))]
    assert means == pytest.approx([2.0, 2.0, 0.98 * 2 + 0.02])


def test_steps_after_the_state_are_written_anew(tmp_path: Path) -> None:
    # A table of an earlier version lacks a column; its rows are kept.
    (tmp_path / "steps.csv").write_text("step,loss\n1,0.9\n2,0.8\n3,0.7\n4,0.")
    with Logs(RunFolder(tmp_path), 2, active=True) as logs:
        logs.step(row(3), 0.5)
        logs.check(3, {"mean_iou": float("nan"), "overall_acc": 0.5}, 1.0, best=True)
    table = Table(tmp_path / "steps.csv", STEP_COLUMNS).rows()
    assert [(line["step"], line["loss"]) for line in table] == [("1", "0.9"), ("2", "0.8"), ("3", "0.5")]
    assert (tmp_path / "checks.csv").read_text().splitlines()[1] == "3,nan,0.5,1.00,1"


def test_the_first_step_is_not_counted_in_the_speed() -> None:
    clock = Clock(images=8)
    for seconds in (30.0, 2.0, 4.0):
        clock.step(seconds)
    assert (clock.compile_seconds, clock.mean, clock.rate) == (30.0, 3.0, pytest.approx(8 / 3))
