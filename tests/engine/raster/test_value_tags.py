"""Which alpha bands are honoured, and which values are noticed as nodata."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from raster_files import write_raster
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster.bands import Bands, read_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.value_tags import choose_value_tags

RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
NOISE = np.random.default_rng(1)
SIZE = 100


def soft_edges():
    """Three tenths of the rows transparent, and a tenth half transparent."""
    alpha = np.full((SIZE, SIZE), 255, np.uint8)
    alpha[:30] = 0
    alpha[30:40] = np.linspace(20, 240, 10).astype(np.uint8)[:, None]
    return alpha


def lossy():
    alpha = np.where(np.arange(SIZE)[:, None] < 30, 0, 255) * np.ones((1, SIZE), np.int64)
    return np.clip(alpha + NOISE.integers(-2, 3, alpha.shape), 0, 255).astype(np.uint8)


ALPHAS = {
    "soft edges of a mosaic": (soft_edges(), True),
    "lossy compression": (lossy(), True),
    "opaque everywhere": (np.full((SIZE, SIZE), 255, np.uint8), True),
    "half transparent everywhere": (np.full((SIZE, SIZE), 128, np.uint8), True),
    "vegetation": (NOISE.integers(90, 250, (SIZE, SIZE)).astype(np.uint8), False),
    "saturated vegetation": (np.clip(NOISE.normal(235, 25, (SIZE, SIZE)), 0, 255).astype(np.uint8), False),
    "transparent everywhere": (np.zeros((SIZE, SIZE), np.uint8), False),
}


@pytest.mark.parametrize("name", ALPHAS)
def test_alpha(tmp_path, name):
    alpha, is_alpha = ALPHAS[name]
    image = NOISE.integers(0, 255, (3, SIZE, SIZE)).astype(np.uint8)
    path = write_raster(tmp_path / "image.tif", np.concatenate([image, alpha[None]]), colorinterp=RGBA)
    with open_source(path) as source:
        assert (source.data_bands == (1, 2, 3)) == is_alpha
        assert choose_value_tags(source.file, path, None, ignore_alpha=True).is_alpha is False
        assert any(remark.level == "warning" for remark in source.remarks) == (not is_alpha)
        # Bands beside a false alpha are resampled without regard to it.
        _, valid = read_bands(source, Bands((1, 2, 3)), Window(0, 0, SIZE, SIZE), (SIZE // 2, SIZE // 2))
        assert is_alpha or valid is None


@pytest.mark.parametrize("overviews", [(), (2, 4)])
def test_pixels_under_an_ignored_alpha_are_resampled(tmp_path, overviews):
    pixels = np.full((4, SIZE, SIZE), 90, np.uint8)
    pixels[3] = np.where(np.arange(SIZE)[:, None] < 30, 0, 255)
    path = write_raster(tmp_path / "image.tif", pixels, colorinterp=RGBA, photometric="RGB", alpha="YES")
    if overviews:
        with rasterio.open(path, "r+") as file:
            file.build_overviews(overviews, Resampling.average)
    with open_source(path, ImageOptions(ignore_alpha=True)) as source:
        for size in (SIZE // 4, SIZE // 2, SIZE, SIZE * 2):
            shown, valid = read_bands(source, Bands((1, 2, 3)), Window(0, 0, SIZE, SIZE), (size, size))
            assert valid is None
            assert (shown == 90).all()


@pytest.mark.parametrize(
    ("values", "frame", "noticed"),
    [
        (np.uint16, 65535, True),
        (np.int16, -9999, True),
        (np.int16, -32768, True),
        (np.float32, -3.4028234663852886e38, True),
        (np.float32, 9.969209968386869e36, True),
        (np.uint16, 0, False),  # dark, perhaps: a person has to say so
        (np.uint16, 1500, False),
        (np.uint8, 255, False),
    ],
)
def test_nodata(tmp_path, values, frame, noticed):
    image = NOISE.integers(10, 200, (2, SIZE, SIZE)).astype(values)
    image[:, :20] = frame
    path = write_raster(tmp_path / "image.tif", image)
    with open_source(path) as source:
        assert source.dataset.nodata == (pytest.approx(frame) if noticed else None)
        _, valid = read_bands(source, Bands((1, 2)), Window(0, 0, SIZE, SIZE), (SIZE, SIZE))
        assert (0 if valid is None else int((~valid).sum())) == (20 * SIZE if noticed else 0)


def test_declared_nodata_is_not_second_guessed(tmp_path):
    image = NOISE.integers(10, 200, (1, SIZE, SIZE)).astype(np.int16)
    image[:, :20] = -9999
    with open_source(write_raster(tmp_path / "image.tif", image, nodata=-1)) as source:
        assert source.dataset.nodata == -1
        assert not source.remarks
    with open_source(tmp_path / "image.tif", ImageOptions(nodata=-9999)) as source:
        assert source.dataset.nodata == -9999
