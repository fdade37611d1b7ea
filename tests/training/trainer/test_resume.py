"""A training that is killed and resumed goes on as if nothing had happened."""

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


def start(out: Path, roads: Path, pause: float, *words: str) -> subprocess.Popen:
    env = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(out), str(roads), str(pause), *words]
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
    deadline = time.monotonic() + 200
    while len(rows(path)) < count:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checks(out: Path) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(out / "checks.csv")]


@pytest.mark.slow
def test_killed_and_resumed_run_has_the_losses_of_an_unbroken_one(roads: Path, tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    finish(start(unbroken, roads, 0))
    killed = start(broken, roads, 0.4)
    # Between a saved state (5, 8, 10, ...) and the next one: rows that the state does not cover must be written anew.
    wait_for_steps(killed, broken / "steps.csv", 13)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stderr.close()
    assert len(rows(broken / "steps.csv")) < 30
    finish(start(broken, roads, 0, "--resume"))
    want, got = rows(unbroken / "steps.csv"), rows(broken / "steps.csv")
    assert [row["step"] for row in got] == [str(number) for number in range(1, 31)]
    for key in ("loss", "lr", "grad_norm"):
        assert [row[key] for row in got] == [row[key] for row in want]
    assert checks(broken) == checks(unbroken)
    assert (broken / "best.ckpt").read_bytes() == (unbroken / "best.ckpt").read_bytes()
