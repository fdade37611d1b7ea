from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio._err import CPLE_OutOfMemoryError
from rasterio.crs import CRS
from terraspore.engine.errors import OutOfMemoryError, OutputError
from terraspore.engine.raster.grid import Grid
from terraspore.engine.raster.probability import NODATA
from terraspore.engine.raster.writer import RowWriter, make_class_layout, make_probability_layout


def grid(width, height):
    return Grid(CRS.from_epsg(32618), Affine(0.5, 0, 5e5, 0, -0.5, 4e6), width, height, 0.5)


def write(path, pixels, layout, step, **options):
    with RowWriter(path, grid(pixels.shape[2], pixels.shape[1]), layout, **options) as writer:
        for top in range(0, pixels.shape[1], step):
            writer.write(pixels[:, top : top + step])
    return writer


@settings(max_examples=15)
@given(st.integers(1, 1300), st.integers(1, 700), st.integers(1, 900), st.integers(1, 2))
def test_rows_are_read_back_as_written(tmp_path, height, width, step, bands):
    pixels = np.random.default_rng(height).integers(0, 256, (bands, height, width), dtype=np.uint8)
    path = tmp_path / "p.tif"
    writer = write(path, pixels, make_probability_layout(["a", "b"][:bands], {"MODEL": "m"}), step)
    writer.verify(path)
    with rasterio.open(path) as result:
        np.testing.assert_array_equal(result.read(), pixels)
        assert result.transform == Affine(0.5, 0, 5e5, 0, -0.5, 4e6)
        assert result.nodata == NODATA
        assert result.scales == (0.004,) * bands
        assert result.descriptions == ("a", "b")[:bands]
        assert result.tags()["MODEL"] == "m"
        assert all(rows == columns <= 512 for rows, columns in result.block_shapes)


def test_overviews_of_large_rasters_are_averages(tmp_path):
    pixels = np.tile(np.array([[0, 100], [100, 200]], np.uint8), (500, 600))[None]
    path = tmp_path / "p.tif"
    write(path, pixels, make_probability_layout(["a"], {}), 300).verify(path)
    with rasterio.open(path) as result:
        assert result.overviews(1) == [4]
        assert result.block_shapes == [(512, 512)]
    with rasterio.open(path, overview_level=0) as small:
        assert (small.read(1) == 100).all()
    write(path, pixels, make_probability_layout(["a"], {}), 300, overviews=False)
    with rasterio.open(path) as result:
        assert result.overviews(1) == []


def test_classes_have_colors_and_names(tmp_path):
    pixels = np.random.default_rng(0).choice([1, 2, 255], (1, 600, 600)).astype(np.uint8)
    path = tmp_path / "c.tif"
    layout = make_class_layout({1: "tree & bush", 2: "<road>"}, {1: (0, 200, 0), 2: (90, 90, 90)}, {})
    write(path, pixels, layout, 64).verify(path)
    with rasterio.open(path) as result:
        assert result.colormap(1)[1] == (0, 200, 0, 255)
        assert result.colormap(1)[2] == (90, 90, 90, 255)
        assert result.overviews(1)
    with rasterio.open(path, overview_level=0) as small:
        assert set(np.unique(small.read(1))) <= {1, 2, 255}
    side = ET.parse(path.with_name("c.tif.aux.xml"))
    assert [entry.text for entry in side.iter("Category")] == [None, "tree & bush", "<road>"]


def test_verify_detects_a_lost_block(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1100, 1100), dtype=np.uint8)
    path = tmp_path / "p.tif"
    writer = write(path, pixels, make_probability_layout(["a"], {}), 200, overviews=False)
    writer.verify(path)
    with rasterio.open(path, "r+") as dataset:
        dataset.write(np.zeros((1, 512, 512), np.uint8), window=((512, 1024), (0, 512)))
    with pytest.raises(OutputError, match="does not read back"):
        writer.verify(path)


def test_missing_rows_are_an_error(tmp_path):
    writer = RowWriter(tmp_path / "p.tif", grid(20, 20), make_probability_layout(["a"], {}))
    with pytest.raises(OutputError, match="Only 10 of 20 rows"), writer:
        writer.write(np.zeros((1, 10, 20), np.uint8))


def test_unwritable_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        RowWriter(tmp_path / "none" / "p.tif", grid(20, 20), make_probability_layout(["a"], {}))


@pytest.mark.parametrize("level", [0, 1])
def test_verify_detects_a_lost_overview_block(tmp_path, level):
    """The offset of the block is removed, as if it had not been written to the disk: it reads as nodata then."""
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(0).integers(0, 250, (1, 2100, 2100), dtype=np.uint8)
    pixels[:, :1100] = 255
    writer = write(path, pixels, make_probability_layout(["a"], {}), 2100)
    writer.verify(path)
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1) == [4, 16]
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", 1, level))
    data = path.read_bytes()
    assert data.count(offset.to_bytes(4, "little")) == 1
    path.write_bytes(data.replace(offset.to_bytes(4, "little"), bytes(4)))
    with pytest.raises(OutputError, match=r"a\.tif cannot be written"):
        writer.verify(path)


def test_overviews_without_memory_are_an_out_of_memory_error(tmp_path, monkeypatch):
    def build_overviews(_dataset, _factors, _method):
        raise CPLE_OutOfMemoryError(3, 2, "overview.cpp, 4765: cannot allocate 5734400 bytes")

    monkeypatch.setattr(rasterio.io.DatasetWriter, "build_overviews", build_overviews, raising=False)
    pixels = np.zeros((1, 600, 600), np.uint8)
    with pytest.raises(OutOfMemoryError, match=r"not enough memory to write .*p\.tif"):
        write(tmp_path / "p.tif", pixels, make_probability_layout(["road"], {}), 600, overviews=True)
