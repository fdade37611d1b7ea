"""True pixel sizes against the ellipsoid's own formulas (WGS 84)."""

from __future__ import annotations

import math

import pytest
from affine import Affine
from pyproj import CRS, Transformer
from terraspore.engine.errors import SourceError
from terraspore.engine.raster.georeferencing import measure_ground_resolution

A, F = 6378137.0, 1 / 298.257223563
E2 = F * (2 - F)


def radii(latitude):
    """Radii of curvature east-west and north-south at a latitude in degrees."""
    w = math.sqrt(1 - E2 * math.sin(math.radians(latitude)) ** 2)
    return A / w, A * (1 - E2) / w**3


def wkt(code):
    return CRS.from_user_input(code).to_wkt()


@pytest.mark.parametrize("latitude", [0, 40, -52, 70])
def test_degrees_are_converted_to_metres(latitude):
    across, along = radii(latitude)
    step = 1e-5
    transform = Affine(step, 0, 11 - 500 * step, 0, -step, latitude + 500 * step)
    width, height = measure_ground_resolution(wkt("EPSG:4326"), transform, 1000, 1000, "x")
    assert width == pytest.approx(across * math.cos(math.radians(latitude)) * math.radians(step), rel=1e-6)
    assert height == pytest.approx(along * math.radians(step), rel=1e-6)


@pytest.mark.parametrize("latitude", [0, 40, -52, 70])
def test_web_mercator_metres_are_not_metres(latitude):
    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(7.0, latitude)
    across, along = radii(latitude)
    shrink = math.cos(math.radians(latitude)) / A
    width, height = measure_ground_resolution(wkt("EPSG:3857"), Affine(0.5, 0, x - 50, 0, -0.5, y + 50), 200, 200, "x")
    assert width == pytest.approx(0.5 * across * shrink, rel=1e-5)
    assert height == pytest.approx(0.5 * along * shrink, rel=1e-5)


def test_rotation_and_mirroring_do_not_change_the_size():
    center = Affine.translation(500_000, 4_650_000)  # on UTM's central meridian, scale 0.9996
    for turn in (0, 30, 90, 211):
        for flip in (1, -1):
            transform = center @ Affine.rotation(turn) @ Affine.scale(2.0, 3.0 * flip) @ Affine.translation(-50, -50)
            width, height = measure_ground_resolution(wkt("EPSG:32618"), transform, 100, 100, "x")
            assert width == pytest.approx(2.0 / 0.9996, rel=1e-5)
            assert height == pytest.approx(3.0 / 0.9996, rel=1e-5)


def test_feet_are_converted_to_metres():
    transform = Affine(1, 0, 775_000, 0, -1, 2_956_000)  # Massachusetts mainland in US survey feet, near Boston
    width, height = measure_ground_resolution(wkt("EPSG:2249"), transform, 10, 10, "x")
    assert width == pytest.approx(1200 / 3937, rel=2e-4)
    assert height == pytest.approx(1200 / 3937, rel=2e-4)


def test_without_coordinate_system_units_are_metres():
    assert measure_ground_resolution(None, Affine(0.3, 0, 0, 0, -0.4, 0), 10, 10, "x") == pytest.approx((0.3, 0.4))


@pytest.mark.parametrize(
    ("code", "transform"),
    [
        ("EPSG:4326", Affine(1, 0, 500_000, 0, -1, 4_000_000)),  # metres declared as degrees
        ("EPSG:32618", Affine(1, 0, 1e12, 0, -1, 1e12)),
        ("EPSG:32618", Affine(0, 0, 1e5, 0, 0, 1e5)),
    ],
)
def test_positions_outside_the_coordinate_system_are_refused(code, transform):
    with pytest.raises(SourceError, match=r"image\.tif"):
        measure_ground_resolution(wkt(code), transform, 10, 10, "image.tif")
