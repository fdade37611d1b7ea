"""Contrast stretch of any pixel type to the uint8 that networks are trained on.

Each band is stretched linearly from its 2nd to its 98th percentile over the whole image, without nodata: to 0..255, or
to the contrast of the images that a model was trained on, where its card has it. 8-bit imagery was usually stretched by
its producer, so it is used as it is unless its contrast is very low, or unlike that of the training. The same image
therefore gives the same pixels, whatever part of it is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from .bands import Bands, read_bands
from .contrast import SENSIBLE_SPAN, Contrast, Stretch, make_stretch, measure_percentiles, stretch_to
from .dataset import Source
from .sampling import sample_whole, sample_windows

#: Valid pixels of a sample that are enough to estimate percentiles.
_ENOUGH = 4096


def estimate_stretch(source: Source, bands: Bands, contrast: Contrast | None = None) -> Stretch | None:
    """Estimate the stretch for an image; None if its pixels are to be used as they are.

    At most about 1024 x 1024 pixels are read: from the overviews, or in small windows spread over the image, so that a
    large file without overviews is not read as a whole.

    Args:
        source: the image.
        bands: of the image, by channel.
        contrast: what the percentiles of each channel become; 0 and 255 unless given.

    Raises:
        SourceError: the file is damaged.
    """
    if bands.palette is not None:
        return None
    layers = _sample(source, bands)
    is_uint8 = source.dtype == "uint8"
    if not any(layer.size for layer in layers):
        return None if is_uint8 else Stretch((0.0,) * len(layers), (1.0,) * len(layers))
    layers = [layer if layer.size else np.zeros(1, layer.dtype) for layer in layers]  # a band of NaN
    if contrast is not None:
        return stretch_to(layers, contrast)
    limits = [measure_percentiles(layer) for layer in layers]
    if is_uint8 and max(high - low for low, high in limits) >= SENSIBLE_SPAN:
        return None
    return make_stretch(limits)


def _sample(source: Source, bands: Bands) -> list[NDArray[Any]]:
    """Read a sample of the valid pixels of each channel, one-dimensional."""
    samples = sample_windows(source.dataset, bands.indices[0])
    layers = [
        np.concatenate(layer) for layer in zip(*(_read_valid(source, bands, *each) for each in samples), strict=True)
    ]
    if len(samples) == 1 or layers[0].size >= _ENOUGH:
        return layers
    # Few valid pixels (a narrow strip in a wide frame): read a decimated copy of everything.
    return _read_valid(source, bands, *sample_whole(source.dataset))


def _read_valid(source: Source, bands: Bands, window: Window, shape: tuple[int, int]) -> list[NDArray[Any]]:
    """Read the valid, finite pixels of each channel of a window, one-dimensional."""
    pixels, valid = read_bands(source, bands, window, shape)
    layers = [layer.ravel() if valid is None else layer[valid] for layer in pixels]
    return [layer[np.isfinite(layer)] if layer.dtype.kind == "f" else layer for layer in layers]
