"""Where an image is sampled to learn about its values without reading all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from rasterio.windows import Window

#: Side in pixels of a decimated copy.
_DECIMATED = 1024
#: Side in pixels of a sample window, and how many of them there are along each axis.
_SAMPLE = 256
_SAMPLES_PER_SIDE = 6
_SAMPLES_PER_SIDE_UINT8 = 4

#: A window of the image, and the rows and columns that it is read to.
Sample = tuple[Window, tuple[int, int]]


def sample_windows(dataset: Any, band: int) -> list[Sample]:
    """Return the windows of a sample of about 1024 x 1024 pixels at most.

    It is a decimated copy of a small image or of one with overviews; of others windows that are spread over the image,
    from top to bottom, so that formats without random access are read once.
    """
    width, height = int(dataset.width), int(dataset.height)
    if width * height <= (2 * _DECIMATED) ** 2 or has_overviews(dataset, band):
        return [sample_whole(dataset)]
    count = _SAMPLES_PER_SIDE_UINT8 if dataset.dtypes[band - 1] == "uint8" else _SAMPLES_PER_SIDE
    columns = _spread(width, count)
    return [(Window(x, y, w, h), (h, w)) for y, h in _spread(height, count) for x, w in columns]


def has_overviews(dataset: Any, band: int) -> bool:
    """Whether a band has overviews; False for virtual rasters.

    Once GDAL 3.10 has counted those of a virtual raster of virtual rasters before reading it, it reads missing sources
    of any virtual raster as 0, without an error.
    """
    return dataset.driver != "VRT" and bool(dataset.overviews(band))


def sample_whole(dataset: Any) -> Sample:
    """Return the whole image, decimated to a side of at most 1024 pixels."""
    width, height = int(dataset.width), int(dataset.height)
    factor = max(1.0, max(width, height) / _DECIMATED)
    return Window(0, 0, width, height), (max(1, round(height / factor)), max(1, round(width / factor)))


def _spread(length: int, count: int) -> list[tuple[int, int]]:
    """Return starts and sizes of ``count`` short intervals spread over ``length``, at multiples of their size."""
    size = min(_SAMPLE, length)
    starts = np.linspace(0, length - size, count) // size * size
    return [(int(start), size) for start in np.unique(starts)]
