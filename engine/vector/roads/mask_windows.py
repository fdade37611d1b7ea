"""Read windows of the road mask as class codes, the same as those of the whole raster."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...raster.probability import ProbabilityRaster
from .areas import BACKGROUND, ROAD
from .centerlines import Tile
from .mask import gaussian_blur
from .options import PixelOptions


class RoadMaskWindow:
    """Read rows of a window of a probability raster as class codes, as ``RoadMaskReader`` does of the whole.

    Args:
        source: the probabilities of the whole raster.
        options: smoothing and threshold.
        window: the window.
    """

    def __init__(self, source: ProbabilityRaster, options: PixelOptions, window: Tile) -> None:
        self.shape = (window.height, window.width)
        self._source, self._options, self._window = source, options, window

    def read_codes(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the class codes of some rows."""
        margin, window, threshold = self._options.blur_radius, self._window, self._options.threshold
        probability = self._source.read_padded(
            window.row + row - margin, window.col - margin, height + 2 * margin, window.width + 2 * margin
        )
        if int(probability.max()) < threshold:  # smoothing does not raise the maximum
            return np.full((height, window.width), BACKGROUND, np.uint8)
        inside = np.s_[margin : margin + height, margin : margin + window.width]
        smoothed = gaussian_blur(probability, self._options.sigma, margin)[inside]
        table = np.where(np.arange(256) >= threshold, ROAD, BACKGROUND).astype(np.uint8)
        return np.asarray(cv2.LUT(np.ascontiguousarray(smoothed), table), np.uint8)

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the quantized probabilities of some rows."""
        return self._source.read(self._window.row + row, self._window.col, height, self._window.width)
