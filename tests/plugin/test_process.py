"""The client of the engine's process against a stand-in that fails in every way in which a process can."""

import gc
import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.protocol.messages import Message, Plan, Progress
from terraspore.plugin.engine import process as process_module
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError, make_exit_error
from terraspore.plugin.engine.pool import EnginePool
from terraspore.plugin.engine.process import EngineProcess, Launch, Listener, Timeouts
from waiting import kill_if_late, wait_for

HERE = Path(__file__).parent
#: The promise for a cancelled run, in seconds.
CANCEL_SECONDS = 2.0


class FastClock:
    """A clock that goes a quarter of a second forward whenever it is read, so that no test waits for timeouts."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.25
        return self.now


def never():
    return False


def always():
    return True


def make_launch(**environment):
    return Launch((sys.executable, str(HERE / "fake_engine.py")), {**os.environ, **environment})


@pytest.fixture
def start():
    """A function that starts the fake engine, with the clock standing still unless one is given."""
    started = []

    def start(timeouts=None, clock=lambda: 0.0):
        started.append(EngineProcess(make_launch(), timeouts, clock))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def engine(start):
    return start()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_events_arrive_in_order_and_foreign_words_go_to_the_log(engine):
    events, lines = [], []
    result = engine.run(["steps"], Listener(events.append, lines.append), never)
    assert isinstance(events[0], Plan)
    assert events[0].memory_bytes == 1000000
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2, 3, 4]
    assert events[-1] == Message("A remark.", "warning")
    assert result.summary["length_km"] == 1.25
    assert result.warnings == ("A remark.",)
    assert "native library says hello" in lines
    assert engine.is_alive


def test_stderr_goes_to_the_log(engine):
    lines = []
    listener = Listener(on_log=lines.append)
    engine.run(["steps"], listener, never)
    wait_for(lambda: engine.run(["echo"], listener, never) and "words for people" in lines)


def test_arguments_reach_the_engine_as_they_are(engine):
    arguments = ["echo", "--json", "; rm -rf /", "a b\n\t'\"", "Łódź ✓ 道路", "-o=x"]
    assert json.loads(engine.run(arguments, Listener(), never).text) == arguments


def test_failure_of_a_run_is_its_sentence_and_the_process_lives_on(engine):
    with pytest.raises(EngineError) as caught:
        engine.run(["fail"], Listener(), never)
    assert (caught.value.code, str(caught.value)) == ("SourceError", "The file is no image. Choose another.")
    assert engine.run(["echo"], Listener(), never).text == '["echo"]'


@pytest.mark.parametrize(
    ("behaviour", "code", "pattern"),
    [
        ("segfault", "EngineCrashed", "segmentation fault"),
        ("killed", "OutOfMemoryError", "memory ran out"),
        ("exit", "EngineEnded", r"exit code 7\).* Its last message: the last words"),
        ("import", "EngineIncomplete", "No module named 'rasterio'"),
    ],
)
def test_crash_is_a_sentence(engine, behaviour, code, pattern):
    with pytest.raises(EngineError, match=pattern) as caught:
        engine.run([behaviour], Listener(), never)
    assert caught.value.code == code
    assert not engine.is_alive


def test_pipe_of_a_process_that_has_ended_is_closed(engine):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(EngineError):
            engine.run(["exit"], Listener(), never)
        for thread in engine._threads:
            thread.join(60)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert engine._popen.stdout.closed


@given(st.integers(-(2**31), 2**32 - 1), st.text(max_size=50))
def test_every_exit_code_is_a_sentence(code, details):
    error = make_exit_error(code, details)
    assert len(str(error)) > 20


@pytest.mark.parametrize(
    ("code", "details", "name"),
    [
        (-9, "", "OutOfMemoryError"),
        (128 + 11, "", "EngineCrashed"),
        (0xC0000005, "", "EngineCrashed"),
        (0xC0000005 - 2**32, "", "EngineCrashed"),
        (-11, "x\nMemoryError\n", "OutOfMemoryError"),
        (-15, "", "EngineEnded"),
        (1, "", "EngineEnded"),
    ],
)
def test_exit_codes_of_all_systems(code, details, name):
    assert make_exit_error(code, details).code == name


def test_cancel_is_promised_within_two_seconds():
    assert Timeouts().cancel + 0.5 < CANCEL_SECONDS  # the rest is for ending the process


@pytest.mark.parametrize("behaviour", ["slow", "hang", "stop", "echo-nothing"])
def test_cancelled_run_ends_whether_the_engine_follows_or_not(start, behaviour):
    clock = FastClock()
    engine = start(clock=clock)
    engine.run(["echo"], Listener(), never)
    before = clock.now
    with pytest.raises(EngineCancelledError):
        engine.run([behaviour], Listener(), always)
    assert clock.now - before < CANCEL_SECONDS + 1  # what the clock has gone since the cancel: it is read often
    engine.close()
    assert is_gone(engine.pid)


def test_cancel_in_the_middle_that_the_engine_follows_keeps_it_alive(engine):
    events = []
    with pytest.raises(EngineCancelledError):
        engine.run(["slow"], Listener(events.append), lambda: len(events) > 2)
    assert engine.is_alive
    assert engine.run(["echo"], Listener(), never).text == '["echo"]'


def test_stopped_process_is_ended(start):
    engine = start(Timeouts(unresponsive=20.0, stalled=math.inf), FastClock())
    with pytest.raises(EngineError, match="did not answer for 20 seconds") as caught:
        engine.run(["stop"], Listener(), never)
    assert caught.value.code == "EngineHung"
    assert is_gone(engine.pid)


def test_silent_process_is_pinged_again_when_it_has_answered(start):
    engine = start(Timeouts(unresponsive=math.inf, stalled=math.inf), FastClock())
    assert engine.run(["pings"], Listener(), never).text == "Pinged."


def test_engine_lives_on_when_the_computer_has_slept(start):
    """For an hour, on a system whose clock counts that."""
    clock, polls = FastClock(), []

    def sleep_once():
        polls.append(None)
        clock.now += 3600 * (len(polls) == 5)
        return False

    engine = start(Timeouts(unresponsive=1000.0, stalled=1000.0), clock)
    assert engine.run(["pings"], Listener(), sleep_once).text == "Pinged."
    assert len(polls) > 5


def test_run_without_progress_is_ended_though_the_process_answers(start):
    engine = start(Timeouts(unresponsive=math.inf, stalled=30.0), FastClock())
    with pytest.raises(EngineError, match="made no progress for 30 seconds"):
        engine.run(["hang"], Listener(), never)
    assert is_gone(engine.pid)


def test_garbage_ends_the_process(engine):
    with pytest.raises(EngineError, match="does not follow the machine protocol"):
        engine.run(["garbage"], Listener(), never)
    assert is_gone(engine.pid)


def test_endless_line_ends_the_process_without_filling_memory(engine):
    with pytest.raises(EngineError, match="more than 4194304 bytes"):
        engine.run(["huge"], Listener(), never)
    assert is_gone(engine.pid)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "result"},
        {"type": "result", "outputs": {"vectors": 3}, "summary": {}, "seconds": 1, "text": ""},
        {"type": "progress", "stage": "infer", "done": -1, "total": 2},
        {"type": "error", "code": None, "text": "x"},
        {"type": "pong", "id": -1},
        {"type": ["a"]},
    ],
)
def test_malformed_event_ends_the_process(engine, event):
    text = json.dumps(event)
    with pytest.raises(EngineError) as caught:
        engine.run(["wrong", text], Listener(), never)
    assert caught.value.code == "ProtocolError"
    assert is_gone(engine.pid)


def test_command_that_could_block_is_refused(engine):
    with pytest.raises(EngineError, match="too long"):
        engine.run(["echo", "x" * 100_000], Listener(), never)


def test_missing_interpreter_is_a_sentence(tmp_path):
    with pytest.raises(EngineError, match="does not start: No such file"):
        EngineProcess(Launch((str(tmp_path / "python"),), {}))


def test_pool_keeps_the_process_and_closes_it():
    pool = EnginePool()
    first = pool.run(make_launch(), ["echo"], Listener(), never, keep_seconds=600).summary["pid"]
    second = pool.run(make_launch(), ["echo"], Listener(), never, keep_seconds=600).summary["pid"]
    assert first == second == pool.list_pids()[0]
    other = pool.run(make_launch(OTHER="1"), ["echo"], Listener(), never, keep_seconds=600).summary["pid"]
    assert other != first
    assert is_gone(first)
    pool.close()
    assert is_gone(other)
    assert pool.list_pids() == []


def test_pool_ends_an_idle_process():
    pool = EnginePool()
    pid = pool.run(make_launch(), ["echo"], Listener(), never, keep_seconds=0.1).summary["pid"]
    wait_for(lambda: is_gone(pid))


def test_closing_the_pool_cancels_runs():
    pool = EnginePool()
    with pytest.raises(EngineCancelledError):
        pool.run(make_launch(), ["slow"], Listener(on_event=lambda _event: pool.close()), never, keep_seconds=600)
    assert pool.list_pids() == []


PARENT = """
import json, os, sys
from terraspore.plugin.engine.process import EngineProcess, Launch, Listener
command, arguments = json.loads(sys.argv[1])
engine = EngineProcess(Launch(tuple(command), dict(os.environ)))
print(engine.pid, flush=True)
listener = Listener(on_event=lambda event: print(type(event).__name__, flush=True))
engine.run(arguments, listener, lambda: False)
"""


def test_engine_ends_when_qgis_is_killed(inputs, tmp_path, held_python):
    from conftest import ROOT

    command = [held_python, "-I", "-X", "utf8", ROOT / "engine" / "launch.py"]
    output, model = tmp_path / "roads.gpkg", inputs / "models" / "bright-is-road"
    arguments = ["extract", "roads", inputs / "image.tif", f"--output={output}", f"--model={model}", "--tile=64"]
    program = [sys.executable, "-c", PARENT, json.dumps([command, arguments], default=str)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOLD_AT_TILE": "3"}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as parent, kill_if_late(parent):
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline().strip() == "Plan"
        parent.kill()
    wait_for(lambda: is_gone(pid))
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".unfinished")] == []


FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print('child', flush=True); sys.stdin.read()"])
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def windows_without_groups(tmp_path, monkeypatch):
    """Windows' way to end processes: there are no groups, and ``taskkill /T`` knows the children."""
    program = tmp_path / "taskkill"
    program.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "/F /T /PID" ] || exit 1\nkill -9 $(cat /proc/$4/task/$4/children) $4\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delattr(os, "killpg")
    monkeypatch.setattr(process_module, "sys", SimpleNamespace(platform="win32"))


@pytest.mark.parametrize("system", ["posix", "windows"])
def test_children_of_a_process_end_with_it(system, request):
    """As those of ``venv``, which starts ensurepip, and of the launcher in a virtual environment on Windows."""
    if system == "windows":
        request.getfixturevalue("windows_without_groups")
    command = [sys.executable, "-c", FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **process_module.OWN_TREE) as process:
        found = sorted([process.stdout.readline(), process.stdout.readline()])
        process_module.end_process_tree(process)
        assert process.wait(60) == -9
        assert process.stdout.read() == b""  # no child has it open any more
    assert found[1] == b"child\n"
