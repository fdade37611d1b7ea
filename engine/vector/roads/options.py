"""Options for road extraction in the pixels of one raster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import ParameterError
from ...protocol.options import RoadOptions
from ...raster.probability import quantize_threshold

#: Pixels around a tile, and standard deviation of the smoothing of lines, from which memory and time have no end.
_MAX_HALO, _MAX_SMOOTH = 16_384, 500


@dataclass(frozen=True)
class PixelOptions:
    """Road options in the pixels and the quantized probabilities (0 to 250) of one raster.

    Attributes:
        threshold: lowest quantized probability of a road pixel.
        strong_threshold: quantized probability that a connected piece must reach.
        sigma: standard deviation of the Gaussian filter, pixels.
        hole_area: area of the largest hole that is filled, pixels.
        hole_extent: height and width of the largest hole that is filled, pixels.
        max_radius: largest half width of a road, pixels.
        closing: diameter of the morphological closing that merges parallel carriageways, pixels; 0 for none.
        spur: dead ends shorter than this plus 1.2 half widths are dropped, pixels.
        min_length: smallest total length of a connected piece, pixels.
    """

    threshold: int
    strong_threshold: int
    sigma: float
    hole_area: int
    hole_extent: int
    max_radius: int
    closing: int
    spur: float
    min_length: float

    @property
    def blur_radius(self) -> int:
        """Radius of the Gaussian kernel, pixels."""
        return math.ceil(3.0 * self.sigma) if self.sigma >= 0.4 else 0

    @property
    def border_run(self) -> int:
        """Roads that cover at least this many pixels of the raster's border run along it; others leave the raster."""
        return 3 * self.max_radius

    @property
    def border_gap(self) -> int:
        """Gaps of up to this many pixels do not divide a run along the border."""
        return self.max_radius // 2

    @property
    def halo(self) -> int:
        """The margin, in pixels, that a tile needs for the same centre lines as the whole raster.

        Thinning removes one layer of a slanting edge (0.71 pixels) per iteration, which looks two pixels far: that
        makes three radii. The core of a paved area is found from one radius more.
        """
        return self.blur_radius + 2 * self.closing + self.hole_extent + 4 * self.max_radius + 8

    @property
    def border_halo(self) -> int:
        """The margin at the raster's border, pixels: it also has to show whether a run is long enough."""
        return self.halo + self.border_run + self.border_gap


def pixel_options(options: RoadOptions, resolution: float) -> PixelOptions:
    """Convert ``options`` for a raster with pixels of ``resolution`` metres.

    Raises:
        ParameterError: a length is so large in these pixels that memory or time would not be enough.
    """
    reach = {
        "--blur": 3 * options.blur / resolution,
        "--hole-area": 2 * math.sqrt(options.hole_area) / resolution,
        "--max-width": 4 * options.max_width / resolution,
        "--merge-parallel": 6 * options.merge_parallel / resolution,
        "--smooth": options.smooth / resolution * _MAX_HALO / _MAX_SMOOTH,
    }
    option, pixels = max(reach.items(), key=lambda item: item[1])
    if pixels > _MAX_HALO:
        raise ParameterError(
            f"{option} is too large for pixels of {resolution:.3g} m.", "Choose a smaller value, or a coarser raster."
        )
    hole_area = options.hole_area / resolution**2
    return PixelOptions(
        threshold=quantize_threshold(options.threshold),
        strong_threshold=quantize_threshold(options.strong_threshold),
        sigma=options.blur / resolution,
        hole_area=int(hole_area),
        hole_extent=math.ceil(2.0 * math.sqrt(hole_area)),
        max_radius=max(2, math.ceil(0.5 * (options.max_width + options.merge_parallel) / resolution)),
        closing=math.ceil(options.merge_parallel / resolution),
        spur=options.spur / resolution,
        min_length=options.min_length / resolution,
    )
