"""Road surface as areas: the binary mask through the path of coverages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...context import RunContext
from ...protocol.messages import Progress
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..coverage.codes import N_CODES
from ..coverage.extract import CoverageBatch, build_coverage, merge_batches
from ..geodesy import PixelGeodesy
from .mask import blur
from .options import PixelOptions, pixel_options

#: Codes of pixels that are not road and that are.
NO_ROAD, ROAD = 1, 2
#: Pixels worked on at a time: so many rows that memory does not grow with the width of the raster.
_PIXELS = 10_000_000


class SurfaceReader:
    """Rows of a road mask as codes: ``ROAD`` where the blurred probability reaches the threshold."""

    def __init__(self, source: ProbabilityRaster, options: PixelOptions) -> None:
        self.shape = source.shape
        self._source = source
        self._options = options
        self._table = np.where(np.arange(256) >= options.level, ROAD, NO_ROAD).astype(np.uint8)
        # The rows whose codes were asked for last: their confidence is asked for next.
        self._read: tuple[int, int, NDArray[np.uint8]] = (0, 0, np.zeros((0, 0), np.uint8))

    def read_codes(self, row: int, height: int) -> NDArray[np.uint8]:
        """Codes of some rows."""
        reach, width = self._options.blur_reach, self.shape[1]
        # At the sides the Gaussian itself mirrors what is inside.
        levels = self._source.read_padded(row - reach, 0, height + 2 * reach, width)
        inner = slice(reach, reach + height)
        self._read = row, height, levels[inner]
        if int(levels.max()) < self._options.level:  # and a blurred level is not above the highest
            return np.full((height, width), NO_ROAD, np.uint8)
        return np.asarray(cv2.LUT(blur(levels, self._options.sigma, reach)[inner], self._table), np.uint8)

    def read_confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """The levels themselves."""
        if self._read[:2] == (row, height):
            return self._read[2]
        return self._source.read(row, 0, height, self.shape[1])


def road_areas(
    source: ProbabilityRaster,
    ground: PixelGeodesy,
    options: RoadOptions,
    context: RunContext,
    *,
    scratch: Path | None = None,
) -> Iterator[CoverageBatch]:
    """Polygons of the road surface, in batches to be written at once; one at least.

    Pieces below ``minimum_area`` go and holes below ``hole_area`` are closed, by their true size in the whole raster.
    It may run in a thread beside other work, with a ``source`` of its own: what takes long releases the interpreter's
    lock.

    Args:
        source: the raster.
        ground: where its pixels lie.
        options: thresholds and tolerances.
        context: receives progress and messages; checked for cancellation.
        scratch: folder for what does not fit in memory; None for the system's folder for temporary files.
    """
    resolution = ground.resolution(source.shape)
    minimum = np.zeros(N_CODES)
    minimum[ROAD] = options.minimum_area / resolution**2
    minimum[NO_ROAD] = options.hole_area / resolution**2
    reader = SurfaceReader(source, pixel_options(options, resolution, PROBABILITY_SCALE))

    def check(done: int, total: int) -> None:
        """Report how far the work is, and stop where that was asked for."""
        context.check_cancelled()
        context.report(Progress("vectorize", done, total))

    parts = build_coverage(
        reader,
        ground,
        minimum_pixels=minimum,
        is_included=np.arange(N_CODES) == ROAD,
        smooth=options.area_simplify > 0.0,
        tolerance=options.area_simplify / resolution,
        strip_rows=max(64, _PIXELS // source.shape[1]),
        scratch=scratch,
        on_progress=check,
    )
    yield from merge_batches(parts)
