"""One run at a time for an output."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from terraspore.engine.errors import OutputBusyError, OutputError
from terraspore.engine.fs import lock
from terraspore.engine.fs.atomic import run_abort_cleanups
from terraspore.engine.fs.lock import is_locked, lock_file_path, lock_folder, lock_paths
from waiting import kill_if_late

HOLD = """
import sys
from pathlib import Path
from terraspore.engine.fs.lock import lock_paths
with lock_paths([Path(sys.argv[1])]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of roads.gpkg."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "roads.gpkg")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        kill_if_late(process),
    ):
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_run_is_refused(tmp_path, holder):
    output = tmp_path / "roads.gpkg"
    assert is_locked(output)
    with pytest.raises(OutputBusyError) as caught, lock_paths([tmp_path / "other.gpkg", output]):
        pass
    assert str(output) in caught.value.text
    assert f"process {holder.pid}" in caught.value.text
    assert "choose another output" in caught.value.hint
    assert not lock_file_path(tmp_path / "other.gpkg").exists()
    holder.communicate("")
    with lock_paths([output]):
        assert is_locked(output)
    assert list(tmp_path.iterdir()) == []


def test_killed_run_holds_no_lock(tmp_path, holder):
    output = tmp_path / "roads.gpkg"
    holder.kill()
    holder.wait(60)
    assert lock_file_path(output).exists()
    assert not is_locked(output)
    with lock_paths([output]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_lock_within_a_process(tmp_path):
    with lock_paths([tmp_path / "a.tif"]), pytest.raises(OutputBusyError), lock_paths([tmp_path / "a.tif"]):
        pass
    with lock_folder(tmp_path):
        with pytest.raises(OutputBusyError, match="run folder"), lock_folder(tmp_path):
            pass
        run_abort_cleanups()
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_concurrent_runs_never_share_the_lock(tmp_path):
    inside, most, taken = [], [], []

    def work():
        held = 0
        while held < 20:  # each gets its turns, however the machine shares them out
            try:
                with lock_paths([tmp_path / "a.tif"]):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                    held += 1
            except OutputBusyError:
                time.sleep(0.001)
        taken.append(held)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert taken == [20] * 8
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs a folder in which nobody can write")
def test_lock_in_an_unwritable_folder():
    with pytest.raises(OutputError, match="cannot be written"), lock_paths([Path("/proc/self/roads.gpkg")]):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("make_link", [os.symlink, os.link])
def test_a_link_of_the_name_of_the_lock_is_refused(tmp_path, make_link):
    letters = tmp_path / "letters.txt"
    letters.write_text("of a person")
    make_link(letters, lock_file_path(tmp_path / "a.tif"))
    with pytest.raises(OutputError, match="is a link"), lock_paths([tmp_path / "a.tif"]):
        pass
    assert letters.read_text() == "of a person"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="giving files away needs root")
def test_a_lock_file_of_another_user_is_refused(tmp_path):
    path = lock_file_path(tmp_path / "a.tif")
    path.touch()
    os.chown(path, 12345, 12345)
    with pytest.raises(OutputError, match="another user"), lock_paths([tmp_path / "a.tif"]):
        pass


def test_targets_without_locks_are_named(tmp_path, monkeypatch):
    def refuse(_handle, _shared):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_lock", refuse)
    with lock_paths([tmp_path / "a.tif"]) as unlocked:
        assert unlocked == [tmp_path / "a.tif"]
    assert list(tmp_path.iterdir()) == []
