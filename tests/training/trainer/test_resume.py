"""A training that is killed and resumed has the result of an uninterrupted one."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tiny_run.py")

pytestmark = pytest.mark.mindspore


def start(out: Path, roads: Path, *options: str) -> subprocess.Popen:
    env = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(out), str(roads), *options]
    return subprocess.Popen(command, cwd=out.parent, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors.decode()


def rows(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def wait_for_steps(process: subprocess.Popen, path: Path, count: int) -> None:
    deadline = time.monotonic() + 400
    while len(rows(path)) < count:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def validations(out: Path) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(out / "checks.csv")]


@pytest.mark.slow
def test_killed_and_resumed_run_has_the_losses_of_an_uninterrupted_one(roads: Path, tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    finish(start(whole, roads))
    # States are saved after steps 5, 8, 10, 15, ...: rows after step 10 must be written again.
    killed = start(resumed, roads, "--hold", "13")
    wait_for_steps(killed, resumed / "steps.csv", 13)
    killed.send_signal(signal.SIGKILL)
    killed.wait(60)
    killed.stderr.close()
    assert len(rows(resumed / "steps.csv")) == 13
    finish(start(resumed, roads, "--resume"))
    want, got = rows(whole / "steps.csv"), rows(resumed / "steps.csv")
    assert [row["step"] for row in got] == [str(number) for number in range(1, 31)]
    for key in ("loss", "lr", "grad_norm"):
        assert [row[key] for row in got] == [row[key] for row in want]
    assert validations(resumed) == validations(whole)
    assert (resumed / "best.ckpt").read_bytes() == (whole / "best.ckpt").read_bytes()
