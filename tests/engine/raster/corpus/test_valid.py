"""Unusual but valid rasters are read correctly."""

from __future__ import annotations

import numpy as np
import pytest
import valid_files
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.grid import crop
from terraspore.engine.raster.reader import ImageView


@pytest.mark.parametrize("name", valid_files.MAKERS)
def test_valid_file_is_read(tmp_path, name):
    case = valid_files.MAKERS[name](tmp_path)
    rows, columns = case.pixels.shape[1:]
    with open_source(case.path, ImageOptions(**case.options)) as source:
        bands = choose_bands(source, None, case.needed)
        whole = source.make_grid(None)
        grid = crop(whole, 0, 0, columns, rows)
        dtype = "uint8" if source.dtype == "uint8" else "float32"
        seen = np.full((bands.layers, rows, columns), 77, dtype)
        valid = ImageView(source, grid, bands, None, dtype).read(0, 0, columns, rows, seen)
        if case.transform is not None:
            assert source.transform.almost_equals(case.transform, 1e-7)
        if name != "terabytes_that_are_not_stored":
            assert (source.width, source.height) == (columns, rows)
    assert seen.shape == case.pixels.shape
    np.testing.assert_allclose(seen, case.pixels.astype(dtype), rtol=0, atol=case.tolerance)
    expected = np.ones((rows, columns), bool) if case.valid is None else case.valid
    np.testing.assert_array_equal(np.ones_like(expected) if valid is None else valid, expected)


def test_reading_the_first_of_several_pages_is_remarked(tmp_path):
    case = valid_files.MAKERS["first of several pages"](tmp_path)
    with open_source(case.path) as source:
        assert "holds 2 images" in source.remarks[0].text
        assert "--subdataset" in source.remarks[0].text


def test_rpcs_on_flat_ground_are_remarked(tmp_path):
    with open_source(valid_files.rpcs_only(tmp_path).path) as source:
        assert "flat ground at 500 m" in source.remarks[0].text
