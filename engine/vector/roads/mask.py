"""From probabilities to road surface and its centre line, within one window.

Every function here looks a bounded way around a pixel (``PixelOptions.halo`` in all), so that windows with that much
margin give what the whole raster would.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from .options import PixelOptions

Levels = NDArray[np.uint8]
Mask = NDArray[np.uint8]


def blur(levels: Levels, sigma: float, reach: int) -> Levels:
    """Gaussian of ``levels``; OpenCV's arithmetic for uint8 is exact, so tiles agree to the bit."""
    if reach == 0:
        return levels
    size = 2 * reach + 1
    return np.asarray(cv2.GaussianBlur(levels, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8)


def merge_parallel(levels: Levels, options: PixelOptions) -> Levels:
    """Close what lies between carriageways, where that is asked for: a closing of the probabilities themselves."""
    if options.close == 0:
        return levels
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (options.close // 2) + 1,) * 2)
    return np.asarray(cv2.morphologyEx(levels, cv2.MORPH_CLOSE, element), np.uint8)


def road_surface(levels: Levels, options: PixelOptions) -> Mask:
    """The road surface (uint8, 0 or 1) of a window of levels (uint8, probability in units of 1/250)."""
    smooth = blur(levels, options.sigma, options.blur_reach)
    mask = np.asarray(cv2.threshold(smooth, options.level - 1, 1, cv2.THRESH_BINARY)[1], np.uint8)
    return close_holes(mask, options.hole_area, options.hole_extent)


def close_holes(mask: Mask, area: int, extent: int) -> Mask:
    """Close holes (4-connected) of at most ``area`` pixels that are at most ``extent`` pixels high and wide.

    The limit to the extent makes the decision local. A hole that the window cuts stays.
    """
    if area == 0 or not mask.any():
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    left, top, wide, high, size = stats.T
    small = (size <= area) & (wide <= extent) & (high <= extent)
    small &= (left > 0) & (top > 0) & (left + wide < mask.shape[1]) & (top + high < mask.shape[0])
    small[0] = False  # the road surface itself
    if not small.any():
        return mask
    return np.asarray(mask | small[labels], np.uint8)


@dataclass(frozen=True)
class CentreLine:
    """Centre-line pixels of one window, in row order.

    Attributes:
        row: int32, rows in the window.
        col: int32, columns in the window.
        width: float32, width of the road in pixels.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]


def centre_line(surface: Mask, radius: int) -> CentreLine:
    """Thin the road surface to its centre line (Zhang and Suen, 1984) and measure its width.

    Where the surface is wider than twice ``radius``, its core is taken out first: lines lead around a place.

    Args:
        surface: uint8 (rows, columns), 0 or 1.
        radius: largest half width of a road in pixels.
    """
    distance = cv2.distanceTransform(surface, cv2.DIST_L2, cv2.DIST_MASK_5)
    core = distance > radius
    if core.any():
        surface = np.where(core, 0, surface).astype(np.uint8)
        distance = cv2.distanceTransform(surface, cv2.DIST_L2, cv2.DIST_MASK_5)
    row, col = np.nonzero(skeletonize(surface.view(np.bool_)))
    width = _width(np.asarray(distance, np.float32), row, col)
    return CentreLine(row.astype(np.int32), col.astype(np.int32), width)


def _width(distance: NDArray[np.float32], row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.float32]:
    """Width across the line from the distances at a pixel and beside it.

    For a stripe of w pixels the distances across it are 1, 2, ..., 2, 1; the sum of the two largest is w whether w is
    odd or even. Beside the line is the axis along which the larger neighbour is the smaller one.
    """
    last_row, last_col = distance.shape[0] - 1, distance.shape[1] - 1
    down = np.maximum(distance[np.maximum(row - 1, 0), col], distance[np.minimum(row + 1, last_row), col])
    across = np.maximum(distance[row, np.maximum(col - 1, 0)], distance[row, np.minimum(col + 1, last_col)])
    return np.asarray(np.maximum(distance[row, col] + np.minimum(down, across), 1.0), np.float32)
