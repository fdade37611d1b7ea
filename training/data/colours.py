"""Changes of colour, contrast, sharpness and noise of training images, and compression artefacts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..config import AugmentConfig
from .image_files import Image, as_uint8

Floats = NDArray[np.float32]


def change_colours(crop: Image, config: AugmentConfig, rng: np.random.Generator) -> Image:
    """Change colours, contrast, sharpness and noise of a uint8 image (H, W, bands) at random."""
    if rng.random() < config.hsv_chance and crop.shape[2] == 3:
        crop = shift_hsv(crop, config.hsv, rng)
    x: Floats = crop.astype(np.float32) / np.float32(255)
    if rng.random() < config.grey:
        x = np.repeat(x.mean(2, keepdims=True), x.shape[2], 2)
    elif rng.random() < config.colour:
        grey = x.mean(2, keepdims=True)
        x = grey + (x - grey) * np.float32(rng.uniform(*config.saturation))
        x = x * rng.uniform(1 - config.balance, 1 + config.balance, x.shape[2:]).astype(np.float32)
    if rng.random() < config.contrast_chance:
        mean = x.mean()
        x = (x - mean) * np.float32(rng.uniform(*config.contrast)) + mean
        x = x + np.float32(rng.uniform(-config.brightness, config.brightness))
    if rng.random() < config.gamma_chance:
        x = np.clip(x, 0, 1) ** np.float32(rng.uniform(*config.gamma))
    if config.band_gamma_chance > 0 and rng.random() < config.band_gamma_chance:
        # Drawn log-uniformly: halving is as likely as doubling.
        low, high = np.log(config.band_gamma[0]), np.log(config.band_gamma[1])
        x = np.clip(x, 0, 1) ** np.exp(rng.uniform(low, high, x.shape[2])).astype(np.float32)
    if rng.random() < config.blur_chance:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), float(rng.uniform(*config.blur))), np.float32).reshape(x.shape)
    if rng.random() < config.noise_chance:
        x = x + rng.normal(0, rng.uniform(*config.noise), x.shape).astype(np.float32)
    if config.haze_chance > 0 and rng.random() < config.haze_chance:
        share = np.float32(rng.uniform(*config.haze))
        x = x * (1 - share) + share * np.float32(rng.uniform(0.7, 0.95))
    changed = as_uint8(np.rint(np.clip(x, 0, 1) * 255))
    if config.jpeg_chance > 0 and rng.random() < config.jpeg_chance:
        changed = compress_jpeg(changed, round(rng.uniform(*config.jpeg)))
    return changed


def compress_jpeg(crop: Image, quality: int) -> Image:
    """Compress a uint8 image (H, W, bands) as JPEG and decode it again, three bands together or each alone.

    Args:
        crop: not changed.
        quality: of JPEG, 1 to 100.
    """
    groups = [crop] if crop.shape[2] == 3 else np.split(crop, crop.shape[2], axis=2)
    decoded = []
    for group in groups:
        _, encoded = cv2.imencode(".jpg", group, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded.append(as_uint8(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)).reshape(group.shape))
    return np.concatenate(decoded, axis=2)


def shift_hsv(crop: Image, limits: tuple[float, float, float], rng: np.random.Generator) -> Image:
    """Shift hue, saturation and value of an RGB image at random, as D-LinkNet does.

    Hue wraps around at 180, OpenCV's full circle (upstream lets the byte overflow at 256, a hue that does not exist);
    saturation and value are clipped.

    Args:
        crop: uint8 (H, W, 3).
        limits: largest shift of hue (of 180), saturation and value (of 255).
        rng: generator.
    """
    hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV).astype(np.int16)
    shifts = [round(rng.uniform(-limit, limit)) for limit in limits]
    hsv[:, :, 0] = (hsv[:, :, 0] + shifts[0]) % 180
    hsv[:, :, 1:] = np.clip(hsv[:, :, 1:] + np.array(shifts[1:], np.int16), 0, 255)
    return as_uint8(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB))
