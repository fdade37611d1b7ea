"""A model in another interpreter: answers, crashes, hangs and the end of the engine."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from patience import until, within
from terraspore.engine.errors import InferenceError, RuntimeUnavailableError
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.mindspore_lite import MindSporeLite, lite_python
from terraspore.engine.runtimes.worker.client import EXIT_TIMEOUT, HOST_PROGRAM, WorkerProcess
from terraspore.engine.runtimes.worker.isolated_onnxruntime import IsolatedOnnxRuntime, onnxruntime_python

PYTHON = Path(sys.executable)
HELLO = 'import json, sys, os, time\nprint(json.dumps({"ok": True, "version": "1"}), flush=True)\n'


@pytest.fixture
def start(tmp_path):
    """A function that starts a host with a program of the test's own, and ends it afterwards."""
    hosts = []

    def begin(program):
        path = tmp_path / "program.py"
        path.write_text(HELLO + textwrap.dedent(program), encoding="utf-8")
        hosts.append(WorkerProcess(PYTHON, "any", path, patience=100.0))
        return hosts[-1]

    yield begin
    for host in hosts:
        host.close()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


ECHO = """
    import numpy as np
    for line in sys.stdin:
        command = json.loads(line)
        tiles = np.memmap(command["tiles"], "uint8", "r", shape=(2, 3))
        results = np.memmap(command["results"], "float32", "r+", shape=(2, 3))
        results[:] = tiles / 2
        print(json.dumps({"ok": True, "sum": int(tiles.sum())}), flush=True)
"""


def test_tiles_and_results_pass_through_mapped_files(start):
    host = start(ECHO)
    tiles, results = (
        host.mapped("tiles", (2, 3), np.dtype("uint8")),
        host.mapped("results", (2, 3), np.dtype("float32")),
    )
    for round_number in range(3):
        tiles[:] = np.arange(6).reshape(2, 3) + round_number
        answer = host.ask(do="echo", tiles=str(host.folder / "tiles"), results=str(host.folder / "results"))
        assert answer["sum"] == 15 + 6 * round_number
        np.testing.assert_array_equal(results, tiles / 2)


def test_closing_ends_the_process_and_leaves_nothing(start):
    host = start(ECHO)
    pid, folder = host._process.pid, host.folder
    with within(EXIT_TIMEOUT):  # after which it would be killed
        host.close()
    assert not alive(pid)
    assert not folder.exists()
    host.close()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ('sys.stdin.readline(); print(json.dumps({"ok": False, "error": "no such operator"}), flush=True)', "no such"),
        ('sys.stdin.readline(); print("segment lost", file=sys.stderr); os._exit(7)', r"code 7 \(segment lost\)"),
        ("sys.stdin.readline(); os.kill(os.getpid(), 11)", "signal 11"),
    ],
)
def test_failures_and_crashes_are_one_sentence(start, program, said):
    host = start(program)
    with pytest.raises(InferenceError, match=said):
        host.ask(do="run")


def test_a_dead_process_answers_no_further_command(start):
    host = start("sys.exit(3)")
    host._process.wait(60)
    for _ in range(2):
        with pytest.raises(InferenceError, match="code 3"):
            host.ask(do="run")


def test_a_process_that_hangs_is_ended(start):
    host = start("time.sleep(600)")
    host._patience = 1.0
    with within(3), pytest.raises(InferenceError, match="no answer within 1 s"):
        host.ask(do="run")
    host._process.wait(60)


def test_an_interpreter_that_is_none_is_refused(tmp_path):
    with pytest.raises(InferenceError, match="cannot be started"):
        WorkerProcess(tmp_path / "python", "onnxruntime")


def test_without_mindspore_lite_the_host_says_so():
    try:
        WorkerProcess(PYTHON, "mindspore-lite").close()
    except InferenceError as error:
        said = error.text
    else:
        pytest.skip("this interpreter has MindSpore Lite itself")
    assert "mindspore_lite" in said


def test_the_host_program_is_valid_for_python_3_7():
    import ast

    ast.parse(HOST_PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_interpreter_comes_from_the_variable(tmp_path, identity):
    assert lite_python({"TERRASPORE_LITE_PYTHON": "/a/python"}) == Path("/a/python")
    (info,) = [info for info in MindSporeLite(tmp_path / "python").devices() if info.device == "cpu"]
    assert "which is not there" in info.reason
    (info,) = [info for info in MindSporeLite(None).devices() if info.device == "cpu"]
    assert "TERRASPORE_LITE_PYTHON" in info.reason
    with pytest.raises(RuntimeUnavailableError, match="does not start"):
        MindSporeLite(tmp_path / "python").open(identity, SessionConfig("cpu", 64))


def test_onnx_runtime_in_a_process_of_its_own_computes_and_its_crash_is_a_sentence(identity):
    session = IsolatedOnnxRuntime(None).open(identity, SessionConfig("cpu", 64, threads=1))
    tiles = np.random.default_rng(0).integers(0, 251, (7, 3, 64, 64), np.uint8)
    np.testing.assert_allclose(session.predict(tiles), tiles / 250, atol=1e-6)
    session._host._process.kill()
    session._host._process.wait(60)
    with pytest.raises(InferenceError, match="signal 9"):
        session.predict(tiles)
    session.close()


def test_the_devices_of_another_environment_are_its_own():
    (info,) = [info for info in IsolatedOnnxRuntime(PYTHON).devices() if info.device == "cpu"]
    assert (info.runtime, info.reason) == ("onnxruntime-isolated", "")
    (info,) = IsolatedOnnxRuntime(Path("/no/python")).devices()
    assert "cannot be started" in info.reason
    assert onnxruntime_python({"TERRASPORE_ONNXRUNTIME_PYTHON": "/a/python"}) == Path("/a/python")
    assert onnxruntime_python({}) is None


@pytest.mark.parametrize("device", ["cuda", "nowhere"])
def test_a_device_that_the_other_build_lacks_is_refused_and_leaves_no_process(identity, device):
    with pytest.raises(RuntimeUnavailableError):
        IsolatedOnnxRuntime(None).open(identity, SessionConfig(device, 64))


def test_an_error_of_onnx_runtime_itself_is_answered_and_the_process_lives(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with WorkerProcess(PYTHON, "onnxruntime") as host:
        command = {"model": str(tmp_path / "no.onnx"), "provider": "CPUExecutionProvider", "options": {}, "sizes": {}}
        for _ in range(2):
            with pytest.raises(InferenceError, match=r"failed \(open\)"):
                host.ask(do="open", threads=1, **command)


def test_when_the_engine_is_killed_nothing_is_left():
    engine = """
        import sys, time
        from pathlib import Path
        from terraspore.engine.runtimes.worker.client import WorkerProcess
        host = WorkerProcess(Path(sys.executable), "onnxruntime")
        print(host._process.pid, host.folder, flush=True)
        time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(engine)], stdout=subprocess.PIPE, text=True)
    pid, folder = process.stdout.readline().split()
    assert alive(int(pid))
    process.kill()
    process.wait(60)
    until(lambda: not alive(int(pid)))
    until(lambda: not Path(folder).exists())
