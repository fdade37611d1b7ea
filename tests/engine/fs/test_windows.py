"""Locks and temporary files on Windows, with a simulated kernel."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from terraspore.engine.errors import OutputBusyError, OutputError
from terraspore.engine.fs import atomic, lock

fcntl = pytest.importorskip("fcntl", reason="the simulation needs Linux")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the simulation needs Linux")
_LOCK_VIOLATION, _ACCESS_DENIED, _INVALID_PARAMETER = 33, 5, 87
_STILL_ACTIVE = 259


class Kernel:
    """What ``windows.py`` calls of kernel32, made of Linux's locks and processes."""

    def __init__(self):
        self.error, self.positions = 0, set()
        self.handles = {}

        def open_process(access, _inherit, pid):
            try:
                os.kill(pid.value, 0)
            except ProcessLookupError:
                self.error = _INVALID_PARAMETER
                return None
            self.handles[pid.value + 4] = pid.value
            return pid.value + 4

        self.OpenProcess = open_process

    def LockFileEx(self, handle, flags, _reserved, low, high, overlapped):  # noqa: N802
        assert (flags & 1, low, high) == (1, 1, 0)  # fails at once; one byte
        self.positions.add(overlapped._obj.offset)
        try:
            fcntl.flock(handle.value or 0, (fcntl.LOCK_EX if flags & 2 else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.error = _LOCK_VIOLATION
            return 0
        return 1

    def GetExitCodeProcess(self, handle, code):  # noqa: N802
        code._obj.value = _STILL_ACTIVE if Path(f"/proc/{self.handles[handle.value]}/exe").exists() else 0
        return 1

    def CloseHandle(self, handle):  # noqa: N802
        del self.handles[handle.value]


def load(path, name):
    """Load a second copy of a module, as Windows would."""
    spec = importlib.util.spec_from_file_location(f"terraspore.engine.fs.{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def windows(monkeypatch):
    """The module ``windows`` over a simulated kernel, and copies of ``lock`` and ``atomic`` that use it."""
    kernel = Kernel()

    def make_error(number):
        assert number == _LOCK_VIOLATION
        error = PermissionError(13, "The process cannot access the file because another process has locked a portion")
        error.winerror = number
        return error

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=lambda descriptor: descriptor))
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: kernel.error, raising=False)
    monkeypatch.setattr(ctypes, "WinError", make_error, raising=False)
    folder = Path(lock.__file__).parent
    names = ("windows", "atomic_on_windows", "lock_on_windows")
    loaded = [load(folder / f"{name.split('_')[0]}.py", name) for name in names]
    yield SimpleNamespace(kernel=kernel, windows=loaded[0], atomic=loaded[1], lock=loaded[2])
    for name in names:
        del sys.modules[f"terraspore.engine.fs.{name}"]


def test_several_processes_may_ask_whether_an_output_is_locked(windows, tmp_path):
    """The shared lock of one does not look like a run to another, as ``msvcrt.locking`` would make it."""
    path, module = tmp_path / "a.tif", windows.lock
    lock.lock_file_path(path).touch()
    with lock.lock_file_path(path).open("rb+") as reader:
        module._lock(reader.fileno(), True)
        assert not module.is_locked(path)
        with pytest.raises(OutputBusyError), module.lock_paths([path]):
            pass
    with module.lock_paths([path]):
        assert module.is_locked(path)
        with pytest.raises(OutputBusyError, match=f"process {os.getpid()}"), module.lock_paths([path]):
            pass
    assert list(tmp_path.iterdir()) == []
    assert windows.kernel.positions == {lock._LOCKED_BYTE}


def test_running_processes_are_known(windows):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert windows.windows.is_process_running(child.pid)
        child.communicate(b"\n")
    assert not windows.windows.is_process_running(child.pid)
    assert windows.kernel.handles == {}
    windows.kernel.OpenProcess = lambda *_: None
    windows.kernel.error = _ACCESS_DENIED  # a process of another user
    assert windows.windows.is_process_running(4)


def test_folders_of_a_running_process_stay(windows, tmp_path):
    """Its files may be closed for a moment, so that Windows would remove them."""
    output = tmp_path / "model"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        folder = atomic.temp_path(output, "")
        folder = folder.with_name(folder.name.replace(f"-{os.getpid()}-", f"-{child.pid}-"))
        folder.mkdir()
        (folder / "weights").touch()
        windows.atomic.remove_stale_temp_files(output)
        assert (folder / "weights").exists()
        child.communicate(b"\n")
    windows.atomic.remove_stale_temp_files(output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("roads:2.gpkg", "must not contain ':'"),
        ("what?.tif", "must not contain '?'"),
        ("two\nlines.tif", "must not contain"),
        ("roads.gpkg.", "must not end with a dot"),
        ("roads.gpkg ", "must not end with a dot or a space"),
        ("CON.tif", "a device"),
        ("nul", "a device"),
        ("Com1.roads.gpkg", "a device"),
        ("console.tif", ""),
        ("com10.tif", ""),
        ("Straße 道路 (2).gpkg", ""),
    ],
)
def test_names_that_windows_refuses_are_refused_before_the_work(windows, tmp_path, name, reason):
    if not reason:
        windows.atomic.check_output_path(tmp_path / name)
        return
    with pytest.raises(OutputError, match=re.escape(reason)):
        windows.atomic.check_output_path(tmp_path / name)
    with pytest.raises(OutputError, match=re.escape(reason)), windows.atomic.temp_folder(tmp_path / name):
        pass


def test_a_path_that_is_too_long_says_so(windows, tmp_path):
    error = FileNotFoundError(errno.ENOENT, "The system cannot find the path specified")
    long = windows.atomic.translate_os_error(error, tmp_path / ("a" * 200) / "roads.gpkg")
    assert "its path is too long for Windows" in long.text
    assert "too long" not in windows.atomic.translate_os_error(error, Path("roads.gpkg")).text
