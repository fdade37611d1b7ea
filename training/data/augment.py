"""Augmentation of training samples: random crops and warps, in NumPy and OpenCV; colours and occlusions after them.

Every function draws from the generator it is given and from nothing else, so that a sample depends only on the seed of
that generator.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import AugmentConfig
from .colours import change_colours
from .image_files import Image, as_uint8
from .occlusions import add_occlusions, cut_out
from .samples import Label

_ATTEMPTS = 8


def augment_sample(
    image: Image,
    label: Label,
    config: AugmentConfig,
    ignore: int,
    rng: np.random.Generator,
    *,
    restyle: Callable[[Image], Image] | None = None,
) -> tuple[Image, Label]:
    """Draw one training sample: uint8 image (crop, crop, bands) and label (crop, crop).

    A crop that is mostly blank, or (by chance ``drop_empty``) has no foreground, is drawn again, up to eight times.

    Args:
        image: uint8 (H, W, bands).
        label: class ids (H, W).
        config: ranges and chances.
        ignore: class id of pixels that are not counted.
        rng: generator.
        restyle: changes the crop before occlusions and colours.
    """
    for _ in range(_ATTEMPTS):
        crop, target = _random_crop(image, label, config, ignore, rng)
        if config.blank < 1 and blank_share(crop) > config.blank:
            continue
        if config.drop_empty > 0:
            foreground = ((target > 0) & (target != ignore)).mean()
            if foreground < config.foreground and rng.random() < config.drop_empty:
                continue
        break
    if config.rot90:
        turns = int(rng.integers(4))
        crop, target = np.rot90(crop, turns), np.rot90(target, turns)
    if rng.random() < config.hflip:
        crop, target = crop[:, ::-1], target[:, ::-1]
    if rng.random() < config.vflip:
        crop, target = crop[::-1], target[::-1]
    target = np.ascontiguousarray(target)
    crop = np.ascontiguousarray(crop)
    if restyle is not None:
        crop = restyle(crop)
    crop = add_occlusions(crop, (target > 0) & (target != ignore), config, rng)
    crop = change_colours(crop, config, rng)
    if config.cutout_chance > 0 and rng.random() < config.cutout_chance:
        crop = cut_out(crop, config.cutout, rng)
    return crop, target


def blank_share(crop: Image) -> float:
    """Share of the pixels of an image (H, W, bands) that are saturated or black in all bands."""
    return float(((crop >= 250).all(2) | (crop == 0).all(2)).mean())


def random_window(image: Image, config: AugmentConfig, rng: np.random.Generator) -> Image:
    """Cut a window of the crop's size, or of the image's if that is smaller, out of an image (H, W, bands).

    A window that is mostly blank is drawn again, up to eight times.
    """
    height, width = (min(config.crop, length) for length in image.shape[:2])
    for _ in range(_ATTEMPTS):
        top = int(rng.integers(image.shape[0] - height + 1))
        left = int(rng.integers(image.shape[1] - width + 1))
        window = image[top : top + height, left : left + width]
        if config.blank >= 1 or blank_share(window) <= config.blank:
            break
    return window


def random_transform(shape: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the 3 x 3 matrix from image to crop pixels: scale, aspect, rotation, position and perspective.

    Args:
        shape: height and width of the image.
        config: ranges and chances.
        rng: generator.
    """
    size = config.crop
    scale = float(np.exp(rng.uniform(np.log(config.scale[0]), np.log(config.scale[1]))))
    stretch = np.sqrt(1 + rng.uniform(-config.aspect, config.aspect))
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < config.rotate else 0.0
    height, width = shape
    centre = [_random_centre(width, size / scale, rng), _random_centre(height, size / scale, rng)]
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([scale * stretch, scale / stretch])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    # Pixel centres have whole coordinates in OpenCV: the crop's centre is (size - 1) / 2.
    matrix[:2, 2] = (size - 1) / 2 - linear @ np.array(centre)
    if config.perspective > 0:
        corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
        moved = corners + rng.uniform(-config.perspective, config.perspective, (4, 2)).astype(np.float32) * size
        matrix = np.asarray(cv2.getPerspectiveTransform(corners, moved), np.float64) @ matrix
    return matrix


def _random_centre(length: int, needed: float, rng: np.random.Generator) -> float:
    """Draw the crop's centre along an axis of ``length`` pixels, of which the crop takes ``needed``."""
    half = needed / 2
    if needed >= length:
        # A crop larger than the image contains all of it, at a random position.
        return float(rng.uniform(length - half, half)) - 0.5
    return float(rng.uniform(half, length - half)) - 0.5


def _random_crop(
    image: Image, label: Label, config: AugmentConfig, ignore: int, rng: np.random.Generator
) -> tuple[Image, Label]:
    matrix = random_transform((image.shape[0], image.shape[1]), config, rng)
    size = (config.crop, config.crop)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    mode = cv2.BORDER_REFLECT_101 if config.border == "reflect" else cv2.BORDER_CONSTANT
    # Bilinear sampling skips pixels if the image shrinks: smooth it first, as an area filter would.
    source = image if scale >= 0.8 else as_uint8(cv2.GaussianBlur(image, (0, 0), 0.4 / scale)).reshape(image.shape)
    crop = warp(source, matrix, config.crop, cv2.INTER_LINEAR, mode)
    if config.soft_labels:
        soft = cv2.warpPerspective((label == 1).astype(np.float32), matrix, size, borderMode=mode)
        return crop, np.asarray(soft >= 0.5, np.uint8)
    target = cv2.warpPerspective(label, matrix, size, flags=cv2.INTER_NEAREST, borderMode=mode, borderValue=(ignore,))
    return crop, as_uint8(target)


def warp(image: Image, matrix: NDArray[np.float64], size: int, flags: int, mode: int) -> Image:
    """Warp an image of any number of bands to (size, size, bands).

    Args:
        image: uint8 (H, W, bands).
        matrix: from image to output pixels.
        size: side of the output.
        flags: OpenCV's interpolation.
        mode: OpenCV's border mode; a constant border is middle grey.
    """
    parts = []
    # OpenCV takes at most four bands.
    for first in range(0, image.shape[2], 4):
        part = np.ascontiguousarray(image[:, :, first : first + 4])
        warped = cv2.warpPerspective(
            part, matrix, (size, size), flags=flags, borderMode=mode, borderValue=(127, 127, 127, 127)
        )
        parts.append(as_uint8(warped).reshape(size, size, -1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
