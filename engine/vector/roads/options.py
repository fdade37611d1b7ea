"""Options of the road network in the pixels of one raster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...protocol.options import RoadOptions


@dataclass(frozen=True)
class PixelOptions:
    """The part of the options that concerns pixels, for a raster of one resolution.

    Attributes:
        level: lowest level (probability in units of 1/250) of a road pixel.
        strong_level: level that a connected piece must reach.
        sigma: standard deviation of the Gaussian, pixels.
        hole_area: largest hole that is closed, pixels.
        hole_extent: largest height and width of such a hole, pixels.
        radius: largest half width of a road, pixels.
        close: diameter of the closing that merges parallel carriageways, pixels; 0 for none.
    """

    level: int
    strong_level: int
    sigma: float
    hole_area: int
    hole_extent: int
    radius: int
    close: int

    @property
    def blur_reach(self) -> int:
        """How far the Gaussian looks, pixels."""
        return math.ceil(3.0 * self.sigma) if self.sigma >= 0.4 else 0

    @property
    def edge_run(self) -> int:
        """From so many pixels of road along the raster's edge the road does not leave the raster there."""
        return 3 * self.radius

    @property
    def edge_gap(self) -> int:
        """So many pixels between two such runs do not part them."""
        return self.radius // 2

    @property
    def edge_halo(self) -> int:
        """The halo at the raster's edge, pixels: whether a run is long enough has to be seen, too."""
        return self.halo + self.edge_run + self.edge_gap

    @property
    def halo(self) -> int:
        """How far a centre-line pixel depends on the raster around it, pixels.

        Thinning takes off one layer of a slanting edge (0.71 pixels) in an iteration, which looks two pixels far: three
        radii. The core of a place is found from one radius more.
        """
        return self.blur_reach + 2 * self.close + self.hole_extent + 4 * self.radius + 8


def pixel_options(options: RoadOptions, resolution: float, levels: int = 250) -> PixelOptions:
    """Convert ``options`` for a raster whose pixels measure ``resolution`` metres."""
    area = options.hole_area / resolution**2
    return PixelOptions(
        level=max(1, math.ceil(options.threshold * levels - 1e-9)),
        strong_level=max(1, math.ceil(options.strong_threshold * levels - 1e-9)),
        sigma=options.blur / resolution,
        hole_area=int(area),
        hole_extent=math.ceil(2.0 * math.sqrt(area)),
        radius=max(2, math.ceil(0.5 * (options.max_width + options.merge_parallel) / resolution)),
        close=math.ceil(options.merge_parallel / resolution),
    )
