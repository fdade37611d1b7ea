"""What a person has where a run writes: other layers, files of the same name, links, sources of the run."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio.shutil
import shapely
from model_files import write_linear_model
from raster_files import write_raster
from reports.situation import Outcome, Situation, each, run_command, run_situation
from terraspore.engine.fs.journal import journal_folder
from terraspore.engine.fs.lock import lock_paths

SIZE = 120
PARCELS = [shapely.box(500_000 + 20 * n, 4_649_700, 500_010 + 20 * n, 4_649_710) for n in range(3)]
#: GPKG's own name of a style that a person has stored.
ADD_STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML,
                          useAsDefault) VALUES ('', '', 'roads', 'geom', 'my style', '<qgis/>', 1)
"""


def _mask(folder: Path) -> Path:
    """A mask with one road from left to right."""
    pixels = np.zeros((1, SIZE, SIZE), np.uint8)
    pixels[:, 50:58] = 1
    return write_raster(folder / "mask.tif", pixels)


def _write_layer(path: Path, layer: str, shapes: list[shapely.Geometry] = PARCELS, **options: object) -> Path:
    pyogrio.raw.write(
        path,
        geometry=np.asarray(shapely.to_wkb(shapes), object),
        field_data=[np.arange(len(shapes))],
        fields=np.array(["number"]),
        geometry_type=shapes[0].geom_type,
        crs="EPSG:32618",
        layer=layer,
        **options,
    )
    return path


def _with_layers(*layers: str) -> Callable[..., tuple[object, ...]]:
    """A command that makes roads and writes them to a GeoPackage that has ``layers`` of a person."""

    def make(folder: Path, *options: object) -> tuple[object, ...]:
        for layer in layers:
            _write_layer(folder / "data.gpkg", layer)
        shutil.copy(folder / "data.gpkg", folder / "before")
        return ("vectorize", "roads", _mask(folder), "-o", folder / "data.gpkg", *options)

    return make


def _layers(path: Path) -> list[str]:
    return sorted(pyogrio.list_layers(path)[:, 0])


def _has_parcels(path: Path, layer: str = "parcels") -> bool:
    _, _, geometry, fields = pyogrio.raw.read(path, layer=layer)
    return [shapely.from_wkb(g) for g in geometry] == PARCELS and fields[0].tolist() == [0, 1, 2]


def _road_length(path: Path, layer: str = "roads") -> float:
    return float(shapely.length(shapely.from_wkb(pyogrio.raw.read(path, layer=layer)[2])).sum())


def _is_unchanged(outcome: Outcome) -> bool:
    return (outcome.folder / "data.gpkg").read_bytes() == (outcome.folder / "before").read_bytes()


def _replaced(outcome: Outcome) -> bool:
    path = outcome.folder / "data.gpkg"
    with closing(sqlite3.connect(path)) as database:
        styles = database.execute("SELECT styleName, useAsDefault FROM layer_styles WHERE f_table_name = 'roads'")
        assert sorted(styles.fetchall()) == [("my style", 1), ("roads", 0)]
    return _has_parcels(path) and 100 < _road_length(path) < 125


def _with_style_and_roads(folder: Path) -> tuple[object, ...]:
    from terraspore.engine.vector.io.geopackage import add_styles

    path = _write_layer(_write_layer(folder / "data.gpkg", "parcels"), "roads")
    add_styles(path, path, {"roads": "<qgis/>"})
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE layer_styles SET useAsDefault = 0")
        database.execute(ADD_STYLE)
    return ("vectorize", "roads", _mask(folder), "-o", path, "--overwrite")


def _update_itself(folder: Path, name: str = "data.gpkg") -> tuple[object, ...]:
    make = _with_layers("parcels")
    line = [shapely.LineString([(500_000, 4_649_722), (500_120, 4_649_722)])]
    _write_layer(folder / "data.gpkg", "my_roads", line)
    return make(folder, "--update", folder / name, "--overwrite")


def _update_behind_virtual_layer(folder: Path) -> tuple[object, ...]:
    (folder / "roads.vrt").write_text(
        "<OGRVRTDataSource><OGRVRTLayer name='my_roads'><SrcDataSource relativeToVRT='1'>data.gpkg</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    return _update_itself(folder, "roads.vrt")


def _extract(folder: Path, image: Path, *options: object) -> tuple[object, ...]:
    (folder / "model").mkdir()
    model = write_linear_model(folder / "model", stretch=True)
    return ("extract", "roads", image, "--model", model, "--runtime", "onnxruntime", "--overwrite", *options)


def _area_itself(folder: Path) -> tuple[object, ...]:
    _write_layer(folder / "data.gpkg", "parcels")
    shutil.copy(folder / "data.gpkg", folder / "before")
    image = write_raster(folder / "image.tif", np.zeros((3, SIZE, SIZE), np.uint8))
    return _extract(folder, image, "--area", folder / "data.gpkg", "-o", folder / "data.gpkg")


def _model_itself(folder: Path) -> tuple[object, ...]:
    image = write_raster(folder / "image.tif", np.zeros((3, SIZE, SIZE), np.uint8))
    arguments = _extract(folder, image, "-o", folder / "roads.gpkg", "--probability", folder / "p.tif")
    shutil.copy(folder / "model" / "net.onnx", folder / "before")
    (folder / "p.tif").symlink_to(folder / "model" / "net.onnx")
    return arguments


def _behind_virtual_rasters(folder: Path) -> tuple[object, ...]:
    source = write_raster(folder / "source.tif", np.zeros((3, SIZE, SIZE), np.uint8))
    shutil.copy(source, folder / "before")
    band = (
        '<VRTRasterBand dataType="Byte" band="{0}"><SimpleSource><SourceFilename relativeToVRT="1">{1}</SourceFilename>'
    )
    band += "<SourceBand>{0}</SourceBand></SimpleSource></VRTRasterBand>"
    for name, inner in (("inner.vrt", "source.tif"), ("outer.vrt", "inner.vrt")):
        bands = "".join(band.format(number, inner) for number in (1, 2, 3))
        place = "<SRS>EPSG:32618</SRS><GeoTransform>500000, 1, 0, 4649776, 0, -1</GeoTransform>"
        text = f'<VRTDataset rasterXSize="{SIZE}" rasterYSize="{SIZE}">{place}{bands}</VRTDataset>'
        (folder / name).write_text(text)
    return _extract(folder, folder / "outer.vrt", "-o", folder / "roads.gpkg", "--probability", source)


def _confidence_itself(folder: Path) -> tuple[object, ...]:
    confidence = folder / "data.gpkg"
    write_raster(confidence, np.full((1, SIZE, SIZE), 200, np.uint8), driver="GPKG")
    _write_layer(confidence, "parcels")
    shutil.copy(confidence, folder / "before")
    return ("vectorize", "landcover", _mask(folder), "--confidence", confidence, "-o", confidence, "--overwrite")


def _derived_file(folder: Path) -> tuple[object, ...]:
    (folder / "g_road_areas.geojson").write_text("of a person")
    return ("vectorize", "roads", _mask(folder), "-o", folder / "g.geojson")


def _open_transaction(folder: Path) -> tuple[object, ...]:
    """The file is open in a program that has begun to change it; the connection lives as long as the test."""
    arguments = _with_layers("parcels")(folder)
    writer = sqlite3.connect(folder / "data.gpkg", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    shutil.copy(folder / "data.gpkg", folder / "before")
    writer.execute("BEGIN IMMEDIATE")
    OPEN.append(writer)
    return arguments


def _with_log(folder: Path) -> tuple[object, ...]:
    """Another program has committed rows that are only in the write-ahead log, and keeps the file open."""
    arguments = _with_layers("parcels")(folder)
    writer = sqlite3.connect(folder / "data.gpkg", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE notes (text TEXT)")
    writer.execute("INSERT INTO notes VALUES ('committed')")
    OPEN.append(writer)
    return arguments


def _has_notes(outcome: Outcome) -> bool:
    path = outcome.folder / "data.gpkg"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT text FROM notes").fetchall() == [("committed",)]
    return _has_parcels(path) and _road_length(path) > 100


def _linked(folder: Path) -> tuple[object, ...]:
    (folder / "store").mkdir()
    (folder / "roads.gpkg").symlink_to(folder / "store" / "real.gpkg")
    return ("vectorize", "roads", _mask(folder), "-o", folder / "roads.gpkg")


def _linked_journal(folder: Path) -> tuple[object, ...]:
    (folder / "theirs").mkdir()
    (folder / "theirs" / "rows").write_text("of a person")
    journal_folder(folder / "roads.gpkg").symlink_to(folder / "theirs")
    image = write_raster(folder / "image.tif", np.full((3, SIZE, SIZE), 90, np.uint8))
    return ("extract", "roads", image, "-o", folder / "roads.gpkg")


def _other_file(folder: Path) -> tuple[object, ...]:
    (folder / "data.gpkg").write_text("minutes of the meeting")
    shutil.copy(folder / "data.gpkg", folder / "before")
    return ("vectorize", "roads", _mask(folder), "-o", folder / "data.gpkg", "--overwrite")


def _old_index(folder: Path) -> tuple[object, ...]:
    _write_layer(folder / "roads.shp", "roads", layer_options={"SPATIAL_INDEX": "YES"})
    assert (folder / "roads.qix").is_file()
    return ("vectorize", "roads", _mask(folder), "-o", folder / "roads.shp", "--overwrite")


def _in_capitals(folder: Path) -> tuple[object, ...]:
    """A shapefile of a camera of capitals, without roads."""
    _write_layer(folder / "ROADS.shp", "roads")
    for file in folder.glob("ROADS.*"):
        file.rename(file.with_suffix(file.suffix.upper()))
    return ("vectorize", "roads", _mask(folder), "-o", folder / "ROADS.SHP", "--overwrite")


def _replaces_capitals(outcome: Outcome) -> bool:
    names = sorted(path.name for path in outcome.folder.glob("ROADS.*"))
    assert names == ["ROADS.SHP", "ROADS.cpg", "ROADS.dbf", "ROADS.prj", "ROADS.shx"]
    return _road_length(outcome.folder / "ROADS.SHP") > 100


def _says_it_before_reading(outcome: Outcome) -> bool:
    return [event["type"] for event in outcome.events] == ["error"]


def _projection_of_a_grid(folder: Path) -> tuple[object, ...]:
    """An ASCII grid with its .prj, and a shapefile of the same name as the output, in another CRS."""
    pixels = np.zeros((1, SIZE, SIZE), np.int32)
    pixels[:, 50:58] = 1
    rasterio.shutil.copy(write_raster(folder / "mask.tif", pixels), folder / "town.asc", driver="AAIGrid")
    shutil.copy(folder / "town.prj", folder / "before")
    output = folder / "town.shp"
    return ("vectorize", "roads", folder / "town.asc", "-o", output, "--crs", "EPSG:4326", "--overwrite")


def _with_view(name: str, query: str) -> Callable[..., tuple[object, ...]]:
    """A command that adds roads to a GeoPackage with parcels and a view."""

    def make(folder: Path, *options: object) -> tuple[object, ...]:
        arguments = _with_layers("parcels")(folder, *options)
        with closing(sqlite3.connect(folder / "data.gpkg")) as database:
            database.execute(f"CREATE VIEW {name} AS {query}")
        shutil.copy(folder / "data.gpkg", folder / "before")
        return arguments

    return make


def _with_virtual_table(folder: Path) -> tuple[object, ...]:
    arguments = _with_layers("parcels")(folder)
    with closing(sqlite3.connect(folder / "data.gpkg")) as database, database:
        database.execute("PRAGMA writable_schema = ON")
        statement = "CREATE VIRTUAL TABLE SpatialIndex USING VirtualSpatialIndex()"
        row = ("table", "SpatialIndex", "SpatialIndex", 0, statement)
        database.execute("INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", row)
    return arguments


def _keeps_view(outcome: Outcome) -> bool:
    with closing(sqlite3.connect(outcome.folder / "data.gpkg")) as database:
        assert database.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchone() == ("selected",)
    return _has_parcels(outcome.folder / "data.gpkg") and _road_length(outcome.folder / "data.gpkg") > 100


def _compare_own(folder: Path) -> tuple[object, ...]:
    run_command(("vectorize", "roads", _mask(folder), "-o", folder / "a.gpkg"), folder)
    return ("compare", folder / "a.gpkg", folder / "a.gpkg")


def _is_found(outcome: Outcome) -> bool:
    return len(pyogrio.raw.read(outcome.folder / "roads.shp", bbox=(500_000, 4_649_700, 500_120, 4_649_730))[2]) == 1


def _names_layer(suffix: str) -> Situation:
    return Situation(
        f"a layer of a {suffix} file is named after the file",
        lambda folder: ("vectorize", "roads", _mask(folder), "-o", folder / f"town{suffix}"),
        check=lambda outcome: _layers(outcome.folder / f"town{suffix}") == ["town"],
    )


#: Connections of other programs; closed after each situation.
OPEN: list[sqlite3.Connection] = []

SITUATIONS = (
    Situation(
        "an output GeoPackage has a layer of parcels, which stays",
        _with_layers("parcels"),
        check=lambda outcome: (
            _has_parcels(outcome.folder / "data.gpkg")
            and _layers(outcome.folder / "data.gpkg")[:4] == ["layer_styles", "parcels", "road_areas", "road_nodes"]
            and _road_length(outcome.folder / "data.gpkg") > 100
        ),
    ),
    Situation(
        "an output GeoPackage has a person's layer roads, which is not replaced",
        _with_layers("parcels", "roads"),
        code=2,
        says=("has a layer roads already", "--overwrite", "--layer"),
        check=_is_unchanged,
    ),
    Situation(
        "an output GeoPackage has a person's layer roads, and another name is given",
        lambda folder: _with_layers("parcels", "roads")(folder, "--layer", "new roads"),
        check=lambda outcome: (
            _has_parcels(outcome.folder / "data.gpkg", "roads")
            and _road_length(outcome.folder / "data.gpkg", "new roads") > 100
            and {"new roads_nodes", "new roads_areas"} < set(_layers(outcome.folder / "data.gpkg"))
        ),
    ),
    Situation(
        "with --overwrite the layer roads is replaced; the parcels and a style of the person stay",
        _with_style_and_roads,
        check=_replaced,
    ),
    Situation(
        "a layer is given the name of a table of GeoPackage itself",
        lambda folder: _with_layers("parcels")(folder, "--layer", "gpkg_contents"),
        code=2,
        says="cannot have the name",
        check=_is_unchanged,
    ),
    Situation(
        "a layer is named, but the format has no layers",
        lambda folder: ("vectorize", "roads", _mask(folder), "-o", folder / "g.geojson", "--layer", "town"),
        code=2,
        says="--layer names layers of a GeoPackage",
    ),
    Situation("the output is the --update file", _update_itself, 2, "which this run reads", check=_is_unchanged),
    Situation(
        "the output is behind the virtual layer of --update",
        _update_behind_virtual_layer,
        code=2,
        says="which this run reads",
        check=_is_unchanged,
    ),
    Situation("the output is the --area file", _area_itself, 2, "which this run reads", check=_is_unchanged),
    Situation(
        "the output is the --confidence file", _confidence_itself, 2, "which this run reads", check=_is_unchanged
    ),
    Situation(
        "the probability raster is the imagery behind two virtual rasters",
        _behind_virtual_rasters,
        code=2,
        says="which this run reads",
        check=lambda outcome: (outcome.folder / "source.tif").read_bytes() == (outcome.folder / "before").read_bytes(),
    ),
    Situation(
        "the probability raster is a link to the model; it is refused before that is opened",
        _model_itself,
        code=2,
        says="which this run reads",
        check=lambda outcome: (
            "plan" not in {event["type"] for event in outcome.events}
            and (outcome.folder / "model" / "net.onnx").read_bytes() == (outcome.folder / "before").read_bytes()
        ),
    ),
    Situation(
        "a file that is derived from the output's name exists",
        _derived_file,
        code=2,
        says=("g_road_areas.geojson exists already", "--overwrite"),
        check=lambda outcome: (
            not (outcome.folder / "g.geojson").exists()
            and (outcome.folder / "g_road_areas.geojson").read_text() == "of a person"
        ),
    ),
    Situation(
        "another program has begun to change the GeoPackage",
        _open_transaction,
        code=2,
        says="another program is changing",
        check=_is_unchanged,
    ),
    Situation("another program's rows are in the write-ahead log only", _with_log, check=_has_notes),
    Situation(
        "the output is a link to a file that does not exist yet",
        _linked,
        check=lambda outcome: (
            (outcome.folder / "roads.gpkg").is_symlink() and _road_length(outcome.folder / "store" / "real.gpkg") > 100
        ),
    ),
    Situation(
        "a link is at the place of the journal; it is refused before the model is opened",
        _linked_journal,
        code=2,
        says="is a link",
        check=lambda outcome: (
            [event["type"] for event in outcome.events] == ["error"]
            and (outcome.folder / "theirs" / "rows").read_text() == "of a person"
        ),
    ),
    Situation("the output is a text file", _other_file, 2, "is not a GeoPackage", check=_is_unchanged),
    Situation("an earlier shapefile has a spatial index", _old_index, check=_is_found),
    Situation("an earlier shapefile whose files are named in capitals", _in_capitals, check=_replaces_capitals),
    Situation(
        "a mask, and an output whose suffix is of no vector format; its values are not read first",
        lambda folder: ("vectorize", _mask(folder), "-o", folder / "a.xyz"),
        code=2,
        says="a.xyz has no suffix of a vector format",
        check=_says_it_before_reading,
    ),
    Situation(
        "a mask, and an output that exists; its values are not read first",
        lambda folder: ("vectorize", _mask(folder), "-o", _write_layer(folder / "a.geojson", "a")),
        code=2,
        says=("a.geojson exists already", "--overwrite"),
        check=_says_it_before_reading,
    ),
    Situation(
        "a mask, and a file to update that is not there; its values are not read first",
        lambda folder: ("vectorize", "roads", _mask(folder), "-o", folder / "a.gpkg", "--update", folder / "b.gpkg"),
        code=2,
        says="b.gpkg does not exist",
        check=_says_it_before_reading,
    ),
    Situation(
        "the output is a shapefile named as an ASCII grid, whose .prj it would replace",
        _projection_of_a_grid,
        code=2,
        says=("town.prj exists without town.shp", "another name"),
        check=lambda outcome: (
            (outcome.folder / "town.prj").read_bytes() == (outcome.folder / "before").read_bytes()
            and not (outcome.folder / "town.shp").exists()
        ),
    ),
    Situation(
        "a shapefile with its suffix in capitals",
        lambda folder: ("vectorize", "roads", _mask(folder), "-o", folder / "TOWN.SHP"),
        check=lambda outcome: _road_length(outcome.folder / "TOWN.SHP", "TOWN") > 100,
    ),
    Situation(
        "an output GeoPackage has a view with a function of SpatiaLite",
        _with_view("selected", "SELECT * FROM parcels WHERE ST_Area(geom) > 10"),
        check=_keeps_view,
    ),
    Situation(
        "an output GeoPackage has a virtual table of SpatiaLite",
        _with_virtual_table,
        check=lambda outcome: (
            _has_parcels(outcome.folder / "data.gpkg") and _road_length(outcome.folder / "data.gpkg") > 100
        ),
    ),
    Situation(
        "an output GeoPackage has a view of a table that is gone",
        _with_view("selected", "SELECT * FROM buildings"),
        check=_keeps_view,
    ),
    Situation(
        "an output GeoPackage has a view named roads, which is not replaced",
        lambda folder: _with_view("roads", "SELECT * FROM parcels")(folder, "--overwrite"),
        code=2,
        says=("roads is a view", "--layer"),
        check=_is_unchanged,
    ),
    _names_layer(".geojson"),
    _names_layer(".fgb"),
    Situation(
        "nothing is written beside the image that is read",
        lambda folder: _extract(
            folder,
            write_raster(folder / "image.tif", np.random.default_rng(1).random((3, SIZE, SIZE), np.float32)),
            "-o",
            folder / "roads.gpkg",
        ),
        check=lambda outcome: (
            sorted(path.name for path in outcome.folder.iterdir()) == ["image.tif", "model", "roads.gpkg"]
        ),
    ),
    Situation(
        "nothing is written beside the raster that is read",
        lambda folder: ("vectorize", "landcover", _mask(folder), "-o", folder / "a.gpkg"),
        check=lambda outcome: sorted(path.name for path in outcome.folder.iterdir()) == ["a.gpkg", "mask.tif"],
    ),
    Situation(
        "nothing is written beside a GeoPackage with metadata that is read",
        _compare_own,
        check=lambda outcome: sorted(path.name for path in outcome.folder.iterdir()) == ["a.gpkg", "mask.tif"],
    ),
)


@pytest.mark.parametrize("name", ["a.geojson", "a_road_nodes.geojson", "a_road_areas.geojson"])
def test_every_file_of_a_result_is_locked(tmp_path: Path, name: str) -> None:
    mask = np.zeros((1, 200, 200), np.uint8)
    mask[:, 96:103] = 255
    raster = write_raster(tmp_path / "mask.tif", mask)
    with lock_paths([tmp_path / name]):
        outcome = run_command(("vectorize", "roads", raster, "-o", tmp_path / "a.geojson"), tmp_path)
    assert outcome.code == 2
    assert "another run" in outcome.sentences
    assert not list(tmp_path.glob("*.geojson"))


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terraspore.engine.vector.io.geopackage._BUSY_SECONDS", 0.1)
    try:
        run_situation(situation, tmp_path)
    finally:
        while OPEN:
            OPEN.pop().close()
