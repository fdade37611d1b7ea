"""What can be set when a road network is made, in metres, and the same in the pixels of one raster."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ...errors import ParameterError


@dataclass(frozen=True)
class RoadOptions:
    """How probabilities become a road network. All lengths are in metres on the ground.

    Attributes:
        threshold: probability from which a pixel is road, above 0 and below 1.
        strong: probability that a connected piece of road must reach somewhere, at least ``threshold`` (hysteresis);
            None stands for ``threshold`` plus a quarter of what is left to 1.
        blur: standard deviation of the Gaussian on the probabilities before the threshold; 0 for none.
        hole_area: holes in the road surface up to this area (square metres) are closed.
        max_width: what is wider is a place, not a road; lines lead around its core.
        merge_parallel: carriageways with less than this between them become one line; 0 keeps them apart.
        spur: dead ends shorter than this and 1.2 times the road's half width are dropped.
        gap: gaps up to this length are bridged; 0 bridges none.
        gap_angle: largest angle between a dead end and its bridge, in degrees.
        min_length: connected pieces with less length of road in all are dropped.
        smooth: standard deviation along the line of the Gaussian that smooths it; 0 for none.
        simplify: largest distance between a line and its simplification; 0 keeps every vertex.
        areas: whether the layer ``road_areas`` is made.
        minimum_area: pieces of road surface below this area (square metres) are left out of ``road_areas``.
        area_simplify: largest distance between the outline of an area and its simplification; 0 keeps pixel edges.
        tile: side of the tiles in pixels; speed and memory depend on it, the result does not.
        threads: tiles worked on at a time; None for one for each core.
    """

    threshold: float = 0.5
    strong: float | None = None
    blur: float = 2.0
    hole_area: float = 200.0
    max_width: float = 40.0
    merge_parallel: float = 0.0
    spur: float = 6.0
    gap: float = 50.0
    gap_angle: float = 40.0
    min_length: float = 80.0
    smooth: float = 3.0
    simplify: float = 1.0
    areas: bool = True
    minimum_area: float = 100.0
    area_simplify: float = 0.5
    tile: int = 2048
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise ParameterError(f"The threshold is {self.threshold}, but must be above 0 and below 1.")
        if self.strong is not None and not self.threshold <= self.strong <= 1.0:
            raise ParameterError(
                f"The strong threshold is {self.strong}, but must be from the threshold ({self.threshold}) to 1."
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0.0):
                raise ParameterError(f"The option {field.name} is {value}, but must be 0 or more.")
        if self.gap_angle > 180.0:
            raise ParameterError(f"The option gap_angle is {self.gap_angle}, but must be at most 180 degrees.")
        if self.max_width <= 0.0:
            raise ParameterError("The option max_width is 0, but must be above 0.")
        if self.tile < 64:
            raise ParameterError(f"The tile is {self.tile} pixels, but must be at least 64.")
        if self.threads is not None and self.threads < 1:
            raise ParameterError(f"The number of threads is {self.threads}, but must be at least 1.")

    @property
    def strong_threshold(self) -> float:
        """The probability that a connected piece of road must reach somewhere."""
        return self.threshold + 0.25 * (1.0 - self.threshold) if self.strong is None else self.strong


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
