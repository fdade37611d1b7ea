"""Minimum mapping units of a coverage in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...protocol.options import CoverageOptions

#: Codes are 16 bit: class id plus one; 0 is outside of the coverage.
CODES = 65536
#: The minimum mapping unit where none is given, in pixels.
DEFAULT_PIXELS = 16.0


def minimum_pixels(options: CoverageOptions, pixel_area: float) -> NDArray[np.float64]:
    """Pixels that a region of each code needs to stay.

    Args:
        options: minimum mapping units.
        pixel_area: square metres of a pixel.
    """
    minimum = np.full(CODES, DEFAULT_PIXELS if options.minimum_area is None else options.minimum_area / pixel_area)
    for key, value in options.minimum_area_by_class.items():
        minimum[key + 1] = value / pixel_area
    for key in options.protected:
        minimum[key + 1] = 0.0
    return minimum
