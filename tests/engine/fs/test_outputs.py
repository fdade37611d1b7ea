"""Outputs of a run: all of them or none, earlier files come back, sources and links are safe."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from terraspore.engine.context import Cancellation
from terraspore.engine.errors import Cancelled, OutputError, ParameterError
from terraspore.engine.fs.atomic import remove_stale_temp_files, temp_path
from terraspore.engine.fs.outputs import Outputs, atomic_output, check_written_files, lock_outputs
from windows_files import refuse_access


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_both(outputs, folder):
    for name in ("a.tif", "b.tif"):
        with outputs.write(folder / name) as temporary:
            temporary.write_text(f"new {name}")


def test_nothing_is_there_before_all_are_published(tmp_path):
    (tmp_path / "a.tif").write_text("earlier")
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        assert (tmp_path / "a.tif").read_text() == "earlier"
        assert not (tmp_path / "b.tif").exists()
        assert outputs.locate(tmp_path / "a.tif").read_text() == "new a.tif"
        outputs.publish()
    assert names(tmp_path) == ["a.tif", "b.tif"]
    assert (tmp_path / "a.tif").read_text() == "new a.tif"


def test_outputs_that_are_not_published_leave_the_earlier_files(tmp_path):
    (tmp_path / "a.tif").write_text("earlier")
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
    assert names(tmp_path) == ["a.tif"]
    assert (tmp_path / "a.tif").read_text() == "earlier"


def test_a_cancel_is_either_before_all_renames_or_has_no_effect(tmp_path):
    (tmp_path / "a.tif").write_text("earlier")
    early, late = Cancellation(), Cancellation()
    early.cancel()
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        with pytest.raises(Cancelled):
            outputs.publish(early.commit)
    assert (tmp_path / "a.tif").read_text() == "earlier"
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        outputs.publish(late.commit)
        late.cancel()
    assert not late.requested
    late.check()
    assert names(tmp_path) == ["a.tif", "b.tif"]


@pytest.mark.parametrize("has_links", [True, False])
def test_earlier_files_come_back_where_a_rename_fails(tmp_path, monkeypatch, has_links):
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.tif").write_text("earlier")
    (tmp_path / "a.tif.ovr").write_text("its overviews")
    (tmp_path / "b.tif").mkdir()
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        with pytest.raises(OutputError, match=r"b\.tif cannot be written"):
            outputs.publish()
    assert names(tmp_path) == ["a.tif", "a.tif.ovr", "b.tif"]
    assert (tmp_path / "a.tif").read_text() == "earlier"
    assert (tmp_path / "a.tif.ovr").read_text() == "its overviews"


def refuse(*_arguments, **_options):
    raise PermissionError(1, "Operation not permitted")


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Another program has b.tif open, and Windows refuses to rename or replace it."""
    monkeypatch.setattr("terraspore.engine.fs.rename._PAUSES", (0.0, 0.0))
    (tmp_path / "a.tif").write_text("earlier a")
    (tmp_path / "b.tif").write_text("earlier b")
    (tmp_path / "b.tif.aux.xml").write_text("earlier statistics")
    os_rename, os_replace = os.rename, os.replace
    held = {tmp_path / "b.tif"}

    def check(operation):
        def call(source, target, **options):
            if held & {source, target}:
                raise refuse_access(target, 5 if source not in held else 32)
            return operation(source, target, **options)

        return call

    monkeypatch.setattr(os, "rename", check(os_rename))
    monkeypatch.setattr(os, "replace", check(os_replace))
    return held


def test_finished_outputs_are_kept_beside_a_file_that_is_open_elsewhere(tmp_path, opened):
    (tmp_path / "b-1.tif.ovr").write_text("of a person")
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        with outputs.write(tmp_path / "roads.shp") as temporary:
            for ending in (".shp", ".dbf"):
                temporary.with_suffix(ending).write_text("new")
        with pytest.raises(OutputError, match="because another program has it open") as caught:
            outputs.publish()
    assert all(str(tmp_path / name) in caught.value.text for name in ("b.tif", "a-1.tif", "b-2.tif", "roads-1.shp"))
    assert (tmp_path / "a.tif").read_text() == "earlier a"
    assert (tmp_path / "b.tif").read_text() == "earlier b"
    assert (tmp_path / "a-1.tif").read_text() == "new a.tif"
    assert (tmp_path / "b-2.tif").read_text() == "new b.tif"
    assert {"roads-1.shp", "roads-1.dbf", "b.tif.aux.xml"} <= set(names(tmp_path))
    opened.clear()
    remove_stale_temp_files(tmp_path / "b.tif")
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


def test_a_file_that_is_open_elsewhere_is_noticed_before_the_run(tmp_path, opened):
    with (
        pytest.raises(OutputError, match=r"b\.tif cannot be replaced, because another program has it open") as caught,
        lock_outputs([tmp_path / "a.tif", tmp_path / "b.tif"], [], overwrite=True),
    ):
        pass
    assert "remove the layer" in caught.value.hint
    opened.clear()
    with lock_outputs([tmp_path / "a.tif", tmp_path / "b.tif"], [], overwrite=True):
        pass


def test_entries_of_a_cache_are_not_kept_beside(tmp_path, opened):
    """Two engines use it, and an entry that one of them has mapped is complete."""
    with pytest.raises(OutputError), atomic_output(tmp_path / "b.tif") as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == ["a.tif", "b.tif", "b.tif.aux.xml"]


def test_a_file_that_was_moved_away_by_a_dead_process_comes_back(tmp_path):
    code = """
import os, sys
from pathlib import Path
from terraspore.engine.fs import outputs
def refuse(*_arguments, **_options):
    raise OSError
os.link = refuse
replace = Path.replace
Path.replace = lambda source, target: os._exit(9) if target == Path(sys.argv[1]) else replace(source, target)
with outputs.atomic_output(Path(sys.argv[1])) as temporary:
    temporary.write_text("new")
"""
    final = tmp_path / "a.tif"
    final.write_text("earlier")
    assert subprocess.run([sys.executable, "-c", code, final], check=False).returncode == 9
    assert not final.exists()
    remove_stale_temp_files(final)
    assert final.read_text() == "earlier"
    assert names(tmp_path) == ["a.tif"]


def test_indices_of_an_earlier_shapefile_are_removed(tmp_path):
    for ending in (".shp", ".dbf", ".qix", ".sbn", ".sbx", ".idm", ".qml"):
        (tmp_path / f"roads{ending}").write_text("earlier")
    with atomic_output(tmp_path / "roads.shp") as temporary:
        for ending in (".shp", ".dbf", ".shx"):
            temporary.with_suffix(ending).write_text("new")
    assert names(tmp_path) == ["roads.dbf", "roads.qml", "roads.shp", "roads.shx"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_stay_and_their_files_are_replaced(tmp_path):
    (tmp_path / "store").mkdir()
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).symlink_to(tmp_path / "store" / f"real-{name}")
    (tmp_path / "store" / "real-a.tif").write_text("earlier")  # that of b.tif does not exist yet
    with Outputs() as outputs:
        write_both(outputs, tmp_path)
        outputs.publish()
    assert (tmp_path / "a.tif").is_symlink()
    assert (tmp_path / "b.tif").is_symlink()
    assert names(tmp_path / "store") == ["real-a.tif", "real-b.tif"]
    assert (tmp_path / "b.tif").read_text() == "new b.tif"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_new_files_follow_the_umask_and_others_keep_their_mode(tmp_path):
    (tmp_path / "a.tif").write_text("earlier")
    (tmp_path / "a.tif").chmod(0o640)
    before = os.umask(0o002)
    try:
        with Outputs() as outputs:
            write_both(outputs, tmp_path)
            with outputs.write(tmp_path / "c.tif") as temporary:
                temporary.write_text("private")
                temporary.chmod(0o600)  # as some libraries do
            outputs.publish()
    finally:
        os.umask(before)
    assert (tmp_path / "a.tif").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "c.tif").stat().st_mode & 0o777 == 0o664


def test_an_output_is_never_a_file_that_is_read(tmp_path):
    source = tmp_path / "source.tif"
    source.write_text("pixels")
    os.link(source, tmp_path / "second-name.tif")
    for name in ("source.tif", "second-name.tif"):
        with pytest.raises(ParameterError, match="which this run reads"):
            check_written_files([tmp_path / name], [source], overwrite=True)
    (tmp_path / "roads.dbf").write_text("a table")
    with pytest.raises(ParameterError, match="which this run reads"):
        check_written_files([tmp_path / "roads.shp"], [tmp_path / "roads.dbf"], overwrite=True)
    with pytest.raises(ParameterError, match="given twice"):
        check_written_files([tmp_path / "a.tif", tmp_path / "." / "a.tif"], [], overwrite=True)


def test_what_exists_is_replaced_only_on_request(tmp_path):
    for name in ("a.tif", "roads.dbf", "roads.shp"):
        (tmp_path / name).write_text("of a person")
    for output in ("a.tif", "roads.shp"):
        with pytest.raises(OutputError, match="exists already"), lock_outputs([tmp_path / output], []):
            pass
        with lock_outputs([tmp_path / output], [], overwrite=True):
            pass
    assert names(tmp_path) == ["a.tif", "roads.dbf", "roads.shp"]


def test_side_files_without_their_file_belong_to_a_person_or_to_a_run_that_was_killed(tmp_path):
    (tmp_path / "roads.dbf").write_text("a table")
    with pytest.raises(OutputError, match=r"exists without roads\.shp"):
        check_written_files([tmp_path / "roads.shp"], [], overwrite=True)
    temp_path(tmp_path / "roads.shp").write_text("left by a run that gave only roads.dbf its name")
    check_written_files([tmp_path / "roads.shp"], [], overwrite=True)
