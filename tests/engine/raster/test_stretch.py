"""The stretch of an image to the contrast of a model's training images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.contrast import Contrast, Stretch, match_contrast
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.stretch import estimate_stretch

CONTRAST = Contrast((15.0, 20.0, 14.0), (182.0, 180.0, 172.0), (8.0, 8.0, 8.0), (30.0, 30.0, 30.0))
#: Without a deviation every image is stretched.
EXACT = replace(CONTRAST, low_deviation=(0.0,) * 3, high_deviation=(0.0,) * 3)


@pytest.fixture
def match(make_raster):
    """Stretches pixels (3, H, W) as an image; returns the result and the stretch."""

    def match(pixels, contrast=EXACT):
        with open_source(make_raster(pixels)) as source:
            stretch = estimate_stretch(source, choose_bands(source, None, 3), contrast)
        out = np.empty(pixels.shape, np.uint8)
        stretch.apply(pixels, out)
        return out, stretch

    return match


def make_image(low, high, dtype=np.uint8, size=120):
    """Values (3, size, size) that are uniform between ``low`` and ``high``, other ones in each band."""
    generator = np.random.default_rng(0)
    return generator.uniform(low, high, (3, size, size)).astype(dtype)


def percentiles(image):
    return np.percentile(image.reshape(3, -1), (2, 98), axis=1)


@pytest.mark.parametrize(("low", "high", "dtype"), [(60, 130, np.uint8), (0, 255, np.uint8), (300, 2900, np.uint16)])
def test_percentiles_become_those_of_the_training(match, low, high, dtype):
    matched, _ = match(make_image(low, high, dtype))
    np.testing.assert_allclose(percentiles(matched), [CONTRAST.low, CONTRAST.high], atol=2.5)


@pytest.mark.parametrize(
    ("low", "high", "low_becomes", "high_becomes"), [(50, 130, 19, 167), (18, 130, 18, 167), (4, 250, 11, 197)]
)
def test_8_bit_percentiles_move_as_far_as_they_are_unusual(match, low, high, low_becomes, high_becomes):
    margin = (high - low) / 48  # 2 % at either end
    image = make_image(max(low - margin, 0), min(high + margin, 255))
    band = percentiles(match(image, CONTRAST)[0])[:, 0]
    np.testing.assert_allclose(band, [low_becomes, high_becomes], atol=3)


def test_usual_images_keep_their_values(make_raster):
    for image, is_kept in ((make_image(14, 180), True), (make_image(14, 130), False)):
        with open_source(make_raster(image)) as source:
            stretch = estimate_stretch(source, choose_bands(source, None, 3), CONTRAST)
        assert (stretch is None) == is_kept
        matched = match_contrast(image, CONTRAST)
        assert np.array_equal(matched, image) == is_kept
        if stretch is not None:
            expected = np.empty_like(image)
            stretch.apply(image, expected)
            np.testing.assert_array_equal(matched, expected)
            assert stretch.is_notable


def test_gain_is_limited_unless_there_is_hardly_any_contrast(match):
    wide = replace(EXACT, low=(0.0,) * 3, high=(250.0,) * 3)
    image = make_image(60, 140)
    matched, _ = match(image, wide)
    assert np.ptp(percentiles(matched), axis=0).max() == pytest.approx(
        2.5 * np.ptp(percentiles(image), axis=0).max(), abs=3
    )
    assert matched.mean() == pytest.approx(125, abs=4)
    np.testing.assert_allclose(percentiles(match(make_image(60, 90), wide)[0]), [wide.low, wide.high], atol=9)


@pytest.mark.parametrize("blank", [0, 255])
def test_borders_without_image_do_not_count(match, blank):
    image = make_image(60, 130)
    framed = np.full((3, 240, 240), blank, np.uint8)
    framed[:, 60:180, 60:180] = image
    np.testing.assert_array_equal(match(framed)[0][:, 60:180, 60:180], match(image)[0])


def test_image_of_one_value_stays_one(match, make_raster):
    for value in (0, 7, 255):
        image = np.full((3, 40, 40), value, np.uint8)
        with open_source(make_raster(image)) as source:
            assert estimate_stretch(source, choose_bands(source, None, 3), EXACT) is None
        assert np.ptp(match(image.astype(np.uint16))[0], axis=(1, 2)).max() == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_as_large_as_the_type_allows_are_clipped(match, dtype):
    largest = np.finfo(dtype).max / 4
    for share in (0.5, 0.01):  # of the image, so that percentiles are among them, or not
        image = make_image(0, 1, dtype)
        count = int(share * image[0].size)
        image.reshape(3, -1)[:, :count] = largest
        image.reshape(3, -1)[:, -count:] = -largest
        matched, _ = match(image)
        assert (matched.reshape(3, -1)[:, :count] >= np.array([[182], [180], [172]]) - 1).all()
        assert (matched.reshape(3, -1)[:, -count:] <= np.array([[15], [20], [14]]) + 1).all()


def test_band_without_values_does_not_change_the_others(match):
    image = make_image(0, 3000, np.float32)
    expected = match(image)[0]
    image[0] = np.nan
    matched, _ = match(image)
    np.testing.assert_array_equal(matched[1:], expected[1:])
    assert not matched[0].any()


def test_8_bit_values_are_looked_up_as_they_would_be_computed():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(2, axis=0)
    stretch, looked_up, computed = Stretch((-31.7, 40.2), (290.4, 90.9)), *np.empty((2, 2, 16, 16), np.uint8)
    stretch.apply(values, looked_up)
    stretch.apply(values.astype(np.float32), computed)
    np.testing.assert_array_equal(looked_up, computed)
    expected = (values[0].astype(float) + 31.7) / (290.4 + 31.7) * 255
    assert np.abs(looked_up[0] - expected).max() <= 0.51
    assert looked_up[1].min() == 0
    assert looked_up[1].max() == 255


def test_single_band_gets_the_mean_of_the_contrast(make_raster):
    with open_source(make_raster(make_image(60, 130)[:1])) as source:
        stretch = estimate_stretch(source, choose_bands(source, None, 3), EXACT)
    low, high = stretch.low[0], stretch.high[0]
    limits = [(value - low) / (high - low) * 255 for value in (61.4, 128.6)]
    assert limits == pytest.approx([np.mean(CONTRAST.low), np.mean(CONTRAST.high)], abs=3)


def test_without_a_contrast_good_8_bit_imagery_is_used_as_it_is(make_raster):
    for high, is_used in ((130, True), (110, False)):
        with open_source(make_raster(make_image(60, high))) as source:
            assert (estimate_stretch(source, choose_bands(source, None, 3)) is None) == is_used


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_image_stays_grey_in_three_bands(match, dtype):
    band = make_image(60, 130, dtype)[:1]
    matched, stretch = match(band.repeat(3, axis=0))
    single, alone = match(band)
    np.testing.assert_array_equal(matched, single.repeat(3, axis=0))
    assert stretch.low == alone.low * 3
