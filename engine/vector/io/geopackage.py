"""Default styles in a GeoPackage, as QGIS loads them, and verification of the complete file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from ...errors import OutputError
from ...fs.atomic import is_disk_full, make_disk_full_error, measure_with_sidecars

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
VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '')
"""


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
                row = (layer, GEOMETRY_COLUMN, layer, qml, f"Default style of {layer} (TerraSpore)")
                database.execute(_ADD_STYLE, row)
    except sqlite3.Error as error:
        raise _translate_error(error, path, final) from error


def verify_geopackage(path: Path, final: Path, counts: Mapping[str, int]) -> None:
    """Verify that a GeoPackage is not damaged and complete.

    Args:
        path: the closed file.
        final: the output as the person knows it, for messages.
        counts: expected number of features by layer.

    Raises:
        OutputError: the database is damaged, or a layer has a different number of features.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (state,) = database.execute("PRAGMA integrity_check").fetchone()
            found = {layer: database.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0] for layer in counts}
    except sqlite3.Error as error:
        raise _translate_error(error, path, final) from error
    if state != "ok" or found != dict(counts):
        raise _translate_error(sqlite3.DatabaseError("it is not complete; its disk may be failing"), path, final)


def _translate_error(error: sqlite3.Error, path: Path, final: Path) -> OutputError:
    if is_disk_full(path.parent) or "disk is full" in str(error):
        return make_disk_full_error(final, measure_with_sidecars(path))
    return OutputError(f"The GeoPackage {final} cannot be written: {error}.")
