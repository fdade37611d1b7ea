"""How far an image is from those that a model was trained on, by statistics of texture and colour on small patches.

The statistics are those of the pixels as the network gets them, so that they need neither the network nor a runtime.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..strict import limited

if TYPE_CHECKING:
    from ..raster.pixel_view import PixelView
    from .card import ModelCard

Floats = NDArray[np.float32]

#: Version of the features; statistics of another one are not compared.
DOMAIN_VERSION = 1
#: Side of a patch in pixels; smaller images are one patch, those below the second number are not judged.
PATCH, SMALLEST_PATCH = 128, 32
#: Pixels of all bands from and up to these shares of full scale may be without image, and the largest share of them.
_WHITE, _BLACK, _BLANK_SHARE = 0.97, 0.02, 0.1
#: Patches along each side of an image that is compared.
_PATCHES = 4
_SCALES, _COLOUR_FEATURES = 4, 12
#: What each feature describes, for people.
TRAITS = (
    *("brightness", "contrast", "light and shadow", "light and shadow"),
    *("fine texture",) * 8,
    *("coarse texture",) * 8,
    *("colours",) * _COLOUR_FEATURES,
)
#: Sign that each feature takes in the negative of an image; a brightness of b becomes 1 - b.
_NEGATIVE = np.array(
    [-1, 1, -1, -1, *(1, -1, 1, 1) * _SCALES, -1, -1, 1, 1, -1, -1, 1, 1, 1, 1, 1, -1],
    np.float32,
)
#: Features of colour in an image of equal bands.
_GREY = np.array([0, 0, math.log(0.01), math.log(0.01), 0, 0, 0, 0, 0, 0, math.log(0.01), 0], np.float32)


@dataclass(frozen=True)
class Domain:
    """Statistics of a model's training images.

    Attributes:
        version: of the features, ``DOMAIN_VERSION``.
        mean: of each feature over the patches.
        deviation: standard deviation of each feature.
        axes: rows that turn standardised features into coordinates whose spread is about 1.
        centres: coordinates of typical patches.
        limit: distance from the nearest centre within which 95 % of the training images lie.
        negative_limit: largest excess of an image's distance over that of its negative.
    """

    version: int = limited(1, 1000)
    mean: tuple[float, ...] = limited(-1e6, 1e6)
    deviation: tuple[float, ...] = limited(1e-9, 1e6)
    axes: tuple[tuple[float, ...], ...] = limited(-1e6, 1e6)
    centres: tuple[tuple[float, ...], ...] = limited(-1e6, 1e6)
    limit: float = limited(1e-6, 1e6)
    negative_limit: float = limited(-1e6, 1e6)

    def find_problem(self) -> str | None:
        """Return what contradicts itself; None if nothing does."""
        count, size = len(self.mean), len(self.axes)
        if not size or not self.centres:
            return "domain has no axes or no centres"
        if len(self.deviation) != count or any(len(row) != count for row in self.axes):
            return "domain.deviation and domain.axes do not have as many entries as domain.mean"
        if any(len(row) != size for row in self.centres):
            return "domain.centres do not have as many entries as domain.axes"
        if self.version == DOMAIN_VERSION and count != len(TRAITS):
            return f"domain.mean has {count} entries instead of {len(TRAITS)}"
        return None

    def measure_distances(self, features: Floats) -> Floats:
        """Measure the distance of patches with ``features`` (N, F) from the nearest centre."""
        points = self.standardise(features) @ np.asarray(self.axes, np.float32).T
        squares = ((points[:, None] - np.asarray(self.centres, np.float32)[None]) ** 2).mean(-1)
        return np.asarray(np.sqrt(squares.min(1)), np.float32)

    def standardise(self, features: Floats) -> Floats:
        """Return ``features`` (N, F) in standard deviations from their means."""
        centred = features - np.asarray(self.mean, np.float32)
        return np.asarray(centred / np.asarray(self.deviation, np.float32), np.float32)


@dataclass(frozen=True)
class DomainFit:
    """How an image compares with the training images.

    Attributes:
        distance: from them, in units of the distance within which 95 % of them lie.
        is_negative: whether its negative is more like them.
        trait: in what it differs most.
    """

    distance: float
    is_negative: bool
    trait: str

    @property
    def is_alike(self) -> bool:
        """Whether the image is like those of the training."""
        return self.distance <= 1 and not self.is_negative

    def describe(self, model: str) -> str:
        """Return the warning for an image that is not alike; ``model`` is the model's name."""
        reason = "its light and dark seem to be inverted"
        if self.distance > 1:
            reason = (
                f"above all in its {self.trait} ({self.distance:.1f} times the distance within which 95 % of them lie)"
            )
        return (
            f"The image differs from those that the model {model} was trained on: {reason}. Expect a poor result; "
            "check it, or retrain the model with images of this kind."
        )


def compare_with_training(view: PixelView, card: ModelCard) -> DomainFit | None:
    """Compare patches that are spread over an image with the images that a model was trained on.

    Args:
        view: the pixels as the network gets them.
        card: of the model.

    Returns:
        None where the card has no statistics, or no part of the image is large enough and without gaps.

    Raises:
        SourceError: the image is damaged there.
    """
    if card.domain is None or card.domain.version != DOMAIN_VERSION:
        return None
    width, height = min(PATCH, view.spec.grid.width), min(PATCH, view.spec.grid.height)
    features = []
    for y in _spread(view.spec.grid.height, height):
        for x in _spread(view.spec.grid.width, width):
            pixels = np.empty((view.spec.layers, height, width), view.spec.dtype)
            valid = view.read(x, y, x + width, y + height, pixels)
            found = measure_patch(pixels, card.normalisation.scale, valid)
            if found is not None:
                features.append(found)
    return judge_patches(card.domain, features) if features else None


def measure_patch(pixels: NDArray[Any], scale: float, valid: NDArray[np.bool_] | None = None) -> Floats | None:
    """Measure the features of a patch.

    Args:
        pixels: (bands, H, W), as the network gets them; the first three bands are taken as colours.
        scale: factor to the range 0 to 1, as in ``Normalisation``.
        valid: which pixels are in the image; None for all.

    Returns:
        The features (F,); None where the patch is too small or a part of it shows nothing.
    """
    import cv2  # slow to import, and cards are read without it

    x = np.asarray(pixels[:3], np.float32) * np.float32(scale)
    if min(x.shape[1:]) < SMALLEST_PATCH:
        return None
    blank = (x.min(0) >= _WHITE) | (x.max(0) <= _BLACK)
    if (blank if valid is None else blank | ~valid).mean() > _BLANK_SHARE:
        return None
    grey = x.mean(0)
    low, middle, high = np.quantile(grey, (0.05, 0.5, 0.95))
    values = [grey.mean(), math.log(grey.std() + 0.005), _skewness(grey)]
    values.append(math.log((high - middle + 0.02) / (middle - low + 0.02)))
    shrunk: Floats = grey
    for _ in range(_SCALES):
        values += _measure_texture(shrunk)
        height, width = shrunk.shape
        halved = cv2.resize(shrunk, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        shrunk = np.asarray(halved, np.float32)
    return np.array([*values, *(_measure_colours(x, grey) if len(x) == 3 else _GREY)], np.float32)


def judge_patches(domain: Domain, features: Sequence[Floats]) -> DomainFit:
    """Compare an image, by the features of at least one of its patches, with the training images."""
    rows = np.stack(features)
    distances = domain.measure_distances(rows)
    excess = float(np.median(distances - domain.measure_distances(invert_features(rows))))
    deviations = np.abs(np.median(domain.standardise(rows), axis=0))
    return DomainFit(
        distance=float(np.median(distances)) / domain.limit,
        is_negative=excess > domain.negative_limit,
        trait=TRAITS[int(deviations.argmax())],
    )


def _spread(length: int, size: int) -> list[int]:
    """Return the starts of at most ``_PATCHES`` intervals of ``size`` that are spread over ``length``."""
    count = min(_PATCHES, max(1, length // size))
    return [round(start) for start in np.linspace(0, length - size, count)]


def invert_features(features: Floats) -> Floats:
    """Return the features (N, F) of the negatives of patches."""
    inverted = features * _NEGATIVE
    inverted[:, 0] += 1
    return inverted


def grey_features(features: Floats) -> Floats:
    """Return the features (N, F) of patches without their colours."""
    return np.concatenate([features[:, :-_COLOUR_FEATURES], np.tile(_GREY, (len(features), 1))], axis=1)


def _measure_texture(image: Floats) -> list[float]:
    """Energy of differences, asymmetry of bright and dark details, direction, and how rare strong edges are."""
    dx, dy = np.diff(image, axis=1), np.diff(image, axis=0)
    energy_x, energy_y = float((dx**2).mean()), float((dy**2).mean())
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return [
        0.5 * math.log(energy_x + energy_y + 1e-5),
        _skewness(np.asarray(image[1:-1, 1:-1] - around / 4, np.float32)),
        math.log((energy_x + 1e-5) / (energy_y + 1e-5)),
        math.log((float((dx**4).mean()) + 1e-8) / (energy_x + 1e-4) ** 2),
    ]


def _measure_colours(x: Floats, grey: Floats) -> list[float]:
    """Differences of bands: means, spreads, asymmetries, and how they depend on brightness and on each other."""
    red, blue = x[0] - x[1], x[1] - x[2]
    chroma = np.hypot(red, blue)
    return [
        *(float(red.mean()), float(blue.mean())),
        *(math.log(red.std() + 0.01), math.log(blue.std() + 0.01)),
        *(_skewness(red), _skewness(blue)),
        *(_correlation(red, grey), _correlation(blue, grey), _correlation(red, blue)),
        *(float(chroma.mean()), math.log(chroma.std() + 0.01), _correlation(chroma, grey)),
    ]


def _skewness(values: Floats) -> float:
    centred = values - values.mean()
    return float(np.clip((centred**3).mean() / max(float(values.std()), 0.02) ** 3, -4, 4))


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / math.sqrt(float((a * a).mean() * (b * b).mean()) + 1e-6))
