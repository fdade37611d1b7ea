from __future__ import annotations

import math

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.errors import ParameterError
from terraspore.engine.raster.grid import crop_to_extent, make_grid

turned = st.builds(
    lambda turn, sx, sy, flip: (
        Affine.translation(3e5, 5e6) @ Affine.rotation(turn) @ Affine.scale(sx, -sy if flip else sy)
    ),
    st.floats(0, 360),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.booleans(),
)


@given(turned, st.integers(1, 5000), st.integers(1, 5000), st.floats(0.2, 5))
def test_grid_has_the_footprint_of_the_source(transform, width, height, resolution):
    pixel = (math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e))
    grid = make_grid(None, transform, (width, height), pixel, resolution)
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        expected = transform @ (x * width, y * height)
        assert grid.transform @ (x * grid.width, y * grid.height) == pytest.approx(expected, abs=1e-3)


@given(st.integers(200, 5000), st.floats(0.1, 5), st.floats(0.2, 5))
def test_pixels_have_the_requested_resolution(size, pixel, resolution):
    grid = make_grid(None, Affine(pixel, 0, 0, 0, -pixel, 0), (size, size), (pixel, pixel), resolution)
    if abs(pixel / resolution - 1) <= 0.05:
        assert grid.is_native
    elif grid.width >= 50:
        assert grid.resolution == pytest.approx(resolution, rel=0.5 / grid.width * 1.01)


def test_axes_snap_independently():
    grid = make_grid(None, Affine(1.03, 0, 0, 0, -0.5, 0), (1000, 1000), (1.03, 0.5), 1.0)
    assert (grid.width, grid.height) == (1000, 500)
    assert grid.scale == (1.0, 2.0)


def test_no_resolution_keeps_the_pixels():
    assert make_grid(None, Affine.scale(7), (10, 20), (7, 7), None).is_native


@given(turned, st.floats(0.5, 3), st.data())
def test_extent_is_covered_by_whole_pixels_of_the_same_grid(transform, resolution, data):
    pixel = (math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e))
    whole = make_grid(None, transform, (1000, 800), pixel, resolution)
    x, y = transform @ (data.draw(st.floats(100, 900)), data.draw(st.floats(100, 700)))
    size = data.draw(st.floats(1, 30))
    part = crop_to_extent(whole, (x, y, x + size, y + size))
    shift = ~whole.transform @ part.transform
    assert shift.a == pytest.approx(1)
    assert shift.c == pytest.approx(round(shift.c), abs=1e-4)
    assert shift.f == pytest.approx(round(shift.f), abs=1e-4)
    assert part.offset == (round(shift.c), round(shift.f))
    for corner in ((x, y), (x + size, y), (x, y + size), (x + size, y + size)):
        column, row = ~part.transform @ corner
        outside = ~whole.transform @ corner
        if 0 <= outside[0] <= whole.width and 0 <= outside[1] <= whole.height:
            assert -1e-4 <= column <= part.width + 1e-4
            assert -1e-4 <= row <= part.height + 1e-4


def test_source_window_of_a_cropped_grid():
    whole = make_grid(None, Affine(0.5, 0, 0, 0, -0.5, 0), (1000, 1000), (0.5, 0.5), 1.0)
    part = crop_to_extent(whole, (100, -200, 150, -100))
    window = part.source_window(0, 0, part.width, part.height)
    assert (window.col_off, window.row_off, window.width, window.height) == (200, 200, 100, 200)


@pytest.mark.parametrize("extent", [(5, 0, 5, 10), (0, 0, math.nan, 1), (9e5, 0, 9.1e5, 10)])
def test_extents_without_pixels_are_refused(extent):
    whole = make_grid(None, Affine(1, 0, 0, 0, -1, 100), (100, 100), (1, 1), 1.0)
    with pytest.raises(ParameterError, match="extent"):
        crop_to_extent(whole, extent)


@pytest.mark.parametrize("resolution", [0, -1, math.nan, 1e-9])
def test_invalid_resolutions_are_refused(resolution):
    with pytest.raises(ParameterError):
        make_grid(None, Affine.scale(1), (100, 100), (1, 1), resolution)
