"""Linear stretches of pixels to the uint8 that networks are trained on, and the contrast of a model's training images.

Nothing here reads a file, so that model cards can be read where no raster can.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..strict import limited

PERCENTILES = (2.0, 98.0)
#: 8-bit imagery is used as it is if the percentiles of a band are at least this far apart.
SENSIBLE_SPAN = 64

#: 8-bit percentiles within so many standard deviations of the training images' mean stay.
_USUAL = 0.5
#: The contrast of 8-bit imagery that is used as it is otherwise is changed by these factors at most.
_GAIN, _ANY_GAIN = (0.5, 2.5), (0.0, math.inf)
#: 8-bit pixels with all bands up to, or from, these values have no image as a rule: borders without a nodata value.
_BLACK, _WHITE = 3, 252
#: Limits of 8-bit values that move by fewer grey values are not worth a message.
NOTABLE_SHIFT = 12.0
#: Percentiles of floating-point values are not beyond this, so that stretches can be computed in float32.
_LARGEST = 1e30
#: Pixels that are stretched at a time, so that intermediate values stay in the processor's cache.
_SLAB = 1 << 17


@dataclass(frozen=True)
class Contrast:
    """Contrast of a model's training images: percentiles of each band, 0 to 255, and how they differ between images.

    Attributes:
        low: mean of the 2nd percentiles, one value per band.
        high: mean of the 98th percentiles, above ``low``.
        low_deviation: standard deviation of the 2nd percentiles.
        high_deviation: standard deviation of the 98th percentiles.
    """

    low: tuple[float, ...] = limited(0, 255)
    high: tuple[float, ...] = limited(0, 255)
    low_deviation: tuple[float, ...] = limited(0, 255)
    high_deviation: tuple[float, ...] = limited(0, 255)

    def find_problem(self, bands: int) -> str | None:
        """Return what does not fit a model of ``bands`` bands, or contradicts itself; None if nothing does."""
        if {len(values) for values in (self.low, self.high, self.low_deviation, self.high_deviation)} != {bands}:
            return f"contrast has not {bands} entries each of low, high, low_deviation and high_deviation"
        if any(high - low < 1 for low, high in zip(self.low, self.high, strict=True)):
            return "contrast.high is not 1 or more above contrast.low in each band"
        return None

    def make_grey(self, bands: int) -> Contrast:
        """Make the contrast of ``bands`` bands with the same values."""
        each = (self.low, self.high, self.low_deviation, self.high_deviation)
        return Contrast(*((float(np.mean(values)),) * bands for values in each))


@dataclass(frozen=True)
class Stretch:
    """A linear map for each channel: ``low`` becomes 0 and ``high`` 255; values beyond are clipped.

    Attributes:
        low: value per channel.
        high: value per channel, above ``low``.
        is_optional: whether it gives 8-bit values another contrast, which could be used as they are.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    is_optional: bool = False

    @property
    def is_notable(self) -> bool:
        """Whether it is optional, and values become clearly others."""
        limits = (*self.low, *(high - 255 for high in self.high))
        return self.is_optional and any(abs(limit) >= NOTABLE_SHIFT for limit in limits)

    def apply(self, pixels: NDArray[Any], out: NDArray[np.uint8]) -> None:
        """Write the stretched ``pixels`` (channels, rows, columns) to ``out``; NaN becomes 0."""
        if pixels.dtype == np.uint8:  # looking values up is several times faster than computing them
            values = np.broadcast_to(np.arange(256, dtype=np.int16), (len(self.low), 1, 256))
            table = np.empty(values.shape, np.uint8)
            self.apply(values, table)
            for layer, row, target in zip(pixels, table, out, strict=True):
                np.take(row[0], layer, out=target)
            return
        step = max(1, _SLAB // max(1, pixels.shape[2]))
        for layer, low, high, target in zip(pixels, self.low, self.high, out, strict=True):
            for top in range(0, len(layer), step):
                with np.errstate(over="ignore"):  # infinities are clipped
                    scaled = np.subtract(layer[top : top + step], low, dtype=np.float32, casting="unsafe")
                    scaled *= np.float32(255.0 / (high - low))
                if layer.dtype.kind == "f":
                    np.nan_to_num(scaled, copy=False, nan=0.0)
                np.clip(scaled, 0.0, 255.0, out=scaled)
                np.rint(scaled, out=scaled)
                np.copyto(target[top : top + step], scaled, casting="unsafe")


def match_contrast(image: NDArray[np.uint8], contrast: Contrast) -> NDArray[np.uint8]:
    """Return an image (bands, H, W) with ``contrast``; itself if it has it already."""
    stretch = stretch_to(list(image.reshape(len(image), -1)), contrast)
    if stretch is None:
        return image
    matched = np.empty_like(image)
    stretch.apply(image, matched)
    return matched


def stretch_to(layers: Sequence[NDArray[Any]], contrast: Contrast) -> Stretch | None:
    """Make the stretch that gives ``contrast`` to pixels, of which ``layers`` has the values in each band.

    Percentiles of 8-bit values are moved only as far as they are unusual, because part of what differs between images
    is what they show. None if all stay, or if there is no contrast to be changed.
    """
    if all(np.array_equal(layer, layers[0]) for layer in layers[1:]):  # grey stays grey, in one band or several
        contrast = contrast.make_grey(len(layers))
    means = np.array([contrast.low, contrast.high]).T
    if layers[0].dtype != np.uint8:
        limits = np.array([measure_percentiles(layer) for layer in layers])
        return make_stretch(_map_limits(*pair) for pair in zip(limits, means, strict=True))
    limits = np.array(measure_limits(layers))
    usual = _USUAL * np.array([contrast.low_deviation, contrast.high_deviation]).T
    targets = np.clip(limits, means - usual, means + usual)
    if (targets == limits).all() or not np.ptp(limits, axis=1).any():
        return None
    gains = _GAIN if np.ptp(limits, axis=1).max() >= SENSIBLE_SPAN else _ANY_GAIN
    mapped = [_map_limits(*pair, gains) for pair in zip(limits, targets, strict=True)]
    return replace(make_stretch(mapped), is_optional=True)


def _map_limits(
    limits: NDArray[np.float64], targets: NDArray[np.float64], gains: tuple[float, float] = _ANY_GAIN
) -> tuple[float, float]:
    """Find the values that become 0 and 255 where the two ``limits`` become ``targets``.

    Where ``gains`` limit how much the contrast is changed, what that lacks is missing at both ends alike.
    """
    gain = float(np.ptp(targets)) / max(float(np.ptp(limits)), 1e-30)
    gain = min(max(gain, gains[0]), gains[1])
    middle, middle_target = float(limits.mean()), float(targets.mean())
    return middle - middle_target / gain, middle + (255 - middle_target) / gain


def make_stretch(limits: Iterable[tuple[float, float]]) -> Stretch:
    """Make a stretch of the values that become 0 and 255 in each band, which are kept apart."""
    lows, highs = zip(*limits, strict=True)
    return Stretch(
        tuple(map(float, lows)),
        tuple(
            float(max(high, low + np.spacing(abs(low)) * 256 + 1e-30)) for low, high in zip(lows, highs, strict=True)
        ),
    )


def measure_limits(layers: Sequence[NDArray[np.uint8]]) -> list[tuple[float, float]]:
    """Measure the ``PERCENTILES`` of each band of 8-bit imagery, without black and white areas that hold no image.

    Args:
        layers: values of the same pixels in each band, one-dimensional and not empty.
    """
    darkest, brightest = np.minimum.reduce(layers), np.maximum.reduce(layers)
    is_image = (brightest > _BLACK) & (darkest < _WHITE)
    kept = [layer[is_image] for layer in layers] if is_image.any() else layers
    return [measure_percentiles(layer) for layer in kept]


def measure_percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """Return the ``PERCENTILES`` of one-dimensional, non-empty ``values``; uint8 is counted instead of sorted."""
    if values.dtype != np.uint8:
        values = np.clip(values, -_LARGEST, _LARGEST) if values.dtype.kind == "f" else values
        low, high = np.percentile(values, PERCENTILES)
        return float(low), float(high)
    ranks = np.cumsum(np.bincount(values, minlength=256))
    limits = []
    for percentile in PERCENTILES:
        rank = (len(values) - 1) * percentile / 100
        below, above = np.searchsorted(ranks, [int(rank), min(int(rank) + 1, len(values) - 1)], side="right")
        limits.append(float(below + (above - below) * (rank - int(rank))))
    return limits[0], limits[1]
