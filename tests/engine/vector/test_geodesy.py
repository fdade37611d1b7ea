"""Lengths and areas of pixels against pyproj's geodesics."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Geod, Transformer
from terraspore.engine.errors import SourceError
from terraspore.engine.vector.geodesy import PixelGeodesy

GEOD = Geod(ellps="WGS84")
#: Pixels of half a metre in UTM, rotated.
ROTATED = Affine(0.4, 0.3, 500_000.0, 0.3, -0.4, 5_800_000.0)


def test_lengths_are_metres_on_the_ellipsoid() -> None:
    geodesy = PixelGeodesy("EPSG:4326", Affine(0.001, 0.0, 10.0, 0.0, -0.001, 60.0))
    lengths = geodesy.segment_lengths(geodesy.to_crs(np.array([[0.0, 0.0], [5.0, 0.0], [5.0, 7.0]])))
    expected = [GEOD.inv(10.0, 60.0, 10.005, 60.0)[2], GEOD.inv(10.005, 60.0, 10.005, 59.993)[2]]
    assert lengths.tolist() == pytest.approx(expected)
    assert geodesy.segment_lengths(np.zeros((1, 2))).size == 0
    assert geodesy.is_metric


def test_areas_are_square_metres_on_the_ellipsoid() -> None:
    geodesy = PixelGeodesy("EPSG:32633", ROTATED)
    corners = geodesy.to_crs(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    to_degrees = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    area, _ = GEOD.polygon_area_perimeter(*to_degrees.transform(*corners.T))
    assert geodesy.pixel_area(np.array([[0.5, 0.5]]))[0] == pytest.approx(abs(area), rel=1e-4)
    assert geodesy.resolution((1, 1)) == pytest.approx(abs(area) ** 0.5, rel=1e-4)


def test_the_grid_measures_rings_anywhere_in_a_raster() -> None:
    geodesy = PixelGeodesy("EPSG:4326", Affine(0.001, 0.0, 10.0, 0.0, -0.001, 60.0))
    ring = np.array([[900, 10], [900, 700], [20, 650], [900, 10]], np.int32)
    area, length = geodesy.make_grid((1000, 1000)).measure_lines(ring, np.array([0, 4]), 1.0)
    # Long sides are straight in the raster, and not geodesics: compare with many short ones.
    line = shapely.segmentize(shapely.Polygon(geodesy.to_crs(ring.astype(float))), 0.001)
    expected_area, expected_length = GEOD.geometry_area_perimeter(line)
    assert abs(area[0]) == pytest.approx(abs(expected_area), rel=1e-4)
    steps = geodesy.segment_lengths(shapely.get_coordinates(line))
    assert steps.sum() == pytest.approx(expected_length, rel=1e-9)
    short = np.array([[500, 500], [503, 500], [503, 504]], np.int32)
    _, length = geodesy.make_grid((1000, 1000)).measure_lines(short, np.array([0, 3]), 1.0)
    assert length[0] == pytest.approx(geodesy.segment_lengths(geodesy.to_crs(short.astype(float))).sum(), rel=1e-5)


def test_units_are_metres_without_a_crs() -> None:
    geodesy = PixelGeodesy(None, Affine.scale(2.0))
    assert not geodesy.is_metric
    assert geodesy.segment_lengths(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [5.0]
    assert geodesy.resolution((10, 10)) == 2.0


@pytest.mark.parametrize("center", [(0.0, 0.0), (12_500.0, -12_500.0), (1e-6, 0.0), (-3e6, 2e6)])
def test_pixels_at_and_around_a_pole(center: tuple[float, float]) -> None:
    x, y = center
    geodesy = PixelGeodesy("EPSG:3413", Affine(25_000.0, 0.0, x - 50_000, 0.0, -25_000.0, y + 50_000))
    # The four corners of the central pixel, whose sides are cut so often that they are straight on the ellipsoid.
    ring = shapely.segmentize(shapely.box(1.5, 1.5, 2.5, 2.5), 0.01)
    to_degrees = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(*geodesy.to_crs(shapely.get_coordinates(ring)).T)
    expected = abs(GEOD.polygon_area_perimeter(lon, lat)[0])
    assert geodesy.resolution((4, 4)) == pytest.approx(expected**0.5, rel=1e-5)


def test_a_grid_over_the_whole_world() -> None:
    geodesy = PixelGeodesy("EPSG:4326", Affine(1.0, 0.0, -180.0, 0.0, -1.0, 90.0))
    ring = np.array([[0, 0], [360, 0], [360, 180], [0, 180], [0, 0]], np.int32)
    area, _ = geodesy.make_grid((180, 360)).measure_lines(ring, np.array([0, 5]), 1.0)
    assert abs(area[0]) == pytest.approx(5.10065622e14, rel=1e-4)


def test_a_position_outside_of_the_crs_is_refused() -> None:
    with pytest.raises(SourceError, match="within the area of its CRS"):
        PixelGeodesy("EPSG:32633", Affine(1.0, 0.0, 1e9, 0.0, -1.0, 1e9)).resolution((10, 10))


def test_rows_of_the_grid_measure_like_the_whole() -> None:
    geodesy, shape = PixelGeodesy("EPSG:32632", Affine(3.0, 0.1, 600000.0, 0.2, -3.0, 5400000.0)), (2900, 1100)
    rng = np.random.default_rng(1)
    for first, last in ((0, 700), (700, 1500), (1024, 2048), (2500, 2900)):
        points = np.column_stack((rng.integers(0, 1101, 200), rng.integers(first, last + 1, 200))).astype(np.int32)
        points[:2] = (0, first), (1100, last)
        whole = geodesy.make_grid(shape).measure_lines(points, np.array([0, 90, 200]), 1.0)
        grid = geodesy.make_grid(shape, (first, last))
        assert len(grid.values) < 9
        part = grid.measure_lines(points, np.array([0, 90, 200]), 1.0)
        assert [values.tolist() for values in part] == [values.tolist() for values in whole]


def test_measures_of_another_process_are_the_same_to_the_bit() -> None:
    """Workers get a pickled one, and pyproj pickles the ellipsoid with its flattening as text."""
    geodesy = PixelGeodesy("EPSG:26986", Affine(1.0, 0.0, 200_000.0, 0.0, -1.0, 900_000.0))
    copy = deepcopy(geodesy)  # by the functions that pickle uses, too
    np.testing.assert_array_equal(copy.make_grid((3000, 3000)).values, geodesy.make_grid((3000, 3000)).values)
