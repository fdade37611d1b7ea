"""From any pixel type to the uint8 that networks were trained on.

Each band is stretched linearly from its 2nd to its 98th percentile over the whole image, nodata left out. 8-bit
imagery was already stretched by whoever made it, so it is left as it is unless it is very flat: the same image
then gives the same pixels, however it is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from .bands import Bands, Mask, read_bands
from .dataset import Source

PERCENTILES = (2.0, 98.0)
#: 8-bit imagery whose widest band spans at least this many levels is left as it is.
SENSIBLE_SPAN = 64

_DECIMATED = 1024
_SAMPLE = 256
_SAMPLES_PER_SIDE = 6
#: 8-bit imagery is mostly left as it is, and fewer will tell.
_SAMPLES_PER_SIDE_OF_BYTES = 4
#: Pixels that are stretched at a time: intermediate values stay in the processor's cache.
_SLAB = 1 << 17


@dataclass(frozen=True)
class Stretch:
    """A linear map per layer: ``low`` becomes 0 and ``high`` 255; beyond, values are cut.

    Attributes:
        low: value per layer.
        high: value per layer, above ``low``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, pixels: NDArray[Any], out: NDArray[np.uint8]) -> None:
        """Write the stretched ``pixels`` (layers, rows, columns) to ``out``; what is not finite becomes 0."""
        step = max(1, _SLAB // max(1, pixels.shape[2]))
        for layer, low, high, target in zip(pixels, self.low, self.high, out, strict=True):
            for top in range(0, len(layer), step):
                _linear(layer[top : top + step], low, high, target[top : top + step])


def estimate_stretch(source: Source, bands: Bands) -> Stretch | None:
    """The stretch for an image, or None where its pixels are to be used as they are.

    Seen are at most some 1024 x 1024 pixels: from the overviews, or in a lattice of small windows spread over the
    image, so that a large file without overviews is not read as a whole.

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
    """The ``PERCENTILES`` of one-dimensional, not empty ``values``; bytes are counted instead of sorted."""
    if values.dtype != np.uint8:
        low, high = np.percentile(values, PERCENTILES)
        return float(low), float(high)
    ranks = np.cumsum(np.bincount(values, minlength=256))
    limits = []
    for percentile in PERCENTILES:
        place = (len(values) - 1) * percentile / 100
        below, above = np.searchsorted(ranks, [int(place), min(int(place) + 1, len(values) - 1)], side="right")
        limits.append(float(below + (above - below) * (place - int(place))))
    return limits[0], limits[1]


def _sample(source: Source, bands: Bands) -> list[NDArray[Any]]:
    """Valid pixels of each layer, one-dimensional."""
    small = source.width * source.height <= (2 * _DECIMATED) ** 2
    if small or source.dataset.overviews(bands.indices[0]):
        return _decimated(source, bands)
    pieces = [_pick(*read_bands(source, bands, window, _shape(window))) for window in _sample_windows(source)]
    layers = [np.concatenate(layer) for layer in zip(*pieces, strict=True)]
    # Little that is valid in the lattice (a narrow strip in a wide frame): look at everything, coarsely.
    return layers if layers[0].size >= 4096 else _decimated(source, bands)


def _decimated(source: Source, bands: Bands) -> list[NDArray[Any]]:
    factor = max(1.0, max(source.width, source.height) / _DECIMATED)
    shape = (max(1, round(source.height / factor)), max(1, round(source.width / factor)))
    window = Window(0, 0, source.width, source.height)
    return _pick(*read_bands(source, bands, window, shape))


def _sample_windows(source: Source) -> list[Window]:
    """A lattice of small windows, from top to bottom so that formats without random access are read once."""
    count = _SAMPLES_PER_SIDE_OF_BYTES if source.dtype == "uint8" else _SAMPLES_PER_SIDE
    columns = _spread(source.width, count)
    return [Window(x, y, w, h) for y, h in _spread(source.height, count) for x, w in columns]


def _spread(length: int, count: int) -> list[tuple[int, int]]:
    """Starts and sizes of ``count`` short pieces spread over ``length``, at multiples of their size."""
    size = min(_SAMPLE, length)
    places = np.linspace(0, length - size, count) // size * size
    return [(int(place), size) for place in np.unique(places)]


def _shape(window: Window) -> tuple[int, int]:
    return int(window.height), int(window.width)


def _pick(pixels: NDArray[Any], valid: Mask | None) -> list[NDArray[Any]]:
    layers = [layer.ravel() if valid is None else layer[valid] for layer in pixels]
    return [layer[np.isfinite(layer)] if layer.dtype.kind == "f" else layer for layer in layers]


def _linear(values: NDArray[Any], low: float, high: float, out: NDArray[np.uint8]) -> None:
    scaled = np.subtract(values, low, dtype=np.float32, casting="unsafe")
    scaled *= np.float32(255.0 / (high - low))
    if values.dtype.kind == "f":
        np.nan_to_num(scaled, copy=False, nan=0.0)
    np.clip(scaled, 0.0, 255.0, out=scaled)
    np.rint(scaled, out=scaled)
    np.copyto(out, scaled, casting="unsafe")
