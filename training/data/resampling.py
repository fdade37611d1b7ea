"""Resampling of images and labels, and areas of an image that show nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .image_files import Image, Mask

#: From and up to these values in all bands an area may be without image; compression blurs white and black.
_WHITE, _BLACK = 248, 4
#: Least width of such an area and the margin around it, pixels, and its least share of the image.
_WIDTH, _MARGIN, _SHARE = 15, 9, 0.02
#: Highest standard deviation of its values; bright roofs, snow and dark water have more.
_DEVIATION = 2.5


def find_blank_areas(image: Image) -> Mask:
    """Find uniformly white or black areas that reach the border of an image (H, W, bands): there is no image there."""
    blank = np.zeros(image.shape[:2], np.uint8)
    border = np.zeros(image.shape[:2], bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    element = np.ones((_WIDTH, _WIDTH), np.uint8)
    for flat in (image.min(2) >= _WHITE, image.max(2) <= _BLACK):
        if not (flat & border).any():
            continue
        # Padded by copies of the border, so that a strip along it need not be wide.
        padded = cv2.copyMakeBorder(flat.astype(np.uint8), *(_WIDTH,) * 4, cv2.BORDER_REPLICATE)
        opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, element)[_WIDTH:-_WIDTH, _WIDTH:-_WIDTH]
        count, regions = cv2.connectedComponents(np.ascontiguousarray(opened))
        areas = np.bincount(regions.ravel().astype(np.int64), minlength=count)
        for number in np.unique(regions[border & (regions > 0)]):
            region = regions == number
            if areas[number] > _SHARE * flat.size and image[region].std() < _DEVIATION:
                blank |= region.astype(np.uint8)
    return np.asarray(cv2.dilate(blank, np.ones((_MARGIN, _MARGIN), np.uint8)), bool)


def ignore_around(label: NDArray[np.uint8], band: tuple[float, float], ignore: int) -> NDArray[np.uint8]:
    """Ignore background in a band of distances from labelled foreground, because drawn widths are not true ones.

    Args:
        label: class ids (H, W), 0 is background; not changed.
        band: distances between which pixels are ignored, pixels.
        ignore: class id of pixels that are not counted.
    """
    background = ((label == 0) | (label == ignore)).astype(np.uint8)
    if background.all():
        return label
    distance = cv2.distanceTransform(background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where((label == 0) & (distance > band[0]) & (distance <= band[1]), np.uint8(ignore), label)


def resample_image(image: Image, scale: float) -> Image:
    """Magnify an image (H, W, bands) by ``scale``; a smaller pixel is the mean of what it covers."""
    size = _scaled_size(image, scale)
    if size == image.shape[1::-1]:
        return image
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA)
    return np.asarray(resized, np.uint8).reshape(size[1], size[0], -1)


def resample_label(label: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Magnify class ids (H, W) by ``scale``; a smaller pixel has the class that covers most of it."""
    size = _scaled_size(label, scale)
    if size == label.shape[::-1]:
        return label
    if scale > 1:
        return np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    # From the highest value down, so that a road of half a pixel stays.
    values = np.unique(label)[::-1]
    masks = ((label == value).astype(np.float32) for value in values)
    shares = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks]
    return np.asarray(values[np.argmax(shares, axis=0)], np.uint8)


def _scaled_size(values: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    """Width and height of an array (H, W, ...) after magnification."""
    return max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale))
