"""From probabilities to road surface and its centre line, within one window.

Every function here looks a bounded way around a pixel (``PixelOptions.halo`` in all), so that windows with that much
margin give what the whole raster would.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .edges import Inside, end_at_edges
from .kernels.surface import UNIT, fill_holes, line_pixels, measure_depth
from .kernels.thinning import thin
from .options import PixelOptions

Levels = NDArray[np.uint8]

#: Pixels in a word of bits.
_WORD = 64


@dataclass(frozen=True)
class Surface:
    """The road surface of a window.

    Attributes:
        mask: uint8 (rows, stride), 0 or 1; rows are filled up with at least two zeros to a multiple of 64.
        edges: int64, positions in the flattened mask at which runs of ones begin and end, in turn.
    """

    mask: NDArray[np.uint8]
    edges: NDArray[np.int64]


@dataclass(frozen=True)
class CentreLine:
    """Centre-line pixels of one window, by row and column.

    Attributes:
        row: int32, rows in the window.
        col: int32, columns in the window.
        width: float32, width of the road in pixels.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]


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


def road_surface(levels: Levels, options: PixelOptions, inside: Inside | None = None) -> Surface:
    """The road surface of a window of levels (uint8, probability in units of 1/250), its small holes closed.

    ``inside`` is the part of the window that lies in the raster, where that is not all of it.
    """
    surface = find_surface(blur(levels, options.sigma, options.blur_reach), options.level)
    if inside is not None:
        end_at_edges(surface.mask, inside, options.edge_run, options.edge_gap)
        surface = Surface(surface.mask, _edges(surface.mask))
    return close_holes(surface, options.hole_area, options.hole_extent)


def find_surface(levels: Levels, least: int) -> Surface:
    """The pixels (rows, columns) whose level is ``least`` or more."""
    rows, cols = levels.shape
    mask = np.zeros((rows, -(-(cols + 2) // _WORD) * _WORD), np.uint8)
    np.greater_equal(levels, least, out=mask[:, :cols].view(np.bool_))
    return Surface(mask, _edges(mask))


def close_holes(surface: Surface, area: int, extent: int) -> Surface:
    """Close holes (4-connected) of at most ``area`` pixels that are at most ``extent`` pixels high and wide.

    The limit to the extent makes the decision local. A hole that the window cuts stays. The mask is changed in place.
    """
    if area == 0:
        return surface
    return Surface(surface.mask, fill_holes(surface.mask, surface.edges, area, extent))


def centre_line(surface: Surface, radius: int, core: tuple[int, int, int, int] | None = None) -> CentreLine:
    """Thin the road surface to its centre line and measure its width.

    Where the surface is wider than twice ``radius``, its core is taken out first: lines lead around a place.

    Args:
        surface: the surface.
        radius: largest half width of a road in pixels.
        core: first row, first column, rows and columns of the part whose centre line is returned; None for all.
    """
    rows, stride = surface.mask.shape
    deepest, depth = _depth(surface)
    if deepest > radius * UNIT:
        inside = depth[2 * stride + 2 : -2 * stride - 2].reshape(rows, stride) > radius * UNIT
        mask = np.where(inside, np.uint8(0), surface.mask)
        surface = Surface(mask, _edges(mask))
        _, depth = _depth(surface)
    words = np.zeros((stride // _WORD + 2, rows + 2), np.uint64)
    words[1:-1, 1:-1] = np.packbits(surface.mask, bitorder="little").view("<u8").reshape(rows, -1).T
    thin(words)
    return CentreLine(*line_pixels(words, depth, stride, *(core or (0, 0, rows, stride))))


def _edges(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where runs of ones begin and end in a mask whose rows end with zeros."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate((np.zeros(1, np.int64), edges)) if flat[0] else edges


def _depth(surface: Surface) -> tuple[int, NDArray[np.uint16]]:
    """The greatest depth, and the depth of each pixel as ``measure_depth`` gives it."""
    rows, stride = surface.mask.shape
    depth = np.zeros((rows + 4) * stride + 4, np.uint16)
    return measure_depth(surface.edges, stride, depth), depth
