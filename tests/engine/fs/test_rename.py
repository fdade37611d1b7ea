"""Renames that Windows refuses for a moment, or for as long as another program has the file open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from terraspore.engine.fs import rename as module
from terraspore.engine.fs.atomic import PREVIOUS, check_output_path, remove_stale_temp_files, temp_path
from terraspore.engine.fs.rename import check_not_in_use, find_unused_name, rename, rename_beside
from windows_files import refuse_access, windows_rules


@pytest.fixture
def refuse(monkeypatch):
    """Makes ``Path``'s method ``name`` fail the first ``times`` times; returns the list of the calls."""

    def make(name, times, winerror):
        calls = []
        operation = getattr(Path, name)

        def call(path, *arguments, **options):
            calls.append(path)
            if len(calls) <= times:
                raise refuse_access(path, winerror)
            return operation(path, *arguments, **options)

        monkeypatch.setattr(Path, name, call)
        return calls

    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))
    return make


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_that_a_scanner_holds_for_a_moment_is_renamed(tmp_path, refuse, winerror):
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    refuse("replace", 3, winerror)
    rename(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "new"


def test_a_file_that_stays_open_and_other_errors_are_raised(tmp_path, refuse):
    (tmp_path / "a").touch()
    calls = refuse("replace", 99, 32)
    with pytest.raises(PermissionError):
        rename(tmp_path / "a", tmp_path / "b")
    assert len(calls) == 4
    calls = refuse("rename", 99, 3)  # path not found
    with pytest.raises(PermissionError):
        check_not_in_use(tmp_path / "a")
    assert len(calls) == 1


def test_probe_changes_nothing(tmp_path):
    file = tmp_path / "a"
    file.write_text("content")
    before = file.stat()
    check_not_in_use(file)
    assert file.read_text() == "content"
    assert file.stat() == before


def test_a_neighbouring_name_is_that_of_no_file_nor_side_file(tmp_path):
    for name in ("roads.gpkg", "roads-1.gpkg-wal", "roads-2.shp", "roads-2.dbf", "roads-3"):
        (tmp_path / name).touch()
    assert find_unused_name(tmp_path / "roads.gpkg").name == "roads-4.gpkg"
    assert find_unused_name(tmp_path / "rivers.gpkg").name == "rivers-1.gpkg"
    assert rename_beside(tmp_path / "roads.gpkg", tmp_path / "roads.gpkg") == tmp_path / "roads-4.gpkg"
    assert not (tmp_path / "roads.gpkg").exists()


def test_a_locked_leftover_does_not_end_the_sweep(tmp_path, refuse):
    output = tmp_path / "a.tif"
    for path in (temp_path(output, mark=PREVIOUS), *(temp_path(output) for _ in range(4))):
        path.with_name(path.name.replace(f"-{os.getpid()}-", "-999999999-")).touch()  # of a process that has ended
    refuse("replace", 99, 32)
    refuse("unlink", 2, 32)
    remove_stale_temp_files(output)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_probe_that_a_scanner_holds_refuses_no_output(tmp_path, refuse):
    refuse("unlink", 1, 32)
    check_output_path(tmp_path / "a.tif")
    remove_stale_temp_files(tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


def test_the_rules_of_windows_are_simulated(tmp_path):
    (tmp_path / "folder").mkdir()
    path, refused = tmp_path / "folder" / "a", []
    path.write_text("text")
    with windows_rules(refused.append):
        with path.open():
            for operation in (path.unlink, lambda: path.rename(tmp_path / "b"), lambda: rename_folder(tmp_path)):
                with pytest.raises(PermissionError):
                    operation()
        path.unlink()
    assert [text.split()[0] for text in refused] == ["unlink", "rename", "rename"]


def rename_folder(folder):
    (folder / "folder").rename(folder / "other")
