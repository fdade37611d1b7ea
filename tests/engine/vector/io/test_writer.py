"""Vector writers: GeoPackage with styles and metadata, the other formats, atomic outputs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from terraspore.engine.errors import OutputError, ParameterError
from terraspore.engine.fs import outputs
from terraspore.engine.vector.io.formats import FORMATS, VectorTarget, choose_format
from terraspore.engine.vector.io.geopackage import verify_geopackage
from terraspore.engine.vector.io.styles import load_styles
from terraspore.engine.vector.io.writer import open_vector_writer

#: Formats of one layer a file that GDAL writes here.
LAYER_FILE_SUFFIXES = [
    entry.suffixes[0]
    for entry in FORMATS
    if not entry.is_multi_layer and "w" in pyogrio.list_drivers().get(entry.driver, "")
]
LINES = np.array([shapely.LineString([(0, 0), (1, 1)]), shapely.LineString([(1, 1), (2, 0)])], object)
POINTS = np.array([shapely.Point(0, 0)], object)
COLUMNS = {
    "id": np.array([1, 2], np.int64),
    "small": np.array([3, 4], np.uint8),
    "share": np.array([0.5, np.nan]),
    "flag": np.array([True, False]),
    "name": np.array(["Straße", None], object),
}


def write(path: Path, **options: object) -> dict[str, Path]:
    styles = options.pop("styles", {})
    with open_vector_writer(VectorTarget(path, **options), "EPSG:25832") as writer:
        writer.styles.update(styles)
        writer.write("roads", "LineString", LINES, COLUMNS)
        writer.write("roads", "LineString", LINES, COLUMNS)
        writer.write("road_nodes", "Point", POINTS, {"id": np.array([7])})
    return writer.paths


def test_all_layers_with_crs_types_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    assert write(path, metadata={"model": "m", "sha256": "ab"}) == {"roads": path, "road_nodes": path}
    assert list(tmp_path.iterdir()) == [path]
    assert pyogrio.list_layers(path)[:2].tolist() == [["roads", "LineString"], ["road_nodes", "Point"]]
    info = pyogrio.read_info(path, layer="roads")
    assert (info["crs"], info["features"], info["geometry_name"]) == ("EPSG:25832", 4, "geom")
    assert info["dtypes"].tolist() == ["int64", "int32", "float64", "bool", "object"]
    assert info["layer_metadata"] == info["dataset_metadata"] == {"model": "m", "sha256": "ab"}
    _, _, geometry, fields = pyogrio.raw.read(path, layer="roads")
    assert [shapely.from_wkb(g) for g in geometry] == [*LINES, *LINES]
    assert fields[4].tolist() == ["Straße", None] * 2


def test_spatial_index_has_all_batches(tmp_path: Path) -> None:
    write(tmp_path / "out.gpkg")
    with closing(sqlite3.connect(tmp_path / "out.gpkg")) as database:
        assert database.execute("SELECT count(*) FROM rtree_roads_geom").fetchone() == (4,)


def test_a_plane_without_a_crs_is_that_of_the_standard(tmp_path: Path) -> None:
    """Id -1 in the tables and in each geometry's header: an undefined Cartesian system."""
    path = tmp_path / "out.gpkg"
    for crs, number in ((None, -1), ("EPSG:25832", 25832)):
        with open_vector_writer(VectorTarget(path), crs) as writer:
            for layer in ("roads", "road_nodes", "roads"):
                writer.write(layer, "LineString", LINES, COLUMNS)
        with closing(sqlite3.connect(path)) as database:
            for table in ("gpkg_contents", "gpkg_geometry_columns"):
                assert set(database.execute(f"SELECT srs_id FROM {table} WHERE table_name LIKE 'road%'")) == {(number,)}
            headers = {row[0][4:8] for row in database.execute("SELECT geom FROM roads")}
        assert headers == {number.to_bytes(4, "little", signed=True)}
        path.unlink()


def test_geopackage_is_flushed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(outputs, "_flush", flushed.append)
    write(tmp_path / "out.gpkg")
    assert len(flushed) == 1


def test_styles_are_in_layer_styles(tmp_path: Path) -> None:
    styles = load_styles(("roads", "road_nodes", "road_areas", "landcover", "road_changes"))
    assert set(styles) == {"roads", "road_nodes", "road_areas", "landcover", "road_changes"}
    write(tmp_path / "out.gpkg", styles=styles)
    with closing(sqlite3.connect(tmp_path / "out.gpkg")) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles ORDER BY id"
        ).fetchall()
        kinds = dict(database.execute("SELECT table_name, data_type FROM gpkg_contents"))
    assert [row[:3] for row in rows] == [("roads", "geom", 1), ("road_nodes", "geom", 1)]
    assert all(row[3].startswith("<!DOCTYPE qgis") for row in rows)
    assert kinds["layer_styles"] == "attributes"


def test_reprojection_keeps_shared_vertices(tmp_path: Path) -> None:
    write(tmp_path / "out.gpkg", crs="EPSG:4326")
    _, _, geometry, _ = pyogrio.raw.read(tmp_path / "out.gpkg", layer="roads")
    first, second = shapely.from_wkb(geometry[:2])
    assert first.coords[1] == second.coords[0]
    assert pyogrio.read_info(tmp_path / "out.gpkg", layer="roads")["crs"] == "EPSG:4326"
    _, _, points, _ = pyogrio.raw.read(tmp_path / "out.gpkg", layer="road_nodes")
    assert shapely.from_wkb(points[0]).coords[0] == first.coords[0]


@pytest.mark.parametrize("suffix", LAYER_FILE_SUFFIXES)
def test_single_layer_formats_get_a_file_per_layer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    paths = write(path)
    assert paths == {"roads": path, "road_nodes": tmp_path / f"out_road_nodes{suffix}"}
    for layer, count in (("roads", 4), ("road_nodes", 1)):
        assert pyogrio.read_info(paths[layer], force_feature_count=True)["features"] == count
    assert not [entry for entry in tmp_path.iterdir() if "partial" in entry.name]


def test_parquet_is_written_or_refused(tmp_path: Path) -> None:
    if "w" in pyogrio.list_drivers().get("Parquet", ""):
        assert write(tmp_path / "out.parquet")["roads"].is_file()
    else:
        with pytest.raises(ParameterError, match="cannot write Parquet"):
            write(tmp_path / "out.parquet")


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ParameterError, match="no suffix of a vector format"):
        choose_format(Path("roads.tif"))


def test_failed_output_leaves_no_files(tmp_path: Path) -> None:
    write(tmp_path / "out.gpkg")
    older = (tmp_path / "out.gpkg").read_bytes()
    wrong = {**COLUMNS, "id": np.array([1], np.int64)}
    with (
        pytest.raises(ValueError, match="array"),
        open_vector_writer(VectorTarget(tmp_path / "out.gpkg"), None) as writer,
    ):
        writer.write("road_nodes", "Point", POINTS, {"id": np.array([7])}) or writer.write(
            "roads", "LineString", LINES, wrong
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.gpkg"]
    assert (tmp_path / "out.gpkg").read_bytes() == older


def test_verify_detects_incomplete_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    write(path)
    verify_geopackage(path, path, {"roads": 4}, {"road_nodes": 1})
    with pytest.raises(OutputError):
        verify_geopackage(path, path, {"roads": 5}, {"road_nodes": 1})
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x07" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(OutputError):
        verify_geopackage(path, path, {"roads": 4}, {"road_nodes": 1})


def test_a_target_without_names_replaces_all_its_layers_and_keeps_others(tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    write(path)
    pyogrio.raw.write(
        path, shapely.to_wkb([shapely.Point(1, 2)]), [], [], geometry_type="Point", crs="EPSG:32633", layer="own"
    )
    write(path)
    counts = {name: pyogrio.read_info(path, layer=name)["features"] for name in ("roads", "road_nodes", "own")}
    assert counts == {"roads": 4, "road_nodes": 1, "own": 1}
