"""A 1x1 convolution that passes a band through must give back that band exactly, through the whole chain."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.context import RunContext
from terraspore.engine.models.registry import find_model
from terraspore.engine.pipeline.landcover import extract_classes
from terraspore.engine.pipeline.request import ClassRequest, ImageRequest
from terraspore.engine.protocol.options import ImageOptions, OutputOptions, RuntimeOptions
from terraspore.engine.raster.probability import NODATA

ONNX = RuntimeOptions(device="cpu", runtime="onnxruntime", precision="float32", threads=1)


@pytest.fixture(scope="module")
def sessions():
    """Sessions of ONNX Runtime that stay open for all examples."""
    with CliContext().session_pool(capacity=2) as sessions:
        yield sessions


@pytest.fixture(scope="module")
def identity(make_model):
    """A model that passes the second of three bands through."""
    folder = make_model([[0.0, 1.0, 0.0]], task="segmentation")
    assert find_model(str(folder)).card.bands == 3
    return str(folder)


def run(image, target, model, sessions, **options):
    """The probability raster of ``image``."""
    image_request = ImageRequest(image, ImageOptions(model=model, **options), runtime=ONNX)
    request = ClassRequest(image_request, probability=target, writing=OutputOptions(overwrite=True))
    return extract_classes(request, "segmentation", sessions, RunContext())


def picture(rows, columns, seed=0):
    return np.random.default_rng(seed).integers(0, 250, (3, rows, columns), dtype=np.uint8)


@settings(max_examples=40)
@given(
    rows=st.integers(1, 150),
    columns=st.integers(1, 150),
    tile=st.sampled_from([1, 7, 32, 50, 64]),
    overlap=st.floats(0, 1),
    hole=st.booleans(),
)
def test_band_comes_back_exactly(make_raster, identity, sessions, *, rows, columns, tile, overlap, hole):
    pixels = picture(rows, columns, seed=rows * 200 + columns)
    if hole:
        pixels[:, rows // 3 : rows // 2 + 1, columns // 4 :] = 251
    image = make_raster(pixels, nodata=251 if hole else None)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions, tile=tile, overlap=int(overlap * (tile // 2)))
    with rasterio.open(target) as result, rasterio.open(image) as source:
        expected = np.where((pixels == 251).all(axis=0), NODATA, pixels[1])
        np.testing.assert_array_equal(result.read(1), expected)
        assert (result.width, result.height) == (source.width, source.height)
        assert result.transform == source.transform
        assert result.crs == source.crs
        np.testing.assert_array_equal(result.read_masks(1), source.dataset_mask())


@pytest.mark.parametrize(
    "transform",
    [
        Affine(1, 0, 500_000, 0, 1, 4_000_000),  # south up
        Affine(0.8, -0.6, 500_000, -0.6, -0.8, 4_000_000),  # rotated
        Affine(-1, 0, 500_000, 0, -1, 4_000_000),  # mirrored
    ],
)
def test_turned_images_keep_their_lattice(make_raster, identity, sessions, transform):
    pixels = picture(80, 70)
    image = make_raster(pixels, transform=transform)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions)
    with rasterio.open(target) as result:
        assert result.transform == transform
        np.testing.assert_array_equal(result.read(1), pixels[1])


def test_augmentation_of_a_pointwise_network_changes_nothing(make_raster, identity, sessions):
    pixels = picture(100, 90)
    image = make_raster(pixels)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions, tta=True)
    with rasterio.open(target) as result:
        np.testing.assert_array_equal(result.read(1), pixels[1])


def test_extent_is_a_part_of_the_same_lattice(make_raster, identity, sessions):
    pixels = picture(100, 90)
    image = make_raster(pixels)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions, extent=(500_010.2, 4_649_700.5, 500_050, 4_649_760))
    with rasterio.open(target) as result:
        np.testing.assert_array_equal(result.read(1), pixels[1, 16:76, 10:50])
        assert result.transform == Affine(1, 0, 500_010, 0, -1, 4_649_760)


def test_one_band_serves_for_all(make_raster, identity, sessions):
    pixels = picture(40, 40)[:1]
    image = make_raster(pixels)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions)
    with rasterio.open(target) as result:
        np.testing.assert_array_equal(result.read(1), pixels[0])


def test_bands_are_taken_in_the_order_asked_for(make_raster, identity, sessions):
    pixels = picture(40, 40)
    image = make_raster(pixels)
    target = image.with_name("probability.tif")
    run(image, target, identity, sessions, bands=(2, 3, 1))
    with rasterio.open(target) as result:
        np.testing.assert_array_equal(result.read(1), pixels[2])
