"""The journal of a run: committed rows are read back, damaged ones are ignored."""

from __future__ import annotations

import ast
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import terraspore
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.fs.atomic import temp_path
from terraspore.engine.fs.journal import (
    JOURNAL,
    ROWS,
    Fingerprint,
    JournalHeader,
    JournalWriter,
    create_journal,
    find_unfinished_run,
    journal_folder,
    note_outputs,
    read_journal,
    read_noted_outputs,
    read_row,
    remove_journal,
    remove_unfinished_run,
)
from terraspore.engine.fs.lock import lock_file_path, lock_paths
from terraspore.engine.fs.regular_file import FileIdentity

PIECES = [bytes([row]) * 1000 + os.urandom(50) for row in range(4)]


@pytest.fixture
def header(tmp_path):
    image = tmp_path / "image.tif"
    image.write_bytes(b"pixels")
    settings = {"tile": "64", "model": "aa"}
    return JournalHeader("roads.gpkg", Fingerprint("1.0", (FileIdentity.from_path(image),), settings), rows=8, batch=2)


def write(output, header, pieces=PIECES):
    writer = JournalWriter(create_journal(output, header), 0)
    for row, piece in enumerate(pieces):
        writer.append(row, [memoryview(piece[:300]), memoryview(piece[300:])], empty=row)
    writer.commit()
    writer.close()


def read_back(output):
    """The complete rows."""
    journal = read_journal(output)
    pieces = [] if journal is None else [read_row(journal, record) for record in journal.records]
    return pieces[: pieces.index(None)] if None in pieces else pieces


def test_rows_are_read_back(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    journal = read_journal(output)
    assert journal.header == header
    assert [record.empty for record in journal.records] == [0, 1, 2, 3]
    assert read_back(output) == PIECES


def test_resuming_keeps_the_given_rows(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    with (journal_folder(output) / JOURNAL).open("ab") as file:
        file.write(b"torn")
    writer = JournalWriter(read_journal(output), 2)
    for row in (2, 3):
        writer.append(row, [memoryview(PIECES[3 - row])], empty=0)
    writer.commit()
    writer.close()
    assert read_back(output) == [PIECES[0], PIECES[1], PIECES[1], PIECES[0]]
    assert read_journal(output).header == header


def test_rows_without_commit_are_ignored(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    writer = JournalWriter(create_journal(output, header), 0)
    writer.append(0, [memoryview(PIECES[0])], empty=0)
    writer.commit()
    writer._flush_duration = math.inf  # a very slow disk
    writer.append(1, [memoryview(PIECES[1])], empty=0)
    writer.close()
    assert read_back(output) == PIECES[:1]


@pytest.mark.parametrize("name", [JOURNAL, ROWS])
@settings(max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["flip", "cut", "zero"]))
def test_damaged_journal_never_returns_wrong_rows(tmp_path, header, name, position, how):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    path = journal_folder(output) / name
    data = bytearray(path.read_bytes())
    at = int(position * len(data))
    if how == "cut":
        del data[at:]
    elif how == "zero":
        data[at:] = bytes(len(data) - at)
    else:
        data[at] ^= 0x40
    path.write_bytes(data)
    good = read_back(output)
    assert good == PIECES[: len(good)]
    assert len(good) < len(PIECES)
    find_unfinished_run(output)


def test_find_unfinished_run(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    assert find_unfinished_run(output) is None
    write(output, header)
    found = find_unfinished_run(output, "1.0")
    assert found.fraction == 0.5
    assert found.image == tmp_path / "image.tif"
    assert found.changed is None
    assert abs(found.date.timestamp() - journal_folder(output).stat().st_mtime) < 5
    assert find_unfinished_run(output, "1.1").changed == "TerraSpore is 1.1, not 1.0"
    with lock_paths([output]):
        assert find_unfinished_run(output) is None
    found.image.write_bytes(b"other")
    assert find_unfinished_run(output).changed == f"{found.image} was changed"
    found.image.unlink()
    assert find_unfinished_run(output).changed == f"{found.image} was changed"
    remove_journal(output)
    assert find_unfinished_run(output) is None
    assert list(tmp_path.iterdir()) == []


def test_remove_unfinished_run(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    lock_file_path(output).write_text("1\n")
    temp_path(output).with_name(temp_path(output).name.replace(f"-{os.getpid()}-", "-999999999-")).touch()
    before = sorted(tmp_path.iterdir())
    assert len(before) == 4
    with lock_paths([output]):
        remove_unfinished_run(output)
        assert sorted(tmp_path.iterdir()) == before
    lock_file_path(output).touch()
    remove_unfinished_run(output)
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]
    remove_unfinished_run(tmp_path / "none" / "roads.gpkg")


def test_journal_without_rows_is_not_an_unfinished_run(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header, [])
    assert find_unfinished_run(output) is None
    assert read_journal(output).records == ()


def test_describe_change(tmp_path, header):
    then = header.fingerprint
    assert then.describe_change(then) is None
    assert then.describe_change(replace(then, settings={"tile": "128", "model": "aa"})) == "the tile is 128, not 64"
    assert then.describe_change(replace(then, settings={"tile": "64"})) == "the model is none, not aa"
    assert then.describe_change(replace(then, version="2")) == "TerraSpore is 2, not 1.0"
    other = replace(then.files[0], size=1)
    assert then.describe_change(replace(then, files=(other,))) == f"{other.path} was changed"
    moved = replace(other, path="/b.tif")
    assert then.describe_change(replace(then, files=(moved,))) == f"the file is /b.tif, not {other.path}"
    assert "other files" in then.describe_change(replace(then, files=(then.files[0], other)))


def test_journal_needs_only_the_standard_library():
    """So do the modules that it imports; the syntax is that of Python 3.9."""
    root = Path(terraspore.__file__).parent / "engine"
    imported = {"atomic", "lock", "paths", "regular_file", "rename", "windows"}
    for path in (root / "errors.py", *(root / "fs" / f"{name}.py" for name in (*imported, "journal"))):
        tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.split(".")[0] in sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom):
                assert node.module in {"errors", *imported}, path


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_linked_folder_is_not_a_journal(tmp_path, header):
    """Its name can be guessed, and it may lead to the files of a person."""
    output, files = tmp_path / "roads.gpkg", tmp_path / "files of a person"
    write(tmp_path / "other.gpkg", header)
    journal_folder(tmp_path / "other.gpkg").rename(files)
    journal_folder(output).symlink_to(files)
    before = sorted(path.name for path in files.iterdir())
    assert read_journal(output) is None
    for remove in (remove_journal, lambda path: create_journal(path, header)):
        with pytest.raises(OSError, match="is a link"):
            remove(output)
    remove_unfinished_run(output)
    assert sorted(path.name for path in files.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="giving files away needs root")
def test_a_journal_of_another_user_is_not_read(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    assert read_journal(output) is not None
    os.chown(journal_folder(output), 12345, 12345)
    assert read_journal(output) is None


def test_outputs_that_a_run_has_published_are_noted_until_its_end(tmp_path, header):
    output = tmp_path / "roads.gpkg"
    write(output, header)
    assert read_noted_outputs(output) == []
    identities = [FileIdentity.from_path(tmp_path / "image.tif")]
    note_outputs(read_journal(output), identities)
    assert read_noted_outputs(output) == identities
    remove_journal(output)
    assert read_noted_outputs(output) == []
