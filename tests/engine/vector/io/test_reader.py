"""Vector files of other people, read in the CRS that their coordinates are in."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from terraspore.engine.context import RecordingReporter, RunContext
from terraspore.engine.errors import ParameterError, VectorError
from terraspore.engine.raster.grid import Grid
from terraspore.engine.vector.crs import make_metric_crs
from terraspore.engine.vector.io.reader import make_reference, read_area, read_vector_layer
from terraspore.engine.vector.metrics.network import build_network

GRID = Grid(CRS.from_epsg(32618), Affine(2, 0, 500_000, 0, -2, 4_000_000), 300, 200, 2.0)
SQUARE = shapely.box(500_100, 3_999_800, 500_300, 3_999_900)


def write(path, shapes, crs="EPSG:32618", kind="Unknown", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file without a CRS is meant
        pyogrio.raw.write(
            path, shapely.to_wkb(np.array(shapes, object)), [], [], geometry_type=kind, crs=crs, **options
        )
    return path


def write_geojson(path, *geometries):
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def area_of(path, grid=GRID, context=None):
    return read_area(path, grid, name="image.tif", context=context or RunContext())


@pytest.mark.parametrize(
    ("crs", "suffix"), [("EPSG:32618", "gpkg"), ("EPSG:3857", "gpkg"), ("EPSG:4326", "gpkg"), ("EPSG:4326", "geojson")]
)
def test_polygons_are_reprojected(tmp_path, crs, suffix):
    step = Transformer.from_crs(32618, crs, always_xy=True)
    moved = shapely.transform(SQUARE.segmentize(10), lambda p: np.column_stack(step.transform(p[:, 0], p[:, 1])))
    area = area_of(write(tmp_path / f"area.{suffix}", [moved], crs, "Polygon"))
    expected = np.zeros((200, 300), bool)
    expected[50:100, 50:150] = True
    assert (area.rasterize_rows(0, 200) != expected).sum() <= 4  # GeoJSON keeps seven decimals


def test_files_without_polygons_are_refused(tmp_path):
    with pytest.raises(VectorError, match="does not exist"):
        area_of(tmp_path / "none.gpkg")
    (tmp_path / "text.gpkg").write_text("text")
    with pytest.raises(VectorError, match="cannot be read"):
        area_of(tmp_path / "text.gpkg")
    with pytest.raises(VectorError, match="holds points, but polygons are needed"):
        area_of(write(tmp_path / "points.gpkg", [shapely.Point(5e5, 4e6)], kind="Point"))
    with pytest.raises(ParameterError, match="do not touch"):
        area_of(write(tmp_path / "far.gpkg", [shapely.box(0, 0, 1, 1)]))


def test_coordinates_that_contradict_their_crs_are_refused_with_the_likely_one(tmp_path):
    metres = write_geojson(tmp_path / "metres.geojson", shapely.geometry.mapping(SQUARE))
    with pytest.raises(VectorError, match=r"no degrees.*fit EPSG:32618"):
        area_of(metres)
    degrees = write(tmp_path / "degrees.gpkg", [shapely.box(-75, 36.142, -74.99, 36.143)], "EPSG:32618")
    with pytest.raises(ParameterError, match="fit EPSG:4326, but its CRS is EPSG:32618"):
        area_of(degrees)
    swapped = write(tmp_path / "swapped.gpkg", [shapely.box(36.142, -75, 36.143, -74.99)], "EPSG:4326")
    with pytest.raises(ParameterError, match="x and y swapped"):
        area_of(swapped)


def test_a_missing_crs_is_assumed_only_where_the_coordinates_fit(tmp_path):
    context = RunContext()
    assert len(area_of(write(tmp_path / "plain.shp", [SQUARE], None), context=context).polygons) == 1
    assert context.warnings == ["plain.shp has no CRS: EPSG:32618 of image.tif is assumed."]
    with pytest.raises(VectorError, match=r"no CRS.*fit EPSG:4326"):
        area_of(write(tmp_path / "degrees.shp", [shapely.box(-75, 36.142, -74.99, 36.143)], None))
    image = Grid(None, Affine.identity(), 300, 200, 1.0)
    assert (
        len(
            area_of(
                write_geojson(tmp_path / "pixels.geojson", shapely.geometry.mapping(shapely.box(10, 10, 300, 90))),
                image,
            ).polygons
        )
        == 1
    )


def test_features_keep_their_ids(tmp_path):
    lines = [None, shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]]), shapely.LineString([(4, 4), (5, 5)])]
    path = write(tmp_path / "lines.gpkg", lines, layer_options={"SPATIAL_INDEX": "NO"})
    layer = read_vector_layer(path, context=RunContext()).select((1,), RunContext())
    assert layer.ids.tolist() == [2, 2, 3]
    assert shapely.length(layer.geometry) == pytest.approx([2**0.5] * 3)


def test_other_geometries_are_named(tmp_path):
    collection = shapely.GeometryCollection([shapely.Point(1, 1), shapely.LineString([(0, 0), (1, 0)])])
    context = RunContext()
    layer = read_vector_layer(write(tmp_path / "mixed.gpkg", [collection, SQUARE]), context=context)
    assert shapely.length(layer.select((1,), context).geometry).tolist() == [1.0]
    assert context.warnings == ["1 points, 1 polygons of mixed.gpkg are left out: only lines count."]
    with pytest.raises(VectorError, match="holds 1 points, 1 lines, 1 polygons, but"):
        layer.select((), context)


def test_the_layer_that_was_taken_is_said(tmp_path):
    path = tmp_path / "town.gpkg"
    write(path, [shapely.Point(1, 1)], kind="Point", layer="stops")
    write(path, [], kind="LineString", layer="planned", append=True)
    write(path, [shapely.LineString([(0, 0), (1, 1)])], kind="LineString", layer="streets", append=True)
    reporter = RecordingReporter()
    layer = read_vector_layer(path, context=RunContext(reporter), dimensions=(1,), option="--update-layer")
    assert layer.name == "town.gpkg (layer streets)"
    assert [event.text for event in reporter.events] == [
        "town.gpkg has the layers planned, streets: streets is used; --update-layer selects another."
    ]
    with pytest.raises(VectorError, match=r"no layer none\. It has stops, planned, streets"):
        read_vector_layer(path, "none", context=RunContext())


def test_broken_geometries_are_left_out(tmp_path):
    good, broken = (
        {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        {"type": "LineString", "coordinates": [[0, 0]]},
    )
    context = RunContext()
    layer = read_vector_layer(write_geojson(tmp_path / "a.geojson", good, broken), context=context)
    assert layer.bounds == (0, 0, 1, 1)
    assert context.warnings == ["1 features of a.geojson have geometries that cannot be read; they are left out."]


def test_layers_in_degrees_are_measured_in_metres(tmp_path):
    path = write(tmp_path / "line.geojson", [shapely.LineString([(10.0, 60.0), (10.0, 60.01)])], "EPSG:4326")
    layer = read_vector_layer(path, context=RunContext())
    assert build_network(layer.to_crs(make_metric_crs(layer.crs, layer.bounds))).length.sum() == pytest.approx(
        1114.2, abs=0.5
    )


def test_bounds_of_a_turned_raster():
    reference = make_reference("a.tif", None, Affine.rotation(45), (10, 10))
    assert reference.bounds == pytest.approx((-7.071, 0, 7.071, 14.142), abs=1e-3)
