"""Opening images: unusual files are read correctly or refused with a clear message."""

from __future__ import annotations

import os

import numpy as np
import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from terraspore.engine.errors import SourceChangedError, SourceError
from terraspore.engine.protocol.options import ImageOptions
from terraspore.engine.raster.dataset import open_source

PIXELS = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)


def refusal(path, **options):
    """The message with which ``path`` is refused."""
    with pytest.raises(SourceError) as caught, open_source(path, ImageOptions(**options)):
        pass
    assert str(path)[:100] in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nothing.tif")


def test_folder_is_refused(tmp_path):
    assert "folder" in refusal(tmp_path)


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    assert "regular file" in refusal(pipe)


@pytest.mark.parametrize("content", [b"", b"not a raster\n", b"II*\0", bytes(range(256)) * 9])
def test_file_that_is_not_a_raster(tmp_path, content):
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    assert "raster" in refusal(path)


def test_too_long_name(tmp_path):
    assert "cannot be opened" in refusal(tmp_path / ("x" * 300))


def test_complex_pixels_are_refused(make_raster):
    assert "complex" in refusal(make_raster(PIXELS.astype(np.complex64)))


def test_missing_georeference_asks_for_the_pixel_size(make_raster):
    path = make_raster(PIXELS, crs=None, transform=None)
    assert "--pixel-size" in refusal(path)
    with open_source(path, ImageOptions(pixel_size=0.25)) as source:
        assert source.pixel_size == pytest.approx((0.25, 0.25))
        assert "0.25 m" in source.remarks[0].text


def test_missing_coordinate_system_is_remarked(make_raster):
    with open_source(make_raster(PIXELS, crs=None)) as source:
        assert source.crs is None
        assert "coordinate system" in source.remarks[0].text


def test_ground_control_points_are_warped(make_raster):
    corners = [(0, 0, 400_000, 4_000_000), (0, 4, 400_040, 4_000_000), (3, 0, 400_000, 3_999_970)]
    points = [GroundControlPoint(row=r, col=c, x=x, y=y) for r, c, x, y in corners]
    path = make_raster(PIXELS, crs=CRS.from_epsg(32618), transform=None, gcps=points)
    with open_source(path) as source:
        assert source.pixel_size == pytest.approx((10 / 0.9996, 10 / 0.9996), rel=1e-3)
        assert source.transform @ (0, 0) == pytest.approx((400_000, 4_000_000))
        assert source.data_bands == (1,)
        assert "control points" in source.remarks[0].text


@pytest.mark.parametrize(
    "content",
    [
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename>/etc/passwd'
        "</SourceFilename></VRTRasterBand>",
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionLanguage>Python'
        "</PixelFunctionLanguage></VRTRasterBand>",
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/vsicurl/http://127.0.0.1/a.tif'
        "</SourceFilename></SimpleSource></VRTRasterBand>",
    ],
)
def test_unsafe_virtual_rasters_are_refused(tmp_path, content):
    path = tmp_path / "innocent.tif"
    path.write_text(f'<VRTDataset rasterXSize="4" rasterYSize="3">{content}</VRTDataset>')
    assert "not allowed" in refusal(path)


def test_virtual_raster_of_a_local_file_is_read(make_raster, tmp_path):
    make_raster(PIXELS, "inner.tif")
    path = tmp_path / "outer.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="3"><GeoTransform>0,1,0,0,0,-1</GeoTransform>'
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">inner.tif'
        "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with open_source(path) as source:
        assert source.dataset.read(1).tolist() == PIXELS[0].tolist()


def test_change_while_reading_is_detected(make_raster):
    path = make_raster(PIXELS)
    with open_source(path) as source:
        source.check_unchanged()
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(SourceChangedError, match="changed"):
            source.check_unchanged()


def test_names_with_special_characters(make_raster):
    for name in ("a b.tif", "ü–日本.tif", "a:b.tif", "zip+http:x.tif", "100%.tif"):
        with open_source(make_raster(PIXELS, name)) as source:
            assert source.width == 4


def test_alpha_is_not_a_data_band(make_raster):
    kinds = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    with open_source(make_raster(np.zeros((4, 3, 4), np.uint8), colorinterp=kinds)) as source:
        assert source.data_bands == (1, 2, 3)


def test_degenerate_georeference(make_raster):
    path = make_raster(PIXELS, transform=Affine(1, 2, 0, 2, 4, 0))
    assert "degenerate" in refusal(path)
