"""Synthetic shadows and tree crowns over training images, and cut-out; the labels stay as they are."""

from __future__ import annotations

import cv2
import numpy as np

from ..config import AugmentConfig
from .image_files import Image, Mask, as_uint8

#: Skylight reaches into shadows: bands of the short wavelengths lose less. Factors for red, green and blue.
_SKYLIGHT = np.array([0.92, 1.0, 1.12], np.float32)
#: Mean colour of foliage (red, green, blue), and standard deviations of its brightness and of each band, uint8.
_FOLIAGE, _BRIGHTNESS, _TINT = np.array([60, 82, 50], np.float32), 14.0, 4.0


def add_occlusions(crop: Image, foreground: Mask, config: AugmentConfig, rng: np.random.Generator) -> Image:
    """Cast shadows and plant tree crowns by the chances of ``config``.

    Args:
        crop: uint8 (H, W, bands); not changed.
        foreground: (H, W), where crowns are planted.
        config: chances and ranges.
        rng: generator.
    """
    if config.crown_chance > 0 and rng.random() < config.crown_chance:
        crop = plant_crowns(crop, foreground, config.crowns, rng)
    if config.shadow_chance > 0 and rng.random() < config.shadow_chance:
        crop = cast_shadows(crop, config.shadow, rng)
    return crop


def cast_shadows(crop: Image, light: tuple[float, float], rng: np.random.Generator) -> Image:
    """Darken one to four areas: shadows of buildings (parallelograms of one direction), clouds and trees (ellipses).

    Args:
        crop: uint8 (H, W, bands); not changed.
        light: range of the share of light that is left in a shadow.
        rng: generator.
    """
    height, width = crop.shape[:2]
    shade = np.zeros((height, width), np.float32)
    sun = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(1, 5))):
        centre = rng.uniform(0, 1, 2) * (width, height)
        length, depth = rng.uniform(0.05, 0.4, 2) * max(height, width)
        wall = sun + rng.uniform(0.3, np.pi - 0.3)
        along = np.array([np.cos(wall), np.sin(wall)]) * length / 2
        if rng.random() < 0.7:
            away = np.array([np.cos(sun), np.sin(sun)]) * depth / 2
            corners = centre + np.array([along + away, along - away, -along - away, -along + away])
            cv2.fillPoly(shade, [np.rint(corners).astype(np.int32)], (1.0,))
        else:
            axes = (max(1, round(length / 2)), max(1, round(depth / 2)))
            middle = (round(float(centre[0])), round(float(centre[1])))
            cv2.ellipse(shade, middle, axes, float(np.degrees(wall)), 0, 360, (1.0,), -1)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.5, 2.0))), np.float32)
    left = np.float32(rng.uniform(*light)) * (_SKYLIGHT if crop.shape[2] == 3 else np.ones(crop.shape[2], np.float32))
    factor = 1 + shade[:, :, None] * (left - 1)
    return as_uint8(np.clip(np.rint(crop * factor), 0, 255))


def plant_crowns(crop: Image, foreground: Mask, count: tuple[int, int], rng: np.random.Generator) -> Image:
    """Cover parts of the foreground by tree crowns: lobed, textured, lit from one side.

    Args:
        crop: uint8 (H, W, bands); not changed.
        foreground: (H, W); without any pixel, nothing is planted.
        count: range of their number.
        rng: generator.
    """
    rows, columns = np.nonzero(foreground)
    if not len(rows):
        return crop
    cover = np.zeros(foreground.shape, np.float32)
    for index in rng.integers(len(rows), size=int(rng.integers(count[0], count[1] + 1))):
        radius = rng.uniform(2, 7)
        for _ in range(3):
            offset = rng.normal(0, radius / 2, 2)
            middle = (round(float(columns[index] + offset[0])), round(float(rows[index] + offset[1])))
            cv2.circle(cover, middle, max(1, round(radius * 0.7)), (1.0,), -1)
    height_map = np.asarray(cv2.GaussianBlur(cover, (0, 0), 2.0), np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = np.gradient(height_map)
    lit = 1 + 2.5 * (np.cos(direction) * slope_x + np.sin(direction) * slope_y)
    grain = cv2.GaussianBlur(rng.normal(0, 1, cover.shape).astype(np.float32), (0, 0), 0.8)
    mean = _FOLIAGE if crop.shape[2] == 3 else np.full(crop.shape[2], _FOLIAGE.mean(), np.float32)
    colour = mean + np.float32(rng.normal(0, _BRIGHTNESS)) + rng.normal(0, _TINT, mean.shape).astype(np.float32)
    crowns = colour * lit[:, :, None] + (25 * grain)[:, :, None]
    share = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.6), np.float32)[:, :, None]
    return as_uint8(np.clip(np.rint(crop * (1 - share) + crowns * share), 0, 255))


def cut_out(crop: Image, share: tuple[float, float], rng: np.random.Generator) -> Image:
    """Cover a square of an image (H, W, bands) with grey, as in Cutout (DeVries and Taylor, 2017).

    Args:
        crop: uint8; not changed.
        share: range of the square's side, share of the image's height.
        rng: generator.
    """
    height, width = crop.shape[:2]
    half = max(1, round(rng.uniform(*share) * height / 2))
    y, x = int(rng.integers(height)), int(rng.integers(width))
    covered = crop.copy()
    covered[max(0, y - half) : y + half, max(0, x - half) : x + half] = 127
    return covered
