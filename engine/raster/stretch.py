"""Contrast stretch of any pixel type to the uint8 that networks are trained on.

Each band is stretched linearly from its 2nd to its 98th percentile over the whole image, without nodata. 8-bit imagery
was usually stretched by its producer, so it is used as it is unless its contrast is very low. The same image therefore
gives the same pixels, whatever part of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from .bands import Bands, read_bands
from .dataset import Source
from .sampling import sample_whole, sample_windows

PERCENTILES = (2.0, 98.0)
#: 8-bit imagery is used as it is if the percentiles of a band are at least this far apart.
SENSIBLE_SPAN = 64

#: Valid pixels of a sample that are enough to estimate percentiles.
_ENOUGH = 4096
#: Pixels that are stretched at a time, so that intermediate values stay in the processor's cache.
_SLAB = 1 << 17


@dataclass(frozen=True)
class Stretch:
    """A linear map for each channel: ``low`` becomes 0 and ``high`` 255; values beyond are clipped.

    Attributes:
        low: value per channel.
        high: value per channel, above ``low``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, pixels: NDArray[Any], out: NDArray[np.uint8]) -> None:
        """Write the stretched ``pixels`` (channels, rows, columns) to ``out``; NaN becomes 0."""
        step = max(1, _SLAB // max(1, pixels.shape[2]))
        for layer, low, high, target in zip(pixels, self.low, self.high, out, strict=True):
            for top in range(0, len(layer), step):
                scaled = np.subtract(layer[top : top + step], low, dtype=np.float32, casting="unsafe")
                with np.errstate(over="ignore"):  # infinities are clipped
                    scaled *= np.float32(255.0 / (high - low))
                if layer.dtype.kind == "f":
                    np.nan_to_num(scaled, copy=False, nan=0.0)
                np.clip(scaled, 0.0, 255.0, out=scaled)
                np.rint(scaled, out=scaled)
                np.copyto(target[top : top + step], scaled, casting="unsafe")


def estimate_stretch(source: Source, bands: Bands) -> Stretch | None:
    """Estimate the stretch for an image; None if its pixels are to be used as they are.

    At most about 1024 x 1024 pixels are read: from the overviews, or in small windows spread over the image, so that a
    large file without overviews is not read as a whole.

    Raises:
        SourceError: the file is damaged.
    """
    if bands.palette is not None:
        return None
    layers = _sample(source, bands)
    if any(layer.size == 0 for layer in layers):
        return None if source.dtype == "uint8" else Stretch((0.0,) * len(layers), (1.0,) * len(layers))
    limits = [_percentiles(layer) for layer in layers]
    if source.dtype == "uint8" and max(high - low for low, high in limits) >= SENSIBLE_SPAN:
        return None
    low = tuple(float(lower) for lower, _ in limits)
    high = tuple(float(max(upper, lower + np.spacing(abs(lower)) * 256 + 1e-30)) for lower, upper in limits)
    return Stretch(low, high)


def _percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """Return the ``PERCENTILES`` of one-dimensional, non-empty ``values``; uint8 is counted instead of sorted."""
    if values.dtype != np.uint8:
        low, high = np.percentile(values, PERCENTILES)
        return float(low), float(high)
    ranks = np.cumsum(np.bincount(values, minlength=256))
    limits = []
    for percentile in PERCENTILES:
        rank = (len(values) - 1) * percentile / 100
        below, above = np.searchsorted(ranks, [int(rank), min(int(rank) + 1, len(values) - 1)], side="right")
        limits.append(float(below + (above - below) * (rank - int(rank))))
    return limits[0], limits[1]


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
