"""Road mask and centre line of one window of quantized probabilities.

Every step depends on a bounded neighbourhood (``PixelOptions.halo`` in total), so that windows with that margin give
the same result as the whole raster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Ints
from .kernels.mask import DISTANCE_SCALE, distance_transform, extract_line_pixels, fill_holes
from .kernels.thinning import thin
from .options import PixelOptions

Probability = NDArray[np.uint8]

#: Pixels in a word of bits.
_WORD = 64
#: Pixels that are cleared beyond both ends of a run along the border, so that nothing outside touches its end pixels.
_CLEAR_MARGIN = 2


@dataclass(frozen=True)
class RoadMask:
    """The road pixels of a window.

    Attributes:
        values: uint8 (rows, stride), 0 or 1; rows are padded with at least two zeros to a multiple of 64.
        runs: int64, positions in the flattened values at which runs of ones start and stop, alternating.
    """

    values: NDArray[np.uint8]
    runs: Ints


@dataclass(frozen=True)
class Centerline:
    """Centre-line pixels of a window, ordered by row and column.

    Attributes:
        row: int32, rows in the window.
        col: int32, columns in the window.
        width: float32, width of the road in pixels.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]


class PixelBounds(NamedTuple):
    """A range of rows and columns; ``bottom`` and ``right`` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int


def gaussian_blur(probability: Probability, sigma: float, radius: int) -> Probability:
    """Smooth quantized probabilities; OpenCV's arithmetic for uint8 is exact, so tiles agree to the bit."""
    if radius == 0:
        return probability
    size = 2 * radius + 1
    return np.asarray(cv2.GaussianBlur(probability, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8)


def merge_carriageways(probability: Probability, options: PixelOptions) -> Probability:
    """Fill the space between parallel carriageways by a morphological closing of the probabilities."""
    if options.closing == 0:
        return probability
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (options.closing // 2) + 1,) * 2)
    return np.asarray(cv2.morphologyEx(probability, cv2.MORPH_CLOSE, element), np.uint8)


def make_road_mask(probability: Probability, options: PixelOptions, bounds: PixelBounds | None = None) -> RoadMask:
    """Make the road mask of a window: smooth, apply the threshold, fill small holes.

    Args:
        probability: uint8 (rows, columns), quantized.
        options: in pixels.
        bounds: the part of the window inside the raster; None where all of it is.
    """
    mask = apply_threshold(gaussian_blur(probability, options.sigma, options.blur_radius), options.threshold)
    if bounds is not None:
        clear_padding(mask.values, bounds, options.border_run, options.border_gap)
        mask = RoadMask(mask.values, _find_runs(mask.values))
    return fill_small_holes(mask, options.hole_area, options.hole_extent)


def apply_threshold(probability: Probability, threshold: int) -> RoadMask:
    """Mark the pixels (rows, columns) with a quantized probability of at least ``threshold``."""
    rows, cols = probability.shape
    values = np.zeros((rows, -(-(cols + 2) // _WORD) * _WORD), np.uint8)
    np.greater_equal(probability, threshold, out=values[:, :cols].view(np.bool_))
    return RoadMask(values, _find_runs(values))


def clear_padding(values: NDArray[np.uint8], bounds: PixelBounds, min_run: int, max_gap: int) -> None:
    """Clear, in place, the mirrored pixels outside the raster next to roads that run along its border.

    Padding mirrors the raster. A road that leaves the raster continues straight in the mirror image, so that its centre
    line ends at the border. A road that runs along the border would become twice as wide there, with its centre line on
    the border; without the mirrored half the line is the middle of the visible part.

    Args:
        values: uint8 (rows, columns), 0 or 1; may be padded with zeros on the right.
        bounds: the part inside the raster.
        min_run: pixels of the shortest run of road along the border; shorter ones are roads that leave the raster.
        max_gap: runs with at most this many pixels between them count as one.
    """
    rows, cols = (bounds.top, bounds.bottom), (bounds.left, bounds.right)
    # Transposed, the left and right sides are the top and bottom ones.
    for view, (first, last), (begin, end) in ((values, rows, cols), (values.T, cols, rows)):
        size = view.shape[1]
        for line, outside in ((view[first], view[:first]), (view[last - 1], view[last:])):
            for start, stop in _long_runs(line[begin:end], min_run, max_gap) if len(outside) else ():
                # A run that reaches a corner of the raster is cleared up to the end of the window.
                clear_from = 0 if start == 0 else max(begin + start - _CLEAR_MARGIN, 0)
                clear_to = size if begin + stop == end else min(begin + stop + _CLEAR_MARGIN, size)
                outside[:, clear_from:clear_to] = 0


def _long_runs(line: NDArray[np.uint8], min_run: int, max_gap: int) -> list[tuple[int, int]]:
    """Find runs of ones of at least ``min_run`` pixels; start and stop (exclusive) of each."""
    ones = np.flatnonzero(line)
    if ones.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(ones) > max_gap + 1)
    starts, stops = ones[np.concatenate(([0], breaks + 1))], ones[np.concatenate((breaks, [ones.size - 1]))] + 1
    is_long = stops - starts >= min_run
    return list(zip(starts[is_long].tolist(), stops[is_long].tolist(), strict=True))


def fill_small_holes(mask: RoadMask, max_area: int, max_extent: int) -> RoadMask:
    """Fill holes (4-connected) of at most ``max_area`` pixels that are at most ``max_extent`` pixels high and wide.

    The limited extent makes the decision local. Holes that the window cuts are not filled. The values are changed in
    place.
    """
    if max_area == 0:
        return mask
    return RoadMask(mask.values, fill_holes(mask.values, mask.runs, max_area, max_extent))


def thin_to_centerline(mask: RoadMask, max_radius: int, core: tuple[int, int, int, int] | None = None) -> Centerline:
    """Thin a road mask to its centre line and measure the width of the road along it.

    Where the mask is wider than twice ``max_radius`` (paved areas), its core is removed first, so that lines are routed
    around it.

    Args:
        mask: the road mask.
        max_radius: largest half width of a road in pixels.
        core: first row, first column, rows and columns of the part whose centre line is returned; None for all.
    """
    rows, stride = mask.values.shape
    largest, distance = _distance(mask)
    if largest > max_radius * DISTANCE_SCALE:
        is_core = distance[2 * stride + 2 : -2 * stride - 2].reshape(rows, stride) > max_radius * DISTANCE_SCALE
        values = np.where(is_core, np.uint8(0), mask.values)
        mask = RoadMask(values, _find_runs(values))
        _, distance = _distance(mask)
    words = np.zeros((stride // _WORD + 2, rows + 2), np.uint64)
    words[1:-1, 1:-1] = np.packbits(mask.values, bitorder="little").view("<u8").reshape(rows, -1).T
    thin(words)
    return Centerline(*extract_line_pixels(words, distance, stride, *(core or (0, 0, rows, stride))))


def _find_runs(values: NDArray[np.uint8]) -> Ints:
    """Find where runs of ones start and stop in a mask whose rows end with zeros."""
    flat = values.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.concatenate((np.zeros(1, np.int64), changes)) if flat[0] else changes


def _distance(mask: RoadMask) -> tuple[int, NDArray[np.uint16]]:
    """Compute the largest distance to the background and the distance of each pixel, see ``distance_transform``."""
    rows, stride = mask.values.shape
    distance = np.zeros((rows + 4) * stride + 4, np.uint16)
    return distance_transform(mask.runs, stride, distance), distance
