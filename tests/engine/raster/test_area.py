from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from terraspore.engine.raster.area import Area, make_area
from terraspore.engine.raster.grid import Grid
from terraspore.engine.tiling import make_plan

GRID = Grid(CRS.from_epsg(32618), Affine(2, 0, 500_000, 0, -2, 4_000_000), 300, 200, 2.0)


def test_grid_is_cropped_to_the_polygons_and_a_margin():
    area = make_area(np.array([shapely.box(500_100, 3_999_800, 500_300, 3_999_900), shapely.box(0, 0, 1, 1)]), GRID)
    expected = np.zeros((200, 300), bool)
    expected[50:100, 50:150] = True
    np.testing.assert_array_equal(area.rasterize_rows(0, 200), expected)
    np.testing.assert_array_equal(area.rasterize_rows(60, 70), expected[60:70])
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
