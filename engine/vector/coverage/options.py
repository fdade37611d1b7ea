"""What can be set when a coverage is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError

#: Codes are 16 bit: class id plus one; 0 is outside of the coverage.
CODES = 65536
#: The minimum mapping unit where none is given, in pixels.
DEFAULT_PIXELS = 16.0


@dataclass(frozen=True)
class CoverageOptions:
    """How a class raster becomes a coverage.

    Attributes:
        minimum_area: minimum mapping unit in square metres; smaller regions are merged into their neighbours. None
            for the area of 16 pixels, 0 to merge none.
        minimum_area_by_class: the same for single classes, by id.
        protected: classes (ids) whose regions are never merged away.
        smooth: whether lines are cut at the corners of pixels, so that slanting borders become straight.
        simplify: largest distance in metres of a dropped vertex from the simplified border; 0 drops none; None for
            the size of a pixel.
        classes: the classes (ids) that are made into areas; None for all. Others are left out, like nodata.
        nodata: a class id that is no class; None for the raster's own nodata value.
        strip: rows worked on at a time; speed and memory depend on it, the result does not.
    """

    minimum_area: float | None = None
    minimum_area_by_class: Mapping[int, float] = field(default_factory=dict)
    protected: frozenset[int] = frozenset()
    smooth: bool = True
    simplify: float | None = None
    classes: frozenset[int] | None = None
    nodata: int | None = None
    strip: int = 512

    def __post_init__(self) -> None:
        areas = {"minimum_area": self.minimum_area or 0.0, "simplify": self.simplify or 0.0}
        areas |= {f"minimum_area of class {key}": value for key, value in self.minimum_area_by_class.items()}
        for name, value in areas.items():
            if not (math.isfinite(value) and value >= 0.0):
                raise ParameterError(f"The option {name} is {value}, but must be 0 or more.")
        if self.strip < 1:
            raise ParameterError(f"The strip is {self.strip} rows, but must be at least 1.")

    def minimum_pixels(self, pixel_area: float) -> NDArray[np.float64]:
        """Pixels that a region of each code needs to stay."""
        minimum = np.full(CODES, DEFAULT_PIXELS if self.minimum_area is None else self.minimum_area / pixel_area)
        for key, value in self.minimum_area_by_class.items():
            minimum[key + 1] = value / pixel_area
        for key in self.protected:
            minimum[key + 1] = 0.0
        return minimum
