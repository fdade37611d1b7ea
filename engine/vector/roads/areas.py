"""Polygonize the road mask, as a coverage of the classes road and background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...context import RunContext
from ...protocol.options import CoverageOptions, RoadOptions
from ...raster.probability import ProbabilityRaster
from ..coverage.extract import CoverageBatch, merge_batches, stream_coverage
from ..geodesy import PixelGeodesy
from .centerlines import Tile
from .mask import gaussian_blur
from .options import PixelOptions, pixel_options

#: Class codes.
BACKGROUND, ROAD = 1, 2


class RoadMaskReader:
    """Read rows of a probability raster as class codes: ``ROAD`` where the smoothed probability is high enough.

    Args:
        source: the probabilities.
        options: smoothing and threshold.
        window: the part of the raster that is read, with the codes of the whole; None for all of it.
    """

    def __init__(self, source: ProbabilityRaster, options: PixelOptions, window: Tile | None = None) -> None:
        self._window = window or Tile(0, 0, *source.shape)
        self.shape = self._window.height, self._window.width
        self._source = source
        self._options = options
        # No margin at the sides of the raster: the Gaussian filter mirrors it there itself.
        self._side = options.blur_radius if self._window.width < source.shape[1] else 0
        self._table = np.where(np.arange(256) >= options.threshold, ROAD, BACKGROUND).astype(np.uint8)
        # The rows read last: their confidence is asked for after their codes.
        self._last: tuple[int, int, NDArray[np.uint8]] = (0, 0, np.zeros((0, 0), np.uint8))

    def read_codes(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the class codes of some rows."""
        margin, side, (top, left, _, width) = self._options.blur_radius, self._side, self._window
        probability = self._source.read_padded(top + row - margin, left - side, height + 2 * margin, width + 2 * side)
        inner = np.s_[margin : margin + height, side : side + width]
        self._last = row, height, probability[inner]
        if int(probability.max()) < self._options.threshold:  # smoothing does not raise the maximum
            return np.full((height, width), BACKGROUND, np.uint8)
        smoothed = gaussian_blur(probability, self._options.sigma, margin)[inner]
        return np.asarray(cv2.LUT(np.ascontiguousarray(smoothed), self._table), np.uint8)

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """Read the quantized probabilities of some rows."""
        if self._last[:2] == (row, height):
            return self._last[2]
        return self._source.read(self._window.row + row, self._window.col, height, self._window.width)


def polygonize_roads(
    source: ProbabilityRaster,
    geodesy: PixelGeodesy,
    options: RoadOptions,
    context: RunContext,
    *,
    scratch: Path | None = None,
) -> Iterator[CoverageBatch]:
    """Make the polygons of the road mask, in at least one batch.

    Polygons below ``minimum_area`` are dropped and holes below ``hole_area`` are filled, by their size in the whole
    raster. Long steps release the GIL, so that this can run in a thread, with a ``source`` of its own.

    Args:
        source: the probabilities.
        geodesy: of the raster.
        options: thresholds and tolerances.
        context: receives progress; checked for cancellation.
        scratch: folder for temporary files; None for the system's.
    """
    mask = RoadMaskReader(source, pixel_options(options, geodesy.resolution(source.shape)))
    coverage = area_options(options, source.shape[0])
    return merge_batches(stream_coverage(mask, geodesy, coverage, context, scratch))


def area_options(options: RoadOptions, rows: int) -> CoverageOptions:
    """Return the options of the coverage of the road mask, for a raster of ``rows`` rows."""
    return CoverageOptions(
        minimum_area=0.0,
        minimum_area_by_class={ROAD - 1: options.minimum_area, BACKGROUND - 1: options.hole_area},
        classes=frozenset({ROAD - 1}),
        simplify=options.area_simplify,
        smooth=options.area_simplify > 0.0,
        strip=rows,
    )
