"""The engine as QGIS runs it: stopped, hanging, cancelled at any moment, and left alone by a dead parent."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import COMMAND, ONNX, contents, names, unlocked
from patience import Stopwatch, slowness, until, within
from terraspore.engine.cli.cli_context import STOP_GRACE
from terraspore.engine.fs.journal import find_unfinished_run
from terraspore.engine.protocol.messages import Progress
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError
from terraspore.plugin.engine.process import EngineProcess, Launch, Listener, Timeouts

CANCELS = int(os.environ.get("TERRASPORE_CANCELS", "50"))
#: On an idle machine.
CANCEL_SECONDS = 2.0


def launch():
    """The engine with the variables of now: the tests' own cache is among them."""
    return Launch(COMMAND, dict(os.environ))


def words_of(world, kind, out, *more):
    return [word for word in world.words(kind, out, *more) if word != "--json"]


def is_alive(pid):
    """Whether a process runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Trigger:
    """Says when to cancel.

    Args:
        share: of the tiles, after which it is time; None for the start.
        seconds: to be waited beyond that.
    """

    def __init__(self, share, seconds):
        self._share, self._wait = share, seconds
        self._at = time.monotonic() + seconds if share is None else None
        self.watch = None

    @classmethod
    def of_moment(cls, moment, slower):
        """A moment from -0.5 to 0 is half a second to none after the start, one above 1 comes behind the last tile."""
        if moment < 0:
            return cls(None, slower * (0.5 + moment))
        return cls(min(moment, 1.0), slower * max(0.0, moment - 1))

    def hear(self, event):
        """Take an event of the run."""
        if self._at is None and getattr(event, "stage", None) == "infer" and event.done >= self._share * event.total:
            self._at = time.monotonic() + self._wait

    def is_pulled(self):
        """Whether it is time; ``watch`` runs from then on."""
        if self.watch is None and self._at is not None and time.monotonic() >= self._at:
            self.watch = Stopwatch()
        return self.watch is not None


@pytest.fixture
def engine(world):
    """A function that starts an engine with timeouts that hold once it is warm; all are ended afterwards."""
    started = []

    def start(**timeouts):
        process = EngineProcess(launch(), Timeouts())
        started.append(process)
        process.run(["info", str(world.image)], Listener(), lambda: False)
        process.timeouts = Timeouts(**timeouts)
        return process

    yield start
    for process in started:
        process.close()
        assert not process.is_alive


def test_stopped_engine_is_ended_by_the_watchdog_and_its_run_goes_on(world, reference, out, engine):
    seconds = round(3 * slowness())
    process = engine(unresponsive=float(seconds))
    words = words_of(world, "classes", out, "--tta")
    seen = []

    def stop(event):
        if isinstance(event, Progress) and event.done > event.total / 2 and not seen:
            seen.append(event)
            os.kill(process.pid, signal.SIGSTOP)

    def run_until_stopped():
        """Where the rest of the run was quicker than the news of its half, it is made again."""
        for _ in range(10):
            process.run(words, Listener(on_event=stop), lambda: False)
            for path in out.iterdir():
                path.unlink()
            os.kill(process.pid, signal.SIGCONT)
            seen.clear()

    with pytest.raises(EngineError, match=f"did not answer for {seconds} seconds") as caught:
        run_until_stopped()
    assert caught.value.code == "EngineHung"
    assert seen
    assert not process.is_alive
    assert contents(out) == {}
    assert unlocked(out)
    assert find_unfinished_run(out / "c.tif") is not None
    assert world.run(world.words("classes", out, "--tta", "--resume"))[0] == 0
    assert contents(out) == reference("classes", "--tta")[0]


def test_hanging_model_is_ended_by_the_watchdog(world, hanging_model, out, engine):
    process = engine(stalled=4.0)
    words = ["extract", "roads", str(world.image), "-o", str(out / "r.gpkg"), "--model", str(hanging_model)]
    with pytest.raises(EngineError, match="made no progress for 4 seconds"):
        process.run([*words, *ONNX[:-1]], Listener(), lambda: False)
    assert not process.is_alive
    assert contents(out) == {}
    assert unlocked(out)


def test_hanging_model_is_cancelled_in_time(world, hanging_model, out, engine):
    process = engine(cancel=60.0)
    words = ["extract", "roads", str(world.image), "-o", str(out / "r.gpkg"), "--model", str(hanging_model)]
    # By the plan the model is loaded; the wait before it is for the first tile, which is tried.
    trigger = Trigger(None, 5.0)
    with pytest.raises(EngineCancelledError):
        process.run([*words, *ONNX[:-1]], Listener(), trigger.is_pulled)
    assert trigger.watch.idle_seconds() < CANCEL_SECONDS
    assert names(out) == []


@pytest.mark.timeout(60 + 10 * CANCELS)
def test_cancels_at_random_moments_leave_nothing(world, reference, scratch):
    """While a process starts, a model is loaded, tiles are computed, vectors are made, and files are closed."""
    chance = random.Random(50)
    process, seconds, number = EngineProcess(launch(), Timeouts(cancel=60.0)), [], 0
    # On a busy machine a run can be over before this process has its turn; then there are more of them.
    while number < CANCELS or (len(seconds) < CANCELS / 3 and number < 5 * CANCELS):
        out = Path(tempfile.mkdtemp(dir=scratch))
        kind = ("classes", "roads", "classes")[number % 3]
        if not process.is_alive or number % 17 == 16:
            process.close()
            process = EngineProcess(launch(), Timeouts(cancel=60.0))
        trigger = Trigger.of_moment(chance.uniform(-0.5, 1.1), slowness())
        try:
            process.run(words_of(world, kind, out, "--tta"), Listener(on_event=trigger.hear), trigger.is_pulled)
        except EngineCancelledError:
            took = trigger.watch.wall_seconds()
            seconds.append((trigger.watch.idle_seconds(), took))
            assert names(out) == []
            if took > STOP_GRACE:  # native code had to be ended with its process, which goes right behind its last word
                process.close()
        else:
            assert contents(out) == reference(kind, "--tta")[0]
            assert names(out) == sorted(contents(out))
        shutil.rmtree(out)
        number += 1
    process.close()
    assert not process.is_alive
    slowest, measured = max(seconds)
    print(f"{len(seconds)} of {number} were cancelled; the slowest took {measured:.2f} s, {slowest:.2f} s when idle")
    assert len(seconds) >= CANCELS / 3, "most of the runs were over before they were cancelled"
    assert slowest < CANCEL_SECONDS


PARENT = """
import json, subprocess, sys, time
command = json.loads(sys.argv[1])
engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
engine.stdin.write(json.dumps({"type": "run", "id": 1, "arguments": json.loads(sys.argv[2])}).encode() + b"\\n")
engine.stdin.flush()
print(engine.pid, flush=True)
for line in engine.stdout:
    print(line.decode(), end="", flush=True)
"""


def test_dead_parent_ends_the_engine_and_its_run_goes_on(world, reference, out):
    words = words_of(world, "classes", out, "--tta")
    arguments = [sys.executable, "-c", PARENT, json.dumps([*COMMAND, "serve"]), json.dumps(words)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        for line in parent.stdout:
            event = json.loads(line)
            if event["type"] == "progress" and event["done"] > event["total"] / 2:
                break
        parent.kill()
    with within(5):
        until(lambda: not is_alive(pid), 100)
    assert unlocked(out)
    standing = contents(out)
    if not standing:
        assert find_unfinished_run(out / "c.tif") is not None
        assert [name for name in names(out) if "unfinished" not in name] == []
    assert world.run(world.words("classes", out, "--tta", "--resume"))[0] == 0
    assert contents(out) == reference("classes", "--tta")[0]


def test_two_runs_on_one_output(world, reference, out):
    first = world.start(world.words("roads", out, "--tta"))
    first.wait_for(lambda event: event["type"] == "plan")
    first.signal(signal.SIGSTOP)  # or it could be over before the others have asked
    for words in (
        world.words("roads", out),
        world.words("roads", out, output=out / "other.gpkg"),
        ["vectorize", str(world.image), "-o", str(out / "r.gpkg"), "--json"],
    ):
        second = world.start(words)
        code, last = second.end()
        assert (code, last["code"]) == (2, "OutputBusyError"), last
        assert f"process {first.pid}" in last["text"]
        assert str(out / "p.tif") in last["text"] or str(out / "r.gpkg") in last["text"]
        assert last["hint"].startswith("Wait until it has finished")
        assert [event["type"] for event in second.events()] == ["error"]
    first.signal(signal.SIGCONT)
    code, last = first.end()
    assert code == 0, last
    assert contents(out) == reference("roads", "--tta")[0]
    assert names(out) == ["p.tif", "r.gpkg"]
