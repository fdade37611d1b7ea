"""Write rasters for tests."""

from __future__ import annotations

import warnings

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

UTM = "EPSG:32618"
#: Pixels of one metre.
NORTH_UP = Affine(1, 0, 500_000, 0, -1, 4_649_776)


def write_raster(path, pixels, **profile):
    """Write ``pixels`` (bands, rows, columns) as a GeoTIFF in UTM with pixels of 1 m, and return its path.

    Args:
        path: the file.
        pixels: the values.
        profile: keys of rasterio's profile that differ, and mask, colormap, colorinterp, rpcs, overviews and scales.
    """
    pixels = np.asarray(pixels)
    after = {
        name: profile.pop(name, None) for name in ("mask", "colormap", "colorinterp", "rpcs", "overviews", "scales")
    }
    settings = {
        "driver": "GTiff",
        "count": pixels.shape[0],
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "dtype": pixels.dtype.name,
        "crs": UTM,
        "transform": NORTH_UP,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **{**settings, **profile}) as dataset:
            if after["colorinterp"]:
                dataset.colorinterp = after["colorinterp"]
            if after["scales"]:
                dataset.scales = after["scales"]
            if after["rpcs"]:
                dataset.rpcs = after["rpcs"]
            dataset.write(pixels, window=Window(0, 0, pixels.shape[2], pixels.shape[1]))
            if after["colormap"]:
                dataset.write_colormap(1, after["colormap"])
            if after["mask"] is not None:
                dataset.write_mask(after["mask"])
            if after["overviews"]:
                dataset.build_overviews(after["overviews"])
    return path
