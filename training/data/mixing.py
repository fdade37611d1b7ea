"""Augmentation by another image: its low frequencies, its histogram, or a rectangle of it with its label."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .image_files import Image, as_uint8
from .samples import Label


def exchange_low_frequencies(crop: Image, reference: Image, share: float) -> Image:
    """Give an image the amplitudes that another one has at the lowest frequencies; its phases stay.

    Fourier domain adaptation (Yang & Soatto, CVPR 2020): colours, light and haze change, edges and the label stay.

    Args:
        crop: uint8 (H, W, bands), not changed.
        reference: uint8 (h, w, bands) of any size.
        share: half of the side of the square of frequencies around zero, share of the shorter side of ``crop``, below
            0.5: the beta of the paper. At 0 only the means of the bands are exchanged.
    """
    highest = int(min(crop.shape[:2]) * share)
    own, other = _low_frequencies(crop, highest), np.abs(_low_frequencies(reference, highest))
    change = own * (other / np.maximum(np.abs(own), 1e-6) - 1)
    # What changes has few frequencies: two small products take a fraction of the time of an inverse transform.
    rows, columns = (_waves(length, highest) for length in crop.shape[:2])
    change = np.matmul(columns.conj().T, change)
    real = np.concatenate((rows.real, rows.imag)).T
    changed = crop + np.tensordot(real, np.concatenate((change.real, change.imag)), 1)
    return as_uint8(np.rint(np.clip(changed, 0, 255)))


def match_histograms(crop: Image, reference: Image, share: float) -> Image:
    """Match the histogram of each band of an image to that of another one.

    Args:
        crop: uint8 (H, W, bands), not changed.
        reference: uint8 (h, w, bands) of any size.
        share: how far each value moves towards the matched one, 0 to 1.
    """
    matched = np.empty_like(crop)
    values = np.arange(256)
    for band in range(crop.shape[2]):
        own, other = (np.bincount(x[:, :, band].ravel(), minlength=256) for x in (crop, reference))
        present = np.flatnonzero(other)
        ranks, quantiles = np.cumsum(own) / own.sum(), np.cumsum(other)[present] / other.sum()
        table = values + share * (np.interp(ranks, quantiles, present) - values)
        matched[:, :, band] = np.rint(table).astype(np.uint8)[crop[:, :, band]]
    return matched


def paste_rectangle(
    sample: tuple[Image, Label],
    other: tuple[Image, Label],
    shares: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Image, Label]:
    """Replace a random rectangle of a sample by that of another one, with its label (CutMix, Yun et al., ICCV 2019).

    Args:
        sample: uint8 image (H, W, bands) and label (H, W), not changed.
        other: another sample of the same size.
        shares: range of the rectangle's share of the area, 0 to 1.
        rng: generator.
    """
    share = rng.uniform(*shares)
    # A large rectangle is nearly of the sample's shape, or it would be longer than the sample.
    limit = np.log(min(2, 1 / max(share, 0.5)))
    stretch = np.exp(rng.uniform(-limit, limit))
    sides = [
        (length, min(length, round(length * float(np.sqrt(share * factor)))))
        for length, factor in zip(sample[1].shape, (stretch, 1 / stretch), strict=True)
    ]
    starts = [int(rng.integers(length - side + 1)) for length, side in sides]
    inside = tuple(slice(start, start + side) for start, (_, side) in zip(starts, sides, strict=True))
    image, label = sample[0].copy(), sample[1].copy()
    image[inside], label[inside] = other[0][inside], other[1][inside]
    return image, label


def _low_frequencies(image: Image, highest: int) -> NDArray[np.complex64]:
    """Fourier coefficients, per pixel, of the frequencies -highest to highest along both axes: (n, n, bands)."""
    rows, columns = (_waves(length, highest) for length in image.shape[:2])
    values = image.astype(np.float32) / np.float32(image.shape[0] * image.shape[1])
    along = np.tensordot(rows.real, values, 1) + 1j * np.tensordot(rows.imag, values, 1)
    return np.asarray(np.matmul(columns, along), np.complex64)


@lru_cache(maxsize=256)
def _waves(length: int, highest: int) -> NDArray[np.complex64]:
    """Conjugated waves of the frequencies -highest to highest over ``length`` pixels: (2 highest + 1, length)."""
    turns = np.outer(np.arange(-highest, highest + 1), np.arange(length)) / length
    return np.asarray(np.exp(-2j * np.pi * turns), np.complex64)
