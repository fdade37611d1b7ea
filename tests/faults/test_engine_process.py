"""The engine as QGIS runs it: stopped, hanging, cancelled at any step, and with a parent process that is killed."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ONNX, contents, has_lock, list_names
from hold_point import HELD_COMMAND, MAX_LATE_BATCHES
from terraspore.engine.fs.journal import find_unfinished_run
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.engine.process import EngineProcess, Launch, Listener, Timeouts
from waiting import kill_if_late, wait_for

CANCELS = int(os.environ.get("TERRASPORE_CANCELS", "50"))
#: Seconds, only to end a test whose run ignores its cancel.
LONG = 400.0


class ManualClock:
    """A clock that stands still until it is started; from then on each reading advances it by ten seconds."""

    def __init__(self):
        self._seconds, self._is_running = 0, False

    def __call__(self):
        self._seconds += 10 * self._is_running
        return self._seconds

    def start(self):
        """Start the clock."""
        self._is_running = True


def plain_arguments(runner, kind, out, *options):
    """The arguments of a run in ``serve``, which always writes JSON."""
    return [argument for argument in runner.arguments(kind, out, *options) if argument != "--json"]


def hanging_arguments(runner, model, out):
    """The arguments of a run with a model that computes one tile for minutes."""
    return ["extract", "roads", str(runner.image), "-o", str(out / "r.gpkg"), "--model", str(model), *ONNX[:-1]]


def is_alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start_engine(hold):
    """A function that starts an engine which ``hold`` applies to; all of them are ended afterwards."""
    processes = []

    def start(timeouts=None, **options):
        launch = Launch(HELD_COMMAND, {**os.environ, **hold.environment})
        processes.append(EngineProcess(launch, timeouts or Timeouts(), **options))
        return processes[-1]

    yield start
    for process in processes:
        process.close()
        assert not process.is_alive


def test_stopped_engine_is_ended_by_the_watchdog_and_its_run_resumes(runner, reference, out, hold, start_engine):
    hold.set("row", 3)
    clock = ManualClock()
    process = start_engine(clock=clock)

    def stop_at_the_row():
        if hold.is_reached():
            os.kill(process.pid, signal.SIGSTOP)
            clock.start()
        return False

    with pytest.raises(EngineError, match="did not answer for 90 seconds") as caught:
        process.run(plain_arguments(runner, "classes", out, "--tta"), Listener(), stop_at_the_row)
    assert caught.value.code == "EngineHung"
    assert not process.is_alive
    assert contents(out) == {}
    assert not has_lock(out)
    assert find_unfinished_run(out / "c.tif") is not None
    assert runner.run(runner.arguments("classes", out, "--tta", "--resume"))[0] == 0
    assert contents(out) == reference("classes", "--tta").contents


def test_hanging_model_is_ended_by_the_watchdog(runner, hanging_model, out, hold, start_engine):
    hold.set("predict", waits=False)
    clock = ManualClock()
    process = start_engine(Timeouts(unresponsive=math.inf), clock=clock)

    def start_clock_in_the_model():
        if hold.is_reached():
            clock.start()
        return False

    with pytest.raises(EngineError, match="made no progress for 900 seconds"):
        process.run(hanging_arguments(runner, hanging_model, out), Listener(), start_clock_in_the_model)
    assert not process.is_alive
    assert contents(out) == {}
    assert not has_lock(out)


def test_hanging_model_is_cancelled_in_time(runner, hanging_model, out, hold, start_engine):
    """The engine ends itself a second after the cancel; the plugin, which would wait longer here, need not kill it."""
    hold.set("predict", waits=False)
    process = start_engine(Timeouts(cancel=LONG))
    with pytest.raises(EngineCancelledError):
        process.run(hanging_arguments(runner, hanging_model, out), Listener(), hold.is_reached)
    assert process._popen.wait(100) == 3
    assert list_names(out) == []


@pytest.mark.timeout(1800 + 20 * CANCELS)
def test_cancels_at_random_moments_leave_nothing(runner, reference, scratch, hold, start_engine):
    """While a run is prepared, tiles are computed, rows are stored, and files are written and renamed."""
    chance = random.Random(50)
    hold.set(None)
    process, cancelled = start_engine(Timeouts(cancel=LONG)), 0
    for number in range(CANCELS):
        if number % 17 == 16:
            process.close()
            process = start_engine(Timeouts(cancel=LONG))
        kind, step = ("classes", "roads")[number % 2], ("start", "tile", "row", "file")[number // 2 % 4]
        out = Path(tempfile.mkdtemp(dir=scratch))
        whole = reference(kind, "--tta")
        if step == "start":
            hold.set(None)
            polls = iter([False] * chance.randint(0, 20))
            is_cancelled = lambda polls=polls: next(polls, True)  # noqa: E731
        else:
            hold.set(step, chance.randint(1, whole.steps[step]), watched=out)
            is_cancelled = hold.is_reached
        try:
            process.run(plain_arguments(runner, kind, out, "--tta"), Listener(), is_cancelled)
        except EngineCancelledError:
            cancelled += 1
            assert list_names(out) == []
            assert hold.counts().get("late", 0) <= MAX_LATE_BATCHES
        else:
            assert step in ("start", "file"), f"the run ignored the cancel at a {step}"
            assert contents(out) == whole.contents
            assert list_names(out) == sorted(whole.contents)
        assert process.is_alive
        shutil.rmtree(out)
    print(f"{cancelled} of {CANCELS} were cancelled")
    assert cancelled >= CANCELS / 3


#: Starts the engine given as JSON, sends it a run, and waits until it ends.
PARENT = """
import json, subprocess, sys
engine = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
engine.stdin.write(json.dumps({"type": "run", "id": 1, "arguments": json.loads(sys.argv[2])}).encode() + b"\\n")
engine.stdin.flush()
print(engine.pid, flush=True)
engine.stdout.read()
"""


def test_the_engine_ends_with_its_parent_and_its_run_resumes(runner, reference, out, hold):
    run = json.dumps(plain_arguments(runner, "classes", out, "--tta"))
    command = [sys.executable, "-c", PARENT, json.dumps([*HELD_COMMAND, "serve"]), run]
    environment = {**os.environ, **hold.set("row", 3).environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent, kill_if_late(parent):
        try:
            pid = int(parent.stdout.readline())
            wait_for(hold.is_reached)
        finally:
            parent.kill()
    wait_for(lambda: not is_alive(pid))
    assert not has_lock(out)
    assert contents(out) == {}
    assert find_unfinished_run(out / "c.tif") is not None
    assert [name for name in list_names(out) if "unfinished" not in name] == []
    assert runner.run(runner.arguments("classes", out, "--tta", "--resume"))[0] == 0
    assert contents(out) == reference("classes", "--tta").contents


def test_two_runs_on_one_output(runner, reference, out, hold):
    first = runner.start(runner.arguments("roads", out, "--tta"), hold.set("tile"))
    assert first.wait_until_held(hold)
    for arguments in (
        runner.arguments("roads", out),
        runner.arguments("roads", out, output=out / "other.gpkg"),
        ["vectorize", "roads", str(runner.image), "-o", str(out / "r.gpkg"), "--json"],
    ):
        second = runner.start(arguments)
        code, last = second.wait()
        assert (code, last["code"]) == (2, "OutputBusyError"), last
        assert f"process {first.pid}" in last["text"]
        assert str(out / "p.tif") in last["text"] or str(out / "r.gpkg") in last["text"]
        assert last["hint"].startswith("Wait until it has finished")
        assert [event["type"] for event in second.events()] == ["error"]
    hold.release()
    code, last = first.wait()
    assert code == 0, last
    assert contents(out) == reference("roads", "--tta").contents
    assert list_names(out) == ["p.tif", "r.gpkg"]
