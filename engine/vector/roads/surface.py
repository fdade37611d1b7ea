"""Road surface as areas: the binary mask through the path of coverages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...events import Cancellation, Progress, Reporter
from ..coverage.build import CoveragePart, build_coverage
from ..coverage.options import CODES
from ..ground import Ground
from ..source import LEVELS, LevelSource
from .mask import blur
from .options import PixelOptions, RoadOptions, pixel_options

#: Codes of pixels that are not road and that are.
NO_ROAD, ROAD = 1, 2
#: Rows worked on at a time.
_STRIP = 1024


class SurfaceReader:
    """Rows of a road mask as codes: ``ROAD`` where the blurred probability reaches the threshold."""

    def __init__(self, source: LevelSource, options: PixelOptions) -> None:
        self.shape = source.shape
        self._source = source
        self._options = options

    def codes(self, row: int, height: int) -> NDArray[np.uint16]:
        """Codes of some rows."""
        reach = self._options.blur_reach
        width = self.shape[1]
        levels = self._source.read_padded(row - reach, -reach, height + 2 * reach, width + 2 * reach)
        smooth = blur(levels, self._options.sigma, reach)[reach : reach + height, reach : reach + width]
        return (smooth >= self._options.level).astype(np.uint16) + np.uint16(NO_ROAD)

    def confidence(self, row: int, height: int) -> NDArray[np.uint8]:
        """The levels themselves."""
        return self._source.read(row, 0, height, self.shape[1])


def road_areas(
    source: LevelSource, ground: Ground, options: RoadOptions, reporter: Reporter, cancellation: Cancellation
) -> Iterator[CoveragePart]:
    """Polygons of the road surface.

    Pieces below ``minimum_area`` go and holes below ``hole_area`` are closed, by their true size in the whole raster.
    """
    resolution = ground.resolution(source.shape)
    minimum = np.zeros(CODES)
    minimum[ROAD] = options.minimum_area / resolution**2
    minimum[NO_ROAD] = options.hole_area / resolution**2
    reader = SurfaceReader(source, pixel_options(options, resolution, LEVELS))

    def check(done: int, total: int) -> None:
        cancellation.check()
        reporter.emit(Progress("vectorize", done, total))

    yield from build_coverage(
        reader,
        ground,
        minimum=minimum,
        wanted=np.arange(CODES) == ROAD,
        smooth=options.area_simplify > 0.0,
        simplify=options.area_simplify / resolution,
        strip=_STRIP,
        check=check,
    )
