"""The client of the engine's process against a stand-in that misbehaves in every way that a process can."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from patience import until, within
from terraspore.engine.protocol.messages import Message, Plan, Progress
from terraspore.plugin.engine.errors import EngineCancelledError, EngineError, EngineMissingError, EngineProtocolError
from terraspore.plugin.engine.pool import EngineHost
from terraspore.plugin.engine.process import EngineProcess, Launch, Limits, Listener

FAKE = Path(__file__).parent / "fake_engine.py"


def never():
    return False


def make_launch(**environment):
    return Launch((sys.executable, str(FAKE)), {**os.environ, **environment})


@pytest.fixture
def engine():
    process = EngineProcess(make_launch())
    yield process
    process.kill()


@pytest.fixture
def impatient():
    """The same, having said something: a test may let it wait for seconds only, of which its start is no part."""
    process = EngineProcess(make_launch(), Limits(unresponsive=100.0, stalled=100.0))
    process.run(["echo"], Listener(), never)
    yield process
    process.kill()


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
    assert "native library says hello" in lines
    assert engine.alive


def test_arguments_reach_the_engine_as_they_are(engine):
    words = ["echo", "--json", "; rm -rf /", "a b\n\t'\"", "Łódź ✓ 道路", "-o=x"]
    assert json.loads(engine.run(words, Listener(), never).text) == words


def test_failure_of_a_run_is_its_sentence_and_the_process_lives_on(engine):
    with pytest.raises(EngineError) as caught:
        engine.run(["fail"], Listener(), never)
    assert (caught.value.code, str(caught.value)) == ("SourceError", "The file is no image. Choose another.")
    assert engine.run(["echo"], Listener(), never).text == '["echo"]'


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("segfault", "EngineCrashed", "segmentation fault"),
        ("killed", "OutOfMemoryError", "memory ran out"),
        ("exit", "EngineEnded", r"exit code 7\).* Its last words: the last words"),
        ("import", "EngineIncomplete", "No module named 'rasterio'"),
    ],
)
def test_crash_is_a_sentence(engine, how, code, words):
    with pytest.raises(EngineError, match=words) as caught:
        engine.run([how], Listener(), never)
    assert caught.value.code == code
    assert not engine.alive


@pytest.mark.parametrize("how", ["slow", "stall", "stop", "echo-nothing"])
def test_cancel_ends_every_run_within_two_seconds(how):
    engine = EngineProcess(make_launch())
    engine.run(["echo"], Listener(), never)
    begin = time.monotonic()
    with within(2.3), pytest.raises(EngineCancelledError):
        engine.run([how], Listener(), lambda: time.monotonic() - begin > 0.3)
    engine.close()
    assert is_gone(engine.pid)


def test_cancel_that_the_engine_follows_keeps_it_alive(engine):
    engine.limits = Limits(cancel=60.0)
    begin = time.monotonic()
    with pytest.raises(EngineCancelledError):
        engine.run(["slow"], Listener(), lambda: time.monotonic() - begin > 0.3)
    assert engine.alive
    assert engine.run(["echo"], Listener(), never).text == '["echo"]'


def test_stopped_process_is_ended(impatient):
    impatient.limits = Limits(unresponsive=1.5, stalled=100.0)
    with within(4), pytest.raises(EngineError, match="did not answer for 2 seconds") as caught:
        impatient.run(["stop"], Listener(), never)
    assert caught.value.code == "EngineHung"
    assert is_gone(impatient.pid)


def test_run_without_progress_is_ended_though_the_process_answers(impatient):
    impatient.limits = Limits(unresponsive=100.0, stalled=3.0)
    with pytest.raises(EngineError, match="made no progress for 3 seconds"):
        impatient.run(["stall"], Listener(), never)
    assert is_gone(impatient.pid)


def test_garbage_ends_the_process(engine):
    with pytest.raises(EngineProtocolError, match="does not speak the machine protocol"):
        engine.run(["garbage"], Listener(), never)
    assert is_gone(engine.pid)


def test_endless_line_ends_the_process_without_filling_memory(engine):
    with pytest.raises(EngineProtocolError, match="more than 4194304 bytes"):
        engine.run(["huge"], Listener(), never)
    assert is_gone(engine.pid)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "result"},
        {"type": "result", "outputs": {"vectors": 3}, "summary": {}, "seconds": 1, "text": ""},
        {"type": "progress", "stage": "infer", "done": -1, "total": 2},
        {"type": "progress", "stage": "infer", "done": 1e300, "total": 2},
        {"type": "error", "code": None, "text": "x"},
        {"type": "result", "outputs": {}, "summary": {"a": {"b": 1}}, "seconds": 1, "text": ""},
        {"type": "pong", "id": -1},
        {"type": ["a"]},
    ],
)
def test_malformed_event_ends_the_process(engine, event):
    text = json.dumps(event)
    with pytest.raises(EngineProtocolError):
        engine.run(["wrong", text], Listener(), never)
    assert is_gone(engine.pid)


def test_request_that_could_block_is_refused(engine):
    with pytest.raises(EngineError, match="too long"):
        engine.run(["echo", "x" * 100_000], Listener(), never)


def test_missing_interpreter_is_a_sentence(tmp_path):
    with pytest.raises(EngineMissingError, match="does not start: No such file"):
        EngineProcess(Launch((str(tmp_path / "python"),), {}))


def test_host_keeps_the_process_and_closes_it():
    host = EngineHost()
    first = host.run(make_launch(), ["echo"], Listener(), never, keep_seconds=60).summary["pid"]
    second = host.run(make_launch(), ["echo"], Listener(), never, keep_seconds=60).summary["pid"]
    assert first == second == host.processes()[0]
    other = host.run(make_launch(OTHER="1"), ["echo"], Listener(), never, keep_seconds=60).summary["pid"]
    assert other != first
    assert is_gone(first)
    host.close()
    assert is_gone(other)
    assert host.processes() == []


def test_host_ends_an_idle_process_in_time():
    host = EngineHost()
    pid = host.run(make_launch(), ["echo"], Listener(), never, keep_seconds=0.3).summary["pid"]
    until(lambda: is_gone(pid))


def test_closing_the_host_cancels_what_runs():
    host = EngineHost()
    threading.Timer(0.5, host.close).start()
    with within(3), pytest.raises(EngineCancelledError):
        host.run(make_launch(), ["slow"], Listener(), never)
    assert host.processes() == []


PARENT = """
import os, sys
from terraspore.plugin.engine.process import EngineProcess, Launch, Listener
engine = EngineProcess(Launch((sys.argv[1], "-I", sys.argv[2]), dict(os.environ)))
print(engine.pid, flush=True)
engine.run(["extract", "roads", sys.argv[3], f"--output={sys.argv[4]}", f"--model={sys.argv[5]}", "--tta"],
           Listener(event=lambda event: print(type(event).__name__, flush=True)), lambda: False)
"""


def test_engine_ends_when_qgis_is_killed(inputs, tmp_path):
    from conftest import ENGINE_PYTHON, ROOT

    launcher = ROOT / "engine" / "launch.py"
    model = inputs / "models" / "bright-is-road"
    words = [str(word) for word in (ENGINE_PYTHON, launcher, inputs / "image.tif", tmp_path / "roads.gpkg", model)]
    command = [sys.executable, "-c", PARENT, *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline().strip() == "Plan"
        parent.kill()
    with within(5):
        until(lambda: is_gone(pid))
    assert list(tmp_path.iterdir()) == []
