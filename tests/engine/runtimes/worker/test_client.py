"""A model in a worker process: answers, crashes, hangs, shared memory and the end of the engine."""

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import InferenceError, OutOfMemoryError, RuntimeUnavailableError
from terraspore.engine.runtimes.base import SessionConfig
from terraspore.engine.runtimes.mindspore_lite import MindSporeLite
from terraspore.engine.runtimes.onnxruntime import IsolatedOnnxRuntime
from terraspore.engine.runtimes.worker import client as module
from terraspore.engine.runtimes.worker.client import HOST_PROGRAM, WorkerProcess
from waiting import kill_if_late, wait_for
from windows_files import windows_rules

PYTHON = Path(sys.executable)
GREETING = 'import json, sys, os, time\nprint(json.dumps({"ok": True, "version": "1"}), flush=True)\n'


@pytest.fixture
def start(tmp_path):
    """A function that starts a worker with a program of the test's own, and ends it afterwards."""
    workers = []

    def begin(program):
        path = tmp_path / "program.py"
        path.write_text(GREETING + textwrap.dedent(program), encoding="utf-8")
        workers.append(WorkerProcess(PYTHON, "any", path, timeout=100.0))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.close()


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
    worker = start(ECHO)
    tiles = worker.create_shared_array("tiles", (2, 3), np.dtype("uint8"))
    results = worker.create_shared_array("results", (2, 3), np.dtype("float32"))
    for round_number in range(3):
        tiles[:] = np.arange(6).reshape(2, 3) + round_number
        answer = worker.call("echo", tiles=str(tiles.filename), results=str(results.filename))
        assert answer["sum"] == 15 + 6 * round_number
        np.testing.assert_array_equal(results, tiles / 2)


@pytest.fixture
def full_memory_folder(tmp_path_factory, monkeypatch):
    """A memory folder in which a file gets no more than 64 kB."""
    folder = tmp_path_factory.mktemp("shm")
    allocate = os.posix_fallocate

    def allocate_little(descriptor, offset, size):
        in_memory = folder in Path(f"/proc/self/fd/{descriptor}").readlink().parents
        if in_memory and size > 65536:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(descriptor, offset, size)

    monkeypatch.setattr(module, "MEMORY_FOLDER", folder)
    monkeypatch.setattr(os, "posix_fallocate", allocate_little)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/shm")
def test_tiles_which_do_not_fit_into_memory_go_to_the_temporary_folder(identity, full_memory_folder):
    with IsolatedOnnxRuntime().open(identity, SessionConfig("cpu", 128, threads=1)) as session:
        for array in (session._tiles, session._results):
            assert Path(array.filename).parent == session._worker.folder
        assert [list(folder.iterdir()) for folder in full_memory_folder.iterdir()] == [[]]
        tiles = np.random.default_rng(0).integers(0, 251, (5, 3, 128, 128), np.uint8)
        np.testing.assert_allclose(session.predict(tiles), tiles / 250, atol=1e-6)
    with IsolatedOnnxRuntime().open(identity, SessionConfig("cpu", 32, threads=1)) as session:
        assert full_memory_folder in Path(session._tiles.filename).parents
    assert list(full_memory_folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system has no fallocate")
def test_files_are_allocated_by_writing_where_the_file_system_needs_it(tmp_path, monkeypatch):
    def refuse(descriptor, offset, size):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    path, size = tmp_path / "tiles", (2 << 20) + 7
    module._allocate_file(path, size)
    assert path.read_bytes() == bytes(size)


def test_tiles_without_room_anywhere_are_an_error_and_leave_no_process(identity, monkeypatch):
    def allocate_nothing(path, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    workers = []
    start = WorkerProcess.__init__

    def record(self, *arguments, **options):
        start(self, *arguments, **options)
        workers.append(self)

    monkeypatch.setattr(module, "_allocate_file", allocate_nothing)
    monkeypatch.setattr(WorkerProcess, "__init__", record)
    with pytest.raises(OutOfMemoryError, match=r"no room for tiles.*No space left"):
        IsolatedOnnxRuntime().open(identity, SessionConfig("cpu", 64, threads=1))
    (worker,) = workers
    assert not worker.is_alive()
    assert not worker.folder.exists()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux mounts a file system")
def test_a_tiny_memory_file_system_is_no_crash(tmp_path):
    program = """
        import sys
        from pathlib import Path
        import numpy as np
        from terraspore.engine.runtimes.worker import client
        client.MEMORY_FOLDER = Path(sys.argv[1])
        with client.WorkerProcess(Path(sys.executable), "onnxruntime") as worker:
            for name, count in (("small", 1000), ("large", 1000000)):
                array = worker.create_shared_array(name, (count,), np.dtype("uint8"))
                array[:] = 1
                print(name, Path(array.filename).parent == worker.folder)
    """
    mount = 'mount -t tmpfs -o size=64k terraspore "$1" && exec "$0" -c "$2" "$1"'
    command = ["unshare", "--mount", "sh", "-c", mount, sys.executable, str(tmp_path), textwrap.dedent(program)]
    if shutil.which("unshare") is None or subprocess.run([*command[:2], "true"], check=False).returncode:
        pytest.skip("this system allows no mount name space")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "mount:" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.stdout.split() == ["small", "False", "large", "True"], done.stderr


def test_closing_ends_the_process_and_leaves_nothing(start, monkeypatch):
    worker = start(ECHO)
    pid, folders = worker._process.pid, worker._folders
    monkeypatch.setattr(module, "EXIT_TIMEOUT", 100.0)  # after which it would be killed
    worker.close()
    assert worker._process.returncode == 0
    assert not alive(pid)
    assert not any(folder.exists() for folder in folders)
    worker.close()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('sys.stdin.readline(); print(json.dumps({"ok": False, "error": "no such operator"}), flush=True)', "no such"),
        ('sys.stdin.readline(); print("segment lost", file=sys.stderr); os._exit(7)', r"code 7 \(segment lost\)"),
        ("sys.stdin.readline(); os.kill(os.getpid(), 11)", "signal 11"),
    ],
)
def test_failures_and_crashes_are_one_sentence(start, program, message):
    worker = start(program)
    with pytest.raises(InferenceError, match=message):
        worker.call("run")


def test_a_dead_process_answers_no_further_command(start):
    worker = start("sys.exit(3)")
    worker._process.wait(60)
    for _ in range(2):
        with pytest.raises(InferenceError, match="code 3"):
            worker.call("run")


def test_a_process_that_hangs_is_ended(start):
    worker = start("time.sleep(600)")
    worker._timeout = 1.0
    with pytest.raises(InferenceError, match="no answer within 1 s"):
        worker.call("run")
    worker._process.wait(60)


def test_an_interpreter_that_is_none_is_refused(tmp_path):
    with pytest.raises(InferenceError, match="cannot be started"):
        WorkerProcess(tmp_path / "python", "onnxruntime")


def test_without_mindspore_lite_the_worker_says_so():
    try:
        WorkerProcess(PYTHON, "mindspore-lite").close()
    except InferenceError as error:
        message = error.text
    else:
        pytest.skip("this interpreter has MindSpore Lite itself")
    assert "mindspore_lite" in message


def test_the_host_program_is_valid_for_python_3_7():
    import ast

    ast.parse(HOST_PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_interpreter_comes_from_the_variable(tmp_path, identity, monkeypatch):
    (info,) = [info for info in MindSporeLite().devices() if info.device == "cpu"]
    assert "TERRASPORE_LITE_PYTHON" in info.reason
    monkeypatch.setenv("TERRASPORE_LITE_PYTHON", str(tmp_path / "python"))
    (info,) = [info for info in MindSporeLite().devices() if info.device == "cpu"]
    assert f"names {tmp_path / 'python'}, which is not there" in info.reason
    with pytest.raises(RuntimeUnavailableError, match="does not start"):
        MindSporeLite(tmp_path / "python").open(identity, SessionConfig("cpu", 64))


def test_onnx_runtime_in_a_worker_computes_and_its_crash_is_a_sentence(identity):
    session = IsolatedOnnxRuntime().open(identity, SessionConfig("cpu", 64, threads=1))
    tiles = np.random.default_rng(0).integers(0, 251, (7, 3, 64, 64), np.uint8)
    np.testing.assert_allclose(session.predict(tiles), tiles / 250, atol=1e-6)
    session._worker._process.kill()
    session._worker._process.wait(60)
    with pytest.raises(InferenceError, match="signal 9"):
        session.predict(tiles)
    session.close()


def test_a_file_that_the_worker_has_open_is_removed_with_the_others(start):
    worker = start("for line in sys.stdin: pass")
    path = worker.write_file("model", b"x")
    with windows_rules(lambda _text: None), path.open():
        worker.remove_file(path)
    assert path.exists()
    worker.close()
    assert not path.exists()


def test_mapped_files_are_closed_before_they_are_removed(identity):
    """Windows removes no mapped file."""
    refused = []
    with windows_rules(refused.append):
        session = IsolatedOnnxRuntime().open(identity, SessionConfig("cpu", 64, threads=1))
        folders = session._worker._folders
        session.predict(np.zeros((1, 3, 64, 64), np.uint8))
        session._worker._process.kill()  # so that it removes no files itself
        session.close()
    assert refused == []
    assert not any(folder.exists() for folder in folders)


def test_the_devices_of_another_environment_are_its_own(monkeypatch):
    (info,) = [info for info in IsolatedOnnxRuntime(PYTHON).devices() if info.device == "cpu"]
    assert (info.runtime, info.reason) == ("onnxruntime-isolated", "")
    assert "cpu" in [info.device for info in IsolatedOnnxRuntime().devices()]
    monkeypatch.setenv("TERRASPORE_ONNXRUNTIME_PYTHON", "/no/python")
    (info,) = IsolatedOnnxRuntime().devices()
    assert "The interpreter /no/python cannot be started" in info.reason


@pytest.mark.parametrize("device", ["cuda", "nowhere"])
def test_a_device_that_the_other_build_lacks_is_refused_and_leaves_no_process(identity, device):
    with pytest.raises(RuntimeUnavailableError):
        IsolatedOnnxRuntime().open(identity, SessionConfig(device, 64))


def test_an_error_of_onnx_runtime_itself_is_answered_and_the_process_lives(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with WorkerProcess(PYTHON, "onnxruntime") as worker:
        arguments = {"model": str(tmp_path / "no.onnx"), "provider": "CPUExecutionProvider", "options": {}, "sizes": {}}
        for _ in range(2):
            with pytest.raises(InferenceError, match=r"failed \(open\)"):
                worker.call("open", threads=1, **arguments)


def test_when_the_engine_is_killed_nothing_is_left():
    engine = """
        import sys, time
        from pathlib import Path
        from terraspore.engine.runtimes.worker.client import WorkerProcess
        worker = WorkerProcess(Path(sys.executable), "onnxruntime")
        print(worker._process.pid, *worker._folders, flush=True)
        time.sleep(600)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(engine)], stdout=subprocess.PIPE, text=True)
    with kill_if_late(process):
        pid, *folders = process.stdout.readline().split()
        assert alive(int(pid))
    process.kill()
    process.wait(60)
    wait_for(lambda: not alive(int(pid)))
    wait_for(lambda: not any(Path(folder).exists() for folder in folders))
