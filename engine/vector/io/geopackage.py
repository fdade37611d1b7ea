"""GeoPackages as databases: what exists and is kept, default styles as QGIS loads them, and verification."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from ...errors import OutputBusyError, OutputError
from ...fs.atomic import check_output_path, is_disk_full, make_disk_full_error, measure_with_sidecars, temp_output
from ...fs.paths import resolve_links

GEOMETRY_COLUMN = "geom"

_CREATE_STYLES = """
CREATE TABLE IF NOT EXISTS layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
    styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
    ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))
"""
_REGISTER_STYLES = """
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description)
VALUES ('layer_styles', 'attributes', 'layer_styles', '')
"""
_ADD_STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML,
                          styleSLD, useAsDefault, description, owner)
VALUES ('', '', ?, ?, ?, ?, '', ?, ?, '')
"""
_LIST_OWN_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
_HAS_DEFAULT_STYLE = "SELECT 1 FROM layer_styles WHERE f_table_name = ? AND useAsDefault"
#: Seconds to wait for another program that is writing for a moment.
_BUSY_SECONDS = 5.0
_LOCKED = ("locked", "busy")


def add_styles(path: Path, final: Path, styles: Mapping[str, str]) -> None:
    """Store default styles in the table ``layer_styles`` of a GeoPackage.

    QGIS applies a style on loading if ``styleQML`` is set and ``useAsDefault`` is 1.

    Args:
        path: the GeoPackage.
        final: the output as the person knows it, for messages.
        styles: QML documents by layer.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(_CREATE_STYLES)
            database.execute(_REGISTER_STYLES)
            for layer, qml in styles.items():
                database.execute("DELETE FROM layer_styles WHERE f_table_name = ? AND styleName = ?", (layer, layer))
                is_default = database.execute(_HAS_DEFAULT_STYLE, (layer,)).fetchone() is None
                row = (layer, GEOMETRY_COLUMN, layer, qml, is_default, f"Default style of {layer} (TerraSpore)")
                database.execute(_ADD_STYLE, row)
    except sqlite3.Error as error:
        raise _translate_error(error, path, final) from error


def check_geopackage(path: Path, layers: Collection[str], *, overwrite: bool) -> None:
    """Check, before any work, that ``layers`` can be written to the GeoPackage ``path``, which may exist.

    Args:
        path: the file.
        layers: names of the layers.
        overwrite: whether layers that exist may be replaced.

    Raises:
        OutputError: the file exists and is not a GeoPackage, or has such a layer; SQLite cannot write in the folder.
        OutputBusyError: another program is changing the file.
    """
    if has_content(path):
        with ExistingGeoPackage(path) as existing:
            tables = existing.list_tables()
            others = existing.count_other_rows(layers)
            found = [layer for layer in layers if layer.lower() in tables]
            if view := next((layer for layer in found if layer.lower() in existing.list_tables("view")), None):
                hint = "Choose another --layer or file."
                raise OutputError(f"{view} is a view of the GeoPackage {path}, which is not replaced.", hint)
            if found and not overwrite:
                raise OutputError(
                    f"The GeoPackage {path} has a layer {found[0]} already.",
                    "Choose another --layer or file, or add --overwrite to replace it.",
                )
            existing.check_writable()
        if others:
            check_output_path(path, needed_bytes=path.stat().st_size)  # of the copy to which the layers are added
    elif path.parent.is_dir():
        with temp_output(path) as probe:
            try:
                with closing(sqlite3.connect(probe)) as database, database:
                    database.execute("PRAGMA synchronous = OFF")
                    database.execute("CREATE TABLE probe (value)")
            except sqlite3.Error as error:
                if is_disk_full(path.parent):
                    raise make_disk_full_error(path, 0) from error
                raise OutputError(
                    f"The GeoPackage {path} cannot be written in its folder: {error}.",
                    "Its file system may have no locks, as some network shares; choose a folder on a local disk.",
                ) from error


def has_content(path: Path) -> bool:
    """Whether ``path`` is a file that is not empty."""
    return path.is_file() and path.stat().st_size > 0


class ExistingGeoPackage(AbstractContextManager["ExistingGeoPackage"]):
    """A GeoPackage whose other layers are kept when layers are written to it. A context manager.

    Args:
        path: the file.

    Raises:
        OutputError: it is not a GeoPackage or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        with self._translate_errors():
            connection = sqlite3.connect(
                resolve_links(path), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._database = self._stack.enter_context(closing(connection))
            (self._version,) = self._database.execute("PRAGMA data_version").fetchone()
        if "gpkg_contents" not in self.list_tables():
            self._stack.close()
            raise OutputError(f"The file {path} exists and is not a GeoPackage.", "Choose another name, or remove it.")

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stack.close()

    def list_tables(self, *kinds: str) -> set[str]:
        """Return the names of all tables and views, or of those of some ``kinds``, in lower case."""
        with self._translate_errors():
            found = self._database.execute("SELECT type, name FROM sqlite_master")
            return {name.lower() for kind, name in found if kind in (kinds or ("table", "view"))}

    def check_writable(self) -> None:
        """Raise ``OutputBusyError`` if another program has begun to change the file."""
        with self._translate_errors():
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("ROLLBACK")

    def count_other_rows(self, replaced: Collection[str]) -> dict[str, int]:
        """Count the rows of each table that is kept when the layers ``replaced`` are written."""
        with self._translate_errors():
            return count_other_rows(self._database, replaced)

    def copy(self, target: Path) -> None:
        """Copy the file, with what is only in its write-ahead log, to ``target``."""
        with self._translate_errors(target), closing(sqlite3.connect(target)) as copy:
            self._database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other programs from changing the file during the block, in which it is replaced.

        Raises:
            OutputBusyError: it is being changed, or was changed since it was opened here.
        """
        with self._stack, self._translate_errors():
            # What other programs committed must be in the file itself, because its log is removed with it.
            if self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise sqlite3.OperationalError("database is locked")
            self._database.execute("BEGIN IMMEDIATE")
            if self._database.execute("PRAGMA data_version").fetchone()[0] != self._version:
                raise OutputBusyError(
                    f"Another program has changed {self._path} while layers for it were being made.", "Run again."
                )
            if sys.platform == "win32":  # Windows renames no open file
                self._stack.close()
            yield

    @contextmanager
    def _translate_errors(self, target: Path | None = None) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if any(word in str(error) for word in _LOCKED):
                raise OutputBusyError(
                    f"Another program is changing or reading the GeoPackage {self._path}.",
                    "Save or end its edits, or close the file there; or choose another output.",
                ) from error
            if "not a database" in str(error):
                raise OutputError(
                    f"The file {self._path} exists and is not a GeoPackage.", "Choose another name, or remove it."
                ) from error
            raise _translate_error(error, target or self._path, self._path) from error


def count_other_rows(database: sqlite3.Connection, replaced: Collection[str]) -> dict[str, int]:
    """Count the rows of each table that is neither one of the layers ``replaced`` nor an index or administration.

    Views and virtual tables have no rows of their own, and may need what only SpatiaLite has, or tables that are gone.
    """
    written = {layer.lower() for layer in replaced}
    counts = {}
    for (name,) in database.execute(_LIST_OWN_TABLES).fetchall():
        if name.lower() == "layer_styles":
            styles = database.execute("SELECT lower(f_table_name), styleName = f_table_name FROM layer_styles")
            counts[name] = sum(not (layer in written and is_own) for layer, is_own in styles)
        elif name.lower() not in written and not name.lower().startswith(("gpkg_", "rtree_", "sqlite_")):
            quoted = name.replace('"', '""')
            counts[name] = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]
    return {name: count for name, count in counts.items() if count or name.lower() != "layer_styles"}


def verify_geopackage(path: Path, final: Path, counts: Mapping[str, int], others: Mapping[str, int]) -> None:
    """Verify that a GeoPackage is not damaged and complete.

    Args:
        path: the closed file.
        final: the output as the person knows it, for messages.
        counts: expected number of features by layer.
        others: expected number of rows of the other tables.

    Raises:
        OutputError: the database is damaged, or a layer has a different number of features.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (state,) = database.execute("PRAGMA integrity_check").fetchone()
            found = {layer: database.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0] for layer in counts}
            kept = count_other_rows(database, counts)
    except sqlite3.Error as error:
        raise _translate_error(error, path, final) from error
    if state != "ok" or found != dict(counts) or kept != dict(others):
        raise _translate_error(sqlite3.DatabaseError("it is not complete; its disk may be failing"), path, final)


def _translate_error(error: sqlite3.Error, path: Path, final: Path) -> OutputError:
    if is_disk_full(path.parent) or "disk is full" in str(error):
        return make_disk_full_error(final, measure_with_sidecars(path))
    return OutputError(f"The GeoPackage {final} cannot be written: {error}.")
