"""Situations around vector files and comparisons that people reported of other programs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from raster_files import NORTH_UP, write_raster
from reports.situation import Outcome, Situation, each, run_situation
from reports.vector_files import LEFT, ROAD, TOP, move, to_crs, write_geojson, write_layer, write_mask


def compare(folder: Path, result: Path, *options: object) -> tuple[object, ...]:
    """Compare a file with ``ROAD``."""
    return ("compare", result, write_layer(folder / "truth.gpkg", [ROAD]), *options)


def update(folder: Path, existing: Path, **mask: object) -> tuple[object, ...]:
    raster = write_mask(folder / "mask.tif", **mask)
    return ("vectorize", "roads", raster, "-o", folder / "new.gpkg", "--update", existing, "--no-areas")


def update_in(folder: Path, crs: str, *, kind: str = "LineString", z: bool = False) -> tuple[object, ...]:
    """Update a road in the middle of a mask whose CRS is ``crs``, at the same coordinates in metres."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*_inside(crs))
    road = shapely.LineString([(x, y - 200), (x + 400, y - 200)])
    shapes = [shapely.force_3d(road, 5.0) if z else road]
    existing = write_layer(folder / "old.gpkg", shapes, crs=crs, geometry_type=kind)
    return update(folder, existing, crs=CRS.from_user_input(crs).to_2d().to_wkt(), transform=Affine(1, 0, x, 0, -1, y))


def _inside(crs: str) -> tuple[float, float]:
    """A longitude and latitude in the area of use of a CRS."""
    area = CRS.from_user_input(crs).area_of_use
    assert area is not None
    return (area.west + area.east) / 2, (area.south + area.north) / 2


def with_srs_id(path: Path, number: int) -> Path:
    """Replace the CRS of a GeoPackage by one of its two undefined ones, 0 or -1."""
    with sqlite3.connect(path) as database:
        for table in ("gpkg_geometry_columns", "gpkg_contents"):
            database.execute(f"UPDATE {table} SET srs_id = {number}")
    database.close()
    return path


def with_crs_member(path: Path, code: int, shapes: list[object]) -> Path:
    """Write a GeoJSON with a member ``crs``, as before RFC 7946."""
    write_geojson(path, shapes)
    member = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), "crs": member}))
    return path


def with_ids(path: Path, shapes: list[object], ids: list[int | None]) -> Path:
    """Write a GeoJSON whose features have the given ids; None for a feature without one."""
    write_geojson(path, shapes)
    collection = json.loads(path.read_text())
    for feature, number in zip(collection["features"], ids, strict=True):
        feature.update({} if number is None else {"id": number})
    path.write_text(json.dumps(collection))
    return path


def plain_prj(path: Path) -> Path:
    """Write ``ROAD`` in degrees with a .prj that names no authority."""
    write_layer(path, [to_crs(ROAD, "EPSG:4326")], crs="EPSG:4326", geometry_type="LineString")
    path.with_suffix(".prj").write_text(
        'GEOGCS["WGS 84",DATUM["unknown",SPHEROID["WGS84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
        'UNIT["degree",0.0174532925199433]]'
    )
    return path


def gpx(path: Path) -> Path:
    """Write ``ROAD`` as a track; the other four layers of a GPX file are there, but empty."""
    points = "".join(f'<trkpt lat="{y:.9f}" lon="{x:.9f}"/>' for x, y in to_crs(ROAD, "EPSG:4326").coords)
    head = '<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1">'
    path.write_text(f"{head}<trk><trkseg>{points}</trkseg></trk></gpx>")
    return path


def gml(path: Path) -> Path:
    """Write ``ROAD`` in GML with latitude before longitude, as the URN of EPSG:4326 says."""
    points = " ".join(f"{y:.9f} {x:.9f}" for x, y in to_crs(ROAD, "EPSG:4326").coords)
    line = f'<gml:LineString srsName="urn:ogc:def:crs:EPSG::4326"><gml:posList>{points}</gml:posList></gml:LineString>'
    path.write_text(
        '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml">'
        f"<gml:featureMember><ogr:road><ogr:geometryProperty>{line}</ogr:geometryProperty></ogr:road>"
        "</gml:featureMember></ogr:FeatureCollection>"
    )
    return path


def classes(path: Path, values: object, **profile: object) -> Path:
    return write_raster(path, np.array([values], np.uint8).repeat(20, 1).repeat(20, 2), **profile)


def is_same(outcome: Outcome) -> bool:
    """Whether two networks are the same."""
    return bool(outcome.summary["apls"] == pytest.approx(1) and outcome.summary["quality"] == pytest.approx(1))


def is_kept(outcome: Outcome) -> bool:
    """Whether all of the existing road was kept."""
    return bool(outcome.summary["kept_m"] == pytest.approx(400, abs=5) and outcome.summary["gone_m"] == 0)


SITUATIONS = (
    Situation(
        "a GeoPackage whose CRS is the undefined geographic one",
        make=lambda folder: compare(folder, with_srs_id(write_layer(folder / "result.gpkg", [ROAD]), 0)),
        says="result.gpkg has no CRS: EPSG:32618 of truth.gpkg is assumed",
        check=is_same,
        report="OSGeo/gdal#4408",
    ),
    Situation(
        "a GeoPackage whose CRS is the undefined Cartesian one",
        make=lambda folder: compare(folder, with_srs_id(write_layer(folder / "result.gpkg", [ROAD]), -1)),
        says="result.gpkg has no CRS: EPSG:32618 of truth.gpkg is assumed",
        check=is_same,
        report="r-spatial/sf#2049",
    ),
    Situation(
        "a GeoJSON in Web Mercator with a member crs",
        make=lambda folder: compare(
            folder, with_crs_member(folder / "result.geojson", 3857, [to_crs(ROAD, "EPSG:3857")])
        ),
        check=lambda outcome: is_same(outcome) and outcome.warnings == [],
        report="JasonSanford/geojsonlint.com#8",
    ),
    Situation(
        "a GeoJSON in a national projection that lost its CRS when it was saved",
        make=lambda folder: (
            "compare",
            write_geojson(folder / "result.geojson", [to_crs(ROAD, "ESRI:102005")]),
            write_layer(folder / "truth.gpkg", [to_crs(ROAD, "ESRI:102005")], crs="ESRI:102005"),
        ),
        code=2,
        says=("no degrees", "fit ESRI:102005"),
        report="geopandas/geopandas#2226",
    ),
    Situation(
        "a shapefile whose .prj names no authority",
        make=lambda folder: compare(folder, plain_prj(folder / "result.shp")),
        check=lambda outcome: is_same(outcome) and outcome.warnings == [],
        report="OSGeo/gdal#1547",
    ),
    Situation(
        "GML with latitude before longitude",
        make=lambda folder: compare(folder, gml(folder / "result.gml")),
        check=is_same,
        report="qgis/QGIS#27909",
    ),
    Situation(
        "a GPX file, whose first layers are empty",
        make=lambda folder: update(folder, gpx(folder / "old.gpx")),
        says="tracks is used",
        check=is_kept,
        report="georchestra/georchestra#1680",
    ),
    Situation(
        "a CRS whose coordinates are negative",
        make=lambda folder: update_in(folder, "EPSG:5514"),
        check=is_kept,
        report="benchmark-urbanism/cityseer-api#65",
    ),
    Situation(
        "existing roads with heights, in a compound CRS",
        make=lambda folder: update_in(folder, "EPSG:7405", kind="LineString Z", z=True),
        check=is_kept,
        report="orbisgis/cts#104",
    ),
    Situation(
        "a GeoJSON in which only some features have an id",
        make=lambda folder: update(
            folder,
            with_ids(
                folder / "old.geojson",
                [to_crs(move(ROAD, 0, 60 * k), "EPSG:4326") for k in range(3)],
                [7, None, None],
            ),
        ),
        check=lambda outcome: _ids(outcome, "kept") == [7] and len(set(_ids(outcome, "gone"))) == 2,
        report="OSGeo/gdal#7258",
    ),
    Situation(
        "existing lines with doubled points, and one of no length",
        make=lambda folder: update(
            folder,
            write_layer(
                folder / "old.gpkg",
                [
                    shapely.LineString([(LEFT, TOP - 200)] * 2 + [(LEFT + 400, TOP - 200)] * 2),
                    shapely.LineString([(LEFT + 200, TOP - 100)] * 2),
                ],
            ),
        ),
        check=is_kept,
        report="shapely/shapely#2220",
    ),
    Situation(
        "existing features without a geometry",
        make=lambda folder: update(
            folder, write_layer(folder / "old.gpkg", [None, ROAD, None], layer_options={"SPATIAL_INDEX": "NO"})
        ),
        check=lambda outcome: is_kept(outcome) and _ids(outcome, "kept") == [2],
        report="Toblerity/Fiona#789",
    ),
    Situation(
        "a network without a single road",
        make=lambda folder: compare(folder, write_layer(folder / "result.gpkg", [], geometry_type="LineString")),
        check=lambda outcome: outcome.summary["apls"] == 0 and outcome.summary["length"] == 0,
        report="gboeing/osmnx#568",
    ),
    Situation(
        "a mask of polygons in another CRS",
        make=lambda folder: compare(
            folder,
            write_layer(folder / "result.gpkg", [ROAD]),
            "--mask",
            write_layer(
                folder / "mask.gpkg",
                [to_crs(shapely.box(LEFT, TOP - 300, LEFT + 200, TOP), "EPSG:3857")],
                crs="EPSG:3857",
            ),
        ),
        check=lambda outcome: outcome.summary["truth_length"] == pytest.approx(200, abs=0.5),
        report="geopandas/geopandas#1354",
    ),
    Situation(
        "grids that differ by rounding only",
        make=lambda folder: (
            "compare",
            classes(folder / "result.tif", [[1, 2], [3, 4]], transform=NORTH_UP @ Affine.translation(1e-7, -1e-7)),
            classes(folder / "truth.tif", [[1, 2], [3, 4]]),
        ),
        never_says="nearest",
        check=lambda outcome: outcome.summary["accuracy"] == 1,
        report="perrygeo/pyimpute#24",
    ),
    Situation(
        "a map whose class 0 is declared as nodata, against one where it is a class",
        make=lambda folder: (
            "compare",
            classes(folder / "result.tif", [[0, 1], [2, 0]], nodata=0),
            classes(folder / "truth.tif", [[0, 1], [2, 0]]),
            "--truth-values",
            "classes",
        ),
        says="only truth.tif has 0",
        check=lambda outcome: outcome.summary["accuracy"] == 0.5,
        report="SMByC/AcATaMa#18",
    ),
    Situation(
        "a reference with a single class",
        make=lambda folder: (
            "compare",
            classes(folder / "result.tif", [[1, 2], [3, 4]]),
            classes(folder / "truth.tif", [[2, 2], [2, 2]]),
            "--truth-values",
            "classes",
        ),
        says="only result.tif has 1, 3, 4",
        check=lambda outcome: outcome.summary["accuracy"] == 0.25,
        report="OSGeo/grass-addons#409",
    ),
)


def _ids(outcome: Outcome, change: str) -> list[int]:
    """Ids of the existing features with a change."""
    _, _, _, (changes, existing, *_) = pyogrio.raw.read(outcome.folder / "new.gpkg", layer="road_changes")
    return sorted(existing[changes == change].tolist())


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)
