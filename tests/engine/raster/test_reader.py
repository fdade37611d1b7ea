"""Bands, masks, stretches and resampling compared with plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.engine.raster.area import Area
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.contrast import Stretch
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.grid import make_grid
from terraspore.engine.raster.reader import ImageView, read_strips
from terraspore.engine.raster.stretch import estimate_stretch
from terraspore.engine.tiling import make_plan

RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def look(path, *, needed=3, bands=None, stretch=True, resolution=None, dtype="uint8", area=None):
    """All pixels of the view and their mask (None: all valid)."""
    with open_source(path) as source:
        grid = source.make_grid(resolution)
        chosen = choose_bands(source, bands, needed)
        view = ImageView(source, grid, chosen, estimate_stretch(source, chosen) if stretch else None, dtype, area=area)
        out = np.empty((chosen.layers, grid.height, grid.width), dtype)
        valid = view.read(0, 0, grid.width, grid.height, out)
    return out, valid


def random_pixels(bands=3, rows=40, columns=50, dtype=np.uint8, seed=1):
    return np.random.default_rng(seed).integers(1, 200, (bands, rows, columns)).astype(dtype)


def test_normal_image_is_not_stretched(make_raster):
    pixels = random_pixels()
    seen, valid = look(make_raster(pixels))
    np.testing.assert_array_equal(seen, pixels)
    assert valid is None


def test_nodata_is_invalid_where_all_bands_have_it(make_raster):
    pixels = random_pixels()
    pixels[:, 3, 4] = 0
    pixels[0, 5, 6] = 0  # black in one band only is a color
    _, valid = look(make_raster(pixels, nodata=0))
    assert not valid[3, 4]
    assert valid.sum() == valid.size - 1


def test_mask_band(make_raster):
    pixels = random_pixels()
    mask = np.full(pixels.shape[1:], 255, np.uint8)
    mask[10:20, 5:] = 0
    seen, valid = look(make_raster(pixels, mask=mask))
    np.testing.assert_array_equal(valid, mask > 0)
    assert (seen[:, ~valid] == 0).all()


def test_alpha_band(make_raster):
    pixels = random_pixels(4)
    pixels[3] = 255
    pixels[3, :7] = 0
    seen, valid = look(make_raster(pixels, colorinterp=RGBA))
    np.testing.assert_array_equal(valid, pixels[3] > 0)
    assert len(seen) == 3


def test_bands_are_chosen_by_color_interpretation(make_raster):
    pixels = random_pixels()
    seen, _ = look(make_raster(pixels, colorinterp=(ColorInterp.blue, ColorInterp.green, ColorInterp.red)))
    np.testing.assert_array_equal(seen, pixels[::-1])


def test_palette_becomes_rgb(make_raster):
    indices = np.random.default_rng(0).integers(0, 4, (1, 20, 30), dtype=np.uint8)
    table = {0: (10, 20, 30, 255), 1: (200, 0, 7, 255), 2: (1, 2, 3, 255), 3: (9, 9, 9, 0)}
    seen, valid = look(make_raster(indices, "image.png", driver="PNG", colormap=table))
    np.testing.assert_array_equal(valid, indices[0] != 3)
    expected = np.array([table[i][:3] for i in range(4)], np.uint8)[indices[0]]
    expected[indices[0] == 3] = 0
    np.testing.assert_array_equal(np.moveaxis(seen, 0, -1), expected)


def test_cmyk_becomes_rgb(make_raster):
    inks = np.zeros((4, 5, 6), np.uint8)
    inks[:, 0, 0] = (255, 0, 0, 0)
    inks[:, 0, 1] = (0, 0, 0, 255)
    inks[:, 0, 2] = (0, 100, 200, 55)
    seen, _ = look(make_raster(inks, photometric="CMYK"))
    assert seen[:, 0, 0].tolist() == [0, 255, 255]
    assert seen[:, 0, 1].tolist() == [0, 0, 0]
    assert seen[:, 0, 2] == pytest.approx([200, 155 * 200 / 255, 55 * 200 / 255], abs=1)
    assert seen[:, 4, 4].tolist() == [255, 255, 255]


def test_too_few_bands_and_wrong_bands_are_refused(make_raster):
    path = make_raster(random_pixels(3))
    with pytest.raises(SourceError, match="takes 4 bands"):
        look(path, needed=4)
    with pytest.raises(ParameterError, match="no band 4"):
        look(path, bands=(1, 2, 4))
    with pytest.raises(ParameterError, match="--bands names 2"):
        look(path, bands=(1, 2))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32", "float64"])
def test_other_types_are_stretched_from_their_percentiles(make_raster, dtype):
    pixels = (random_pixels(1, 100, 100).astype(float) * 37 - 3000 * (dtype != "uint16")).astype(dtype)
    seen, _ = look(make_raster(pixels), needed=1)
    low, high = np.percentile(pixels, (2, 98))
    expected = np.clip((pixels.astype(float) - low) / (high - low) * 255, 0, 255)
    assert np.abs(seen.astype(float) - expected).max() <= 0.51


def test_low_contrast_uint8_is_stretched_without_nodata(make_raster):
    pixels = (random_pixels(1, 60, 60) % 20 + 100).astype(np.uint8)
    pixels[:, :30] = 255
    seen, valid = look(make_raster(pixels, nodata=255), needed=1)
    assert seen[0][valid].min() == 0
    assert seen[0][valid].max() == 255


def test_nan_and_infinity(make_raster):
    pixels = random_pixels(2, dtype=np.float32)
    pixels[:, :10] = np.nan
    pixels[0, 20, 20] = np.nan
    pixels[1, 21, 21] = np.inf
    seen, valid = look(make_raster(pixels), needed=2)
    assert not valid[:10].any()
    assert valid[10:].all()
    assert seen[0, 20, 20] == 0
    assert seen[1, 21, 21] == 255
    raw, _ = look(make_raster(pixels, nodata=np.nan), needed=2, stretch=False, dtype="float32")
    assert np.isfinite(raw).all()


@pytest.mark.parametrize("count", [1, 2, 49, 50, 51, 101, 1003])
def test_percentiles_of_uint8_equal_numpy(make_raster, count):
    values = np.random.default_rng(count).integers(100, 130, (1, 1, count), np.uint8)
    with open_source(make_raster(values)) as source:
        stretch = estimate_stretch(source, choose_bands(source, None, 1))
    low, high = np.percentile(values, (2, 98))
    assert stretch.low == pytest.approx((low,))
    assert stretch.high == pytest.approx((max(high, low),), abs=1e-6)


def test_image_without_a_valid_pixel(make_raster):
    pixels = np.full((1, 30, 30), -9999, np.int16)
    seen, valid = look(make_raster(pixels, nodata=-9999), needed=1)
    assert not valid.any()
    assert not seen.any()


def test_one_bit_image(make_raster):
    bits = np.random.default_rng(0).integers(0, 2, (1, 40, 40), dtype=np.uint8)
    seen, _ = look(make_raster(bits, nbits=1), needed=1)
    np.testing.assert_array_equal(seen[0], bits[0] * 255)


def test_stretch_of_a_large_image_samples_all_of_it(make_raster):
    rows = np.linspace(0, 60000, 2100).astype(np.uint16)
    pixels = np.repeat(rows[:, None], 2100, axis=1)[None]
    for overviews in (None, [2, 4]):
        with open_source(make_raster(pixels, tiled=True, overviews=overviews)) as source:
            stretch = estimate_stretch(source, choose_bands(source, None, 1))
        assert stretch.low[0] < 6000
        assert stretch.high[0] > 54000


@pytest.mark.parametrize("factor", [2, 3])
def test_finer_images_are_averaged(make_raster, factor):
    pixels = random_pixels(1, 60, 90)
    seen, _ = look(
        make_raster(pixels, transform=Affine(1 / factor, 0, 5e5, 0, -1 / factor, 4e6)), needed=1, resolution=1
    )
    blocks = pixels[0].reshape(60 // factor, factor, 90 // factor, factor).mean(axis=(1, 3))
    assert np.abs(seen[0] - blocks).max() <= 0.51


def test_average_ignores_nodata(make_raster):
    pixels = np.full((1, 20, 20), 100, np.uint8)
    pixels[0, 0, 0] = 0
    pixels[0, 4:8, 4:8] = 0
    path = make_raster(pixels, nodata=0, transform=Affine(0.5, 0, 5e5, 0, -0.5, 4e6))
    seen, valid = look(path, needed=1, resolution=1, stretch=False)
    assert seen[0, 0, 0] == 100
    assert not valid[2:4, 2:4].any()
    assert valid.sum() == 96


def test_coarser_images_are_interpolated(make_raster):
    ramp = np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None], 20, axis=0)[None]
    seen, _ = look(make_raster(ramp, transform=Affine(2, 0, 5e5, 0, -2, 4e6)), needed=1, resolution=1, stretch=False)
    assert seen.shape == (1, 40, 40)
    assert (np.diff(seen[0, 5].astype(int)) >= 0).all()
    assert np.abs(np.diff(seen[0, 5, 2:-2].astype(int))).max() <= 6


@settings(max_examples=25)
@given(
    rows=st.integers(1, 130),
    columns=st.integers(1, 130),
    tile=st.integers(2, 60),
    resolution=st.sampled_from([0.6, 1.0, 2.0]),
    blocks=st.booleans(),
)
def test_strips_equal_one_read_of_everything(make_raster, *, rows, columns, tile, resolution, blocks):
    pixels = random_pixels(2, rows, columns)
    if resolution == 1.0:  # where it is resampled, pixels that are exactly half nodata may go either way
        pixels[:, rows // 2 :, columns // 2 :] = 255
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 32} if blocks else {}
    path = make_raster(pixels, nodata=255, **layout)
    whole, mask = look(path, needed=2, stretch=False, resolution=resolution)
    mask = np.ones(whole.shape[1:], bool) if mask is None else mask
    with open_source(path) as source:
        grid = make_grid(source.crs, source.transform, (columns, rows), source.pixel_size, resolution)
        view = ImageView(source, grid, choose_bands(source, None, 2), None, "uint8")
        plan = make_plan(grid.width, grid.height, tile, tile // 3)
        for strip in read_strips(view, plan):
            top = plan.rows.starts[strip.row]
            h, w = min(tile, grid.height), grid.width
            difference = np.abs(strip.pixels[:, :h, :w].astype(int) - whole[:, top : top + h])
            assert difference.max() <= (0 if resolution != 2.0 else 1)  # averages may be rounded the other way
            valid = np.ones((tile, max(tile, w)), bool) if strip.valid is None else strip.valid
            np.testing.assert_array_equal(valid[:h, :w], mask[top : top + h])
            if w < tile:  # reflected at the border
                np.testing.assert_array_equal(strip.pixels[:, :, w], strip.pixels[:, :, w - 1])


def test_area_masks_pixels_but_keeps_their_values(make_raster):
    pixels = random_pixels()
    area = Area(np.array([shapely.box(10, 5, 20, 15)]), 50)
    seen, valid = look(make_raster(pixels), area=area)
    expected = np.zeros((40, 50), bool)
    expected[5:15, 10:20] = True
    np.testing.assert_array_equal(valid, expected)
    np.testing.assert_array_equal(seen, pixels)


def test_error_of_a_damaged_file_names_the_rows(make_raster):
    path = make_raster(random_pixels(3, 600, 600), compress="deflate", tiled=True)
    with rasterio.open(path) as dataset:
        assert dataset.height == 600
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"Rows \d+ to \d+ .*cannot be read"):
        look(path, stretch=False)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e5), st.sampled_from(["uint8", "uint16", "int16", "float32"]))
def test_stretch_is_the_linear_map(low, span, dtype):
    stretch = Stretch((low,), (low + span,))
    info = np.iinfo(dtype) if dtype != "float32" else None
    values = np.linspace(info.min if info else -2e4, info.max if info else 2e5, 999).astype(dtype)[None, None]
    out = np.empty(values.shape, np.uint8)
    stretch.apply(values, out)
    expected = np.clip((values.astype(float) - low) / span * 255, 0, 255)
    tolerance = 0.51 + 255 * 0.02 / span  # float32 holds values of 1e5 to 0.01
    assert np.abs(out - expected).max() <= tolerance
