"""Layers that are added to an existing GeoPackage, which another program may be using."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import shapely
from terraspore.engine.errors import OutputBusyError, OutputError
from terraspore.engine.fs.outputs import Outputs
from terraspore.engine.vector.io import geopackage
from terraspore.engine.vector.io.formats import VectorTarget
from terraspore.engine.vector.io.writer import open_vector_writer

POINTS = np.array([shapely.Point(0, 0), shapely.Point(1, 1)], object)


@pytest.fixture
def rival(tmp_path, monkeypatch):
    """A connection of another program to data.gpkg, which has rows that are only in the write-ahead log."""
    monkeypatch.setattr(geopackage, "_BUSY_SECONDS", 0.1)
    with open_vector_writer(VectorTarget(tmp_path / "data.gpkg"), "EPSG:25832") as writer:
        writer.write("parcels", "Point", POINTS, {"id": np.array([1, 2])})
    with closing(sqlite3.connect(tmp_path / "data.gpkg", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.execute("INSERT INTO notes VALUES ('first')")
        yield connection


def read_notes(path):
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [text for (text,) in database.execute("SELECT text FROM notes")]


def write_roads(outputs, path):
    with open_vector_writer(VectorTarget(path, outputs=outputs), "EPSG:25832") as writer:
        writer.write("roads", "Point", POINTS, {"id": np.array([1, 2])})


def list_layers(path):
    # Not with GDAL: its own copy of SQLite would drop the locks of the connections in this process.
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")
        return sorted(name for (name,) in rows)


def test_rows_of_the_log_survive_a_rename_that_fails(tmp_path, rival, monkeypatch):
    path = tmp_path / "data.gpkg"

    def refuse(*_arguments):
        raise OSError(errno.EBUSY, "Device or resource busy")

    with Outputs() as outputs:
        write_roads(outputs, path)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            with pytest.raises(OutputError, match="resource busy"):
                outputs.publish()
    assert list_layers(path) == ["parcels"]
    assert read_notes(path) == ["first"]
    rival.execute("INSERT INTO notes VALUES ('second')")
    assert read_notes(path) == ["first", "second"]


def test_a_change_during_the_run_is_not_lost(tmp_path, rival):
    path = tmp_path / "data.gpkg"
    with Outputs() as outputs:
        write_roads(outputs, path)
        rival.execute("INSERT INTO notes VALUES ('second')")
        with pytest.raises(OutputBusyError, match="has changed"):
            outputs.publish()
    assert list_layers(path) == ["parcels"]
    assert read_notes(path) == ["first", "second"]


def test_a_transaction_that_is_open_at_the_end_is_not_cut_off(tmp_path, rival):
    path = tmp_path / "data.gpkg"
    with Outputs() as outputs:
        write_roads(outputs, path)
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputBusyError, match="is changing or reading"):
            outputs.publish()
        rival.execute("INSERT INTO notes VALUES ('second')")
        rival.execute("COMMIT")
    assert read_notes(path) == ["first", "second"]


def test_rows_of_the_log_are_in_the_new_file(tmp_path, rival):
    path = tmp_path / "data.gpkg"
    with Outputs() as outputs:
        write_roads(outputs, path)
        outputs.publish()
    assert list_layers(path) == ["parcels", "roads"]
    assert read_notes(path) == ["first"]
