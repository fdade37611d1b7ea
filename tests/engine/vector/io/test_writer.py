"""Vector writers: GeoPackage with styles and metadata, the other formats, atomic outputs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from terraspore.engine.errors import OutputError, ParameterError
from terraspore.engine.fs import outputs
from terraspore.engine.fs.atomic import list_side_files
from terraspore.engine.raster.gdal_errors import advise_on_format
from terraspore.engine.vector.geodesy import transform_geometries
from terraspore.engine.vector.io.formats import FORMATS, VectorFormat, VectorTarget, choose_format
from terraspore.engine.vector.io.geopackage import verify_geopackage
from terraspore.engine.vector.io.styles import load_styles
from terraspore.engine.vector.io.writer import LayerFileWriter, open_vector_writer

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


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.driver)
def test_every_format_gives_back_what_was_written(tmp_path: Path, entry: VectorFormat) -> None:
    """Features, columns with nothing in some rows, CRS, and a file for each layer, for every row of the table."""
    if "w" not in pyogrio.list_drivers().get(entry.driver, ""):
        pytest.skip(f"GDAL has no {entry.driver} here")
    path = tmp_path / f"out{entry.suffixes[0]}"
    areas = shapely.buffer(LINES, 2)
    layers = {"roads": ("LineString", LINES), "road_nodes": ("Point", np.repeat(POINTS, 2)), "a": ("Polygon", areas)}
    with open_vector_writer(VectorTarget(path, metadata={"MODEL": "m"}), "EPSG:25832") as writer:
        for name, (kind, geometry) in layers.items():
            writer.write(name, kind, geometry[:1], {key: values[:1] for key, values in COLUMNS.items()})
            writer.write(name, kind, geometry[1:], {key: values[1:] for key, values in COLUMNS.items()})
        writer.write("empty", "Polygon", areas[:0], {key: values[:0] for key, values in COLUMNS.items()})
    assert list(writer.paths) == [*layers, "empty"]
    written = set(writer.paths.values())
    assert set(tmp_path.iterdir()) == {*written, *(side for file in written for side in list_side_files(file))}
    for name, (_, expected) in layers.items():
        where = {"layer": name} if entry.is_geopackage else {}
        info, _, geometry, columns = pyogrio.raw.read(writer.paths[name], force_2d=True, **where)
        crs = entry.crs or "EPSG:25832"
        if not entry.limits:
            assert info["crs"] == crs
        move = Transformer.from_crs("EPSG:25832", crs, always_xy=True)
        moved = transform_geometries(expected, move)
        placed = sorted(shapely.from_wkb(geometry), key=lambda shape: shape.bounds)  # FlatGeobuf has its order
        for found, given in zip(placed, moved, strict=True):
            assert found.geom_type.removeprefix("Multi") == given.geom_type
            assert found.normalize().equals_exact(given.normalize(), 1e-9 if entry.crs else 1e-6) or found.equals(given)
        if not entry.has_columns:
            continue
        found = {key.lower(): column for key, column in zip(info["fields"], columns, strict=True)}
        numbers = found.get("id2", found["id"]).astype(int)  # KML has ids of its own
        assert sorted(numbers) == [1, 2]
        found = {key: column[np.argsort(numbers)].tolist() for key, column in found.items()}
        assert [int(value) for value in found["small"]] == [3, 4]
        assert float(found["share"][0]) == 0.5
        assert not found["share"][1] or np.isnan(found["share"][1])
        assert [str(value) in {"1", "True"} for value in found["flag"]] == [True, False]
        assert found["name"] in (["Straße", None], ["Straße", ""])


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.driver)
def test_a_format_is_known_where_its_suffix_matters(tmp_path: Path, entry: VectorFormat) -> None:
    """Lower layers cannot import the table: what is said to a person who gives a vector file for an image."""
    for suffix in entry.suffixes:
        path = tmp_path / f"roads{suffix}"
        path.touch()
        assert "It is a vector file" in advise_on_format(path)


@pytest.mark.parametrize("suffix", [suffix for entry in FORMATS if entry.is_read_back for suffix in entry.suffixes])
def test_file_that_is_cut_off_without_an_error_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """As GDAL leaves it on a full disk."""
    store = LayerFileWriter._store

    def cut_off(writer: LayerFileWriter, path: Path, *arguments: object, **options: object) -> None:
        store(writer, path, *arguments, **options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    monkeypatch.setattr(LayerFileWriter, "_store", cut_off)
    points = shapely.points(np.arange(200.0).reshape(100, 2) / 10)
    with (
        pytest.raises(OutputError, match="could not be written"),
        open_vector_writer(VectorTarget(tmp_path / f"out{suffix}"), "EPSG:4326") as writer,
    ):
        writer.write("points", "Point", points, {"id": np.arange(100)})
    assert list(tmp_path.iterdir()) == []


def test_a_format_with_a_crs_of_its_own(tmp_path: Path) -> None:
    """It is transformed; --crs names no other, and there has to be one to transform from."""
    target = VectorTarget(tmp_path / "out.kml", crs="EPSG:4326")
    assert target.choose_crs("EPSG:25832") == "EPSG:4326"
    with pytest.raises(ParameterError, match="no other CRS than EPSG:4326"):
        VectorTarget(tmp_path / "out.kml", crs="EPSG:25832").choose_crs("EPSG:25832")
    local = 'LOCAL_CS["a plane",UNIT["metre",1]]'
    for source in (None, local):
        with pytest.raises(ParameterError, match=r"no CRS, so its vectors cannot be written as \.kml"):
            VectorTarget(tmp_path / "out.kml").check_crs(source)
    VectorTarget(tmp_path / "out.csv").check_crs(None)


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
