"""Atomic outputs: complete under their final name, or absent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from terraspore.engine.errors import Cancelled, DiskFullError, OutputError
from terraspore.engine.fs.atomic import (
    check_output_path,
    remove_stale_temp_files,
    run_abort_cleanups,
    temp_output,
)
from terraspore.engine.fs.outputs import atomic_output
from waiting import kill_if_late


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_only_when_complete(tmp_path):
    final = tmp_path / "roads.gpkg"
    with atomic_output(final) as partial:
        partial.write_text("content")
        assert partial.parent == tmp_path
        assert partial.suffix == ".gpkg"
        assert not final.exists()
    assert final.read_text() == "content"
    assert names(tmp_path) == ["roads.gpkg"]


@pytest.mark.parametrize("error", [ValueError("x"), Cancelled("x"), KeyboardInterrupt()])
def test_error_keeps_the_previous_file(tmp_path, error):
    final = tmp_path / "roads.gpkg"
    final.write_text("former")

    def write_half():
        with atomic_output(final) as partial:
            partial.write_text("half")
            partial.with_name(partial.name + "-journal").write_text("journal")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert final.read_text() == "former"
    assert names(tmp_path) == ["roads.gpkg"]


def test_output_that_fails_verification_is_removed(tmp_path):
    def verify(path):
        assert path.read_text() == "content"
        raise OutputError("It is not what was written.")

    with pytest.raises(OutputError, match="not what"), atomic_output(tmp_path / "a.tif", verify) as partial:
        partial.write_text("content")
    assert names(tmp_path) == []


def test_sidecar_files_are_renamed_and_stale_ones_removed(tmp_path):
    final = tmp_path / "classes.tif"
    final.with_name("classes.tif.ovr").write_text("of the former file")
    with atomic_output(final) as partial:
        partial.write_text("content")
        partial.with_name(partial.name + ".aux.xml").write_text("names")
    assert names(tmp_path) == ["classes.tif", "classes.tif.aux.xml"]
    with atomic_output(tmp_path / "roads.shp") as partial:
        for suffix in (".shp", ".dbf", ".shx"):
            partial.with_suffix(suffix).write_text(suffix)
    assert names(tmp_path)[2:] == ["roads.dbf", "roads.shp", "roads.shx"]


def test_missing_output_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="not written"), atomic_output(tmp_path / "a.tif"):
        pass


@pytest.mark.parametrize(
    ("number", "kind", "word"), [(errno.ENOSPC, DiskFullError, "disk is full"), (errno.EIO, OutputError, "error")]
)
def test_os_errors_are_translated(tmp_path, number, kind, word):
    with pytest.raises(kind, match=word), atomic_output(tmp_path / "a.tif"):
        raise OSError(number, os.strerror(number))


def test_abort_removes_unfinished_files(tmp_path):
    (tmp_path / "roads.gpkg").write_text("former")
    with atomic_output(tmp_path / "roads.gpkg") as partial, temp_output(tmp_path / "p.tif") as temporary:
        partial.write_text("half")
        temporary.write_text("half")
        temporary.with_name(temporary.name + ".aux.xml").write_text("half")
        run_abort_cleanups()
        assert names(tmp_path) == ["roads.gpkg"]
        partial.write_text("content")
    assert (tmp_path / "roads.gpkg").read_text() == "content"
    run_abort_cleanups()
    assert names(tmp_path) == ["roads.gpkg"]


def test_only_stale_temp_files_are_removed(tmp_path):
    target = tmp_path / "roads.gpkg"
    code = f"""
import os, sys
from pathlib import Path
from terraspore.engine.fs.atomic import temp_output
with temp_output(Path({str(target)!r})) as path:
    path.write_text("half")
    path.with_name(path.name + "-journal").write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **streams) as living, kill_if_late(living):
        assert living.stdout.readline()
        half = names(tmp_path)
        assert len(half) == 2
        (tmp_path / ".roads.partial-notes").write_text("of a person")
        with temp_output(tmp_path / "roads.tif") as other, temp_output(target) as mine:
            mine.write_text("mine")
            other.write_text("other")
            remove_stale_temp_files(target)
            assert names(tmp_path) == sorted([*half, mine.name, other.name, ".roads.partial-notes"])
        living.kill()
    remove_stale_temp_files(tmp_path / "roads.tif")
    assert names(tmp_path) == sorted([*half, ".roads.partial-notes"])
    with atomic_output(target) as partial:
        partial.write_text("content")
    assert names(tmp_path) == [".roads.partial-notes", "roads.gpkg"]


def test_very_long_names_fit(tmp_path):
    final = tmp_path / ("日" * 80 + ".gpkg")
    with atomic_output(final) as partial:
        partial.write_text("content")
    assert final.read_text() == "content"


def test_check_output_path(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        check_output_path(tmp_path / "none" / "a.tif")
    with pytest.raises(OutputError, match="not a regular file"):
        check_output_path(tmp_path)
    with pytest.raises(DiskFullError, match="MB free"):
        check_output_path(tmp_path / "a.tif", needed_bytes=1 << 60)
    (tmp_path / "a.tif").touch()
    check_output_path(tmp_path / "a.tif", overwrite=False)  # of an empty file nothing is lost
    (tmp_path / "a.tif").write_text("content")
    with pytest.raises(OutputError, match="exists already"):
        check_output_path(tmp_path / "a.tif", overwrite=False)
    assert names(tmp_path) == ["a.tif"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can write")
def test_check_output_path_in_a_read_only_folder():
    with pytest.raises(OutputError, match="cannot be written"):
        check_output_path(Path("/proc/self/roads.gpkg"))
