from __future__ import annotations

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from terraspore.engine.errors import ParameterError, VectorError
from terraspore.engine.raster.area import Area, read_area
from terraspore.engine.raster.grid import Grid
from terraspore.engine.tiling.layout import make_plan

GRID = Grid(CRS.from_epsg(32618), Affine(2, 0, 500_000, 0, -2, 4_000_000), 300, 200, 2.0)


def write(path, shapes, crs="EPSG:32618", kind="Polygon"):
    pyogrio.raw.write(path, shapely.to_wkb(shapes), [], [], geometry_type=kind, crs=crs)
    return path


@pytest.mark.parametrize(
    ("crs", "suffix"), [("EPSG:32618", "gpkg"), ("EPSG:3857", "gpkg"), ("EPSG:4326", "gpkg"), ("EPSG:4326", "geojson")]
)
def test_polygons_are_reprojected(tmp_path, crs, suffix):
    square = shapely.box(500_100, 3_999_800, 500_300, 3_999_900)
    step = Transformer.from_crs(32618, crs, always_xy=True)
    moved = shapely.transform(square.segmentize(10), lambda p: np.column_stack(step.transform(p[:, 0], p[:, 1])))
    area = read_area(write(tmp_path / f"area.{suffix}", [moved], crs), GRID)
    expected = np.zeros((200, 300), bool)
    expected[50:100, 50:150] = True
    assert (area.rasterize_rows(0, 200) != expected).sum() <= 4  # GeoJSON keeps seven decimals
    np.testing.assert_array_equal(area.rasterize_rows(60, 70), area.rasterize_rows(0, 200)[60:70])


def test_grid_is_cropped_to_the_polygons_and_a_margin(tmp_path):
    area = read_area(write(tmp_path / "a.gpkg", [shapely.box(500_100, 3_999_800, 500_300, 3_999_900)]), GRID)
    part = area.crop_grid(GRID, 10)
    assert (part.width, part.height, part.offset) == (120, 70, (40, 40))
    moved = area.shift_to(GRID, part)
    np.testing.assert_array_equal(moved.rasterize_rows(0, 70), area.rasterize_rows(40, 110)[:, 40:160])


@given(st.lists(st.tuples(st.floats(0, 270), st.floats(0, 170), st.floats(1, 30)), min_size=1, max_size=6))
def test_tiles_with_a_pixel_inside_are_counted(squares):
    area = Area(np.array([shapely.box(x, y, x + size, y + size) for x, y, size in squares]), 300)
    plan = make_plan(300, 200, 64, 16)
    mask = area.rasterize_rows(0, 200)
    exact = 0
    for row in range(plan.rows.count):
        for column in range(plan.columns.count):
            (y0, y1), (x0, x1) = plan.rows.active_range(row), plan.columns.active_range(column)
            exact += mask[y0:y1, x0:x1].any()
    assert exact <= area.count_tiles(plan) <= plan.count


def test_files_without_polygons_are_refused(tmp_path):
    with pytest.raises(VectorError, match="does not exist"):
        read_area(tmp_path / "none.gpkg", GRID)
    (tmp_path / "text.gpkg").write_text("text")
    with pytest.raises(VectorError, match="cannot be read"):
        read_area(tmp_path / "text.gpkg", GRID)
    with pytest.raises(VectorError, match="no polygons"):
        read_area(write(tmp_path / "points.gpkg", [shapely.Point(5e5, 4e6)], kind="Point"), GRID)
    with pytest.raises(ParameterError, match="do not touch"):
        read_area(write(tmp_path / "far.gpkg", [shapely.box(0, 0, 1, 1)]), GRID)
