"""Functions that write the files of the corpus, and the type that describes a valid one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from raster_files import NORTH_UP
from rasterio.rpc import RPC
from terraspore.engine.raster.bands import choose_bands
from terraspore.engine.raster.dataset import open_source
from terraspore.engine.raster.reader import ImageView
from terraspore.engine.raster.stretch import estimate_stretch

ROWS, COLUMNS = 24, 32


@dataclass(frozen=True)
class ValidFile:
    """A file that is read without an error, and the pixels that are expected.

    Attributes:
        path: the file.
        pixels: expected input of a network, (channels, rows, columns).
        valid: mask of valid pixels (rows, columns); None if all are.
        transform: pixel to world; None if it is not compared.
        needed: bands of the model.
        tolerance: for lossy formats.
        options: of ``open_source``.
    """

    path: Path
    pixels: np.ndarray
    valid: np.ndarray | None = None
    transform: Affine | None = NORTH_UP
    needed: int = 3
    tolerance: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


def make_pixels(bands=3, dtype="uint8", low=1, high=200, rows=ROWS, columns=COLUMNS):
    """Random pixels (bands, rows, columns)."""
    return np.random.default_rng(bands).integers(low, high, (bands, rows, columns)).astype(dtype)


def copy_as(source, path, driver, **options):
    """Copy ``source`` to another format."""
    rasterio.shutil.copy(source, path, driver=driver, **options)
    return path


def rpcs(height_off=500.0, **changes):
    """RPCs with which columns run along the longitude and rows against the latitude, shifted by the height.

    At ``height_off`` a pixel's center (column, row) lies at 8 + (column - 16) * 1e-5 degrees of longitude and
    45 - (row - 12) * 1e-5 degrees of latitude.
    """
    one = [1.0] + [0.0] * 19
    values = {
        "height_off": height_off,
        "height_scale": 100.0,
        "lat_off": 45.0,
        "lat_scale": 12e-5,
        "long_off": 8.0,
        "long_scale": 16e-5,
        "line_off": 12.0,
        "line_scale": 12.0,
        "samp_off": 16.0,
        "samp_scale": 16.0,
        "line_num_coeff": [0.0, 0.0, -1.0] + [0.0] * 17,
        "line_den_coeff": one,
        "samp_num_coeff": [0.0, 1.0, 0.0, 5.0] + [0.0] * 16,
        "samp_den_coeff": one,
    }
    return RPC(**{**values, **changes}, err_bias=None, err_rand=None)


def vrt(path, body, *, columns=COLUMNS, rows=ROWS, extra="<GeoTransform>500000,1,0,4649776,0,-1</GeoTransform>"):
    """A VRT with ``body`` as its bands."""
    path.write_text(f'<VRTDataset rasterXSize="{columns}" rasterYSize="{rows}">{extra}{body}</VRTDataset>', "utf-8")
    return path


def vrt_band(source, *, band=1, kind="Byte", of=1):
    """A band of a VRT with band ``of`` of the file ``source``."""
    return (
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource><SourceFilename>{source}</SourceFilename>'
        f"<SourceBand>{of}</SourceBand></SimpleSource></VRTRasterBand>"
    )


def raw_band(source):
    """A band of a VRT with the raw bytes of any file as pixels."""
    return (
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f"<SourceFilename>{source}</SourceFilename></VRTRasterBand>"
    )


def read_all(path):
    """Read an image as a run does, up to the input of the network."""
    with open_source(path) as source:
        grid = source.make_grid(None)
        bands = choose_bands(source, None, 3)
        stretch = estimate_stretch(source, bands)
        view = ImageView(source, grid, bands, stretch, "uint8" if stretch else "float32")
        rows = min(grid.height, 4096)
        out = np.empty((bands.layers, rows, min(grid.width, 4096)), view.spec.dtype)
        view.read(0, 0, out.shape[2], rows, out)
