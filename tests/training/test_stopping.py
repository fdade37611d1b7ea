"""A stopped training has the time to save its state, unlike other commands, which end at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import kill_if_late

SCRIPT = """
import os, sys, time
from pathlib import Path
import click
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import run_command
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.protocol.messages import Result

@click.command()
def slow():
    def hold(context):
        context.cancellation.message = "Cancelled; one half is kept."
        print("ready", flush=True)
        while not context.cancellation.requested:
            time.sleep(0.01)
        time.sleep(2.5 if sys.argv[1:] else 60)
        Path("saved").write_text("yes")
        return Result({}, {}, "saved")
    run_command(False, hold, *map(float, sys.argv[1:]))

sys.modules["slow_command"] = sys.modules["__main__"]
cli_context = CliContext(end_process=os._exit)
sys.exit(run(["slow"], extra_commands={"slow": ("slow_command", "slow", "")}, cli_context=cli_context))
"""


@pytest.mark.parametrize(("grace", "saved"), [(["60"], True), ([], False)])
def test_a_stopped_command_has_its_grace_period(tmp_path: Path, grace: list[str], saved: bool) -> None:
    command = [sys.executable, "-c", SCRIPT, *grace]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with kill_if_late(process):
        assert process.stdout.readline().strip() == "ready"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert ("Cancelled; one half is kept." in errors) != saved
    assert (tmp_path / "saved").exists() == saved
    assert (process.returncode == 0) == saved


def test_grace_period_of_training_exceeds_a_step() -> None:
    from terraspore.training.cli.train import STOP_GRACE

    assert STOP_GRACE >= 60
