"""How a raster is divided into partitions, and how far the network of a partition looks beyond its border."""

from __future__ import annotations

import itertools
import math

from ...protocol.options import RoadOptions
from ..roads.centerlines import Tile
from ..roads.extract import LONG
from ..roads.links import DETOUR_LENGTH, LONGEST, REACH_SHARE
from ..roads.options import pixel_options

#: Side of a partition in pixels: its network takes some 100 MB.
PARTITION = 16_384
#: Rings up to this border, in pixels, may be roundabouts, whose junctions are placed by the whole ring.
_RING = 300


def network_halo(options: RoadOptions, resolution: float) -> int:
    """Return how many pixels the network of a partition reaches beyond it, so that inside it is that of the raster.

    Cutting a raster changes roads by up to 210 pixels from the cut (measured on degraded networks with a pixel of one
    metre). The halo leaves room for a component that is long enough to stay or to be joined, a way that connects two
    roads, which leads there and back, two closed gaps in a row, and the spurs and junctions that depend on them.

    Args:
        options: of the roads.
        resolution: metres of a pixel.
    """
    pixels = pixel_options(options, resolution)
    length = (max(LONG, LONGEST, options.min_length) + DETOUR_LENGTH / 2) / resolution
    gaps = (2 + REACH_SHARE) * options.gap / resolution
    return math.ceil(_RING + length + gaps + 2 * pixels.spur + 4 * pixels.max_radius)


def reading_margin(options: RoadOptions, resolution: float) -> int:
    """Return how many pixels around a partition its network reads."""
    return network_halo(options, resolution) + pixel_options(options, resolution).border_halo


def split_raster(shape: tuple[int, int], size: int = PARTITION) -> list[Tile]:
    """Split a raster of ``shape`` (rows, columns) into partitions of ``size`` pixels a side, row by row.

    The last ones of each axis have up to half as much more, so that no partition is narrow.
    """
    rows, cols = (_split_axis(length, size) for length in shape)
    return [
        Tile(top, left, bottom - top, right - left)
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(cols)
    ]


def _split_axis(length: int, size: int) -> list[int]:
    count = max(1, round(length / size))
    return [*(number * size for number in range(count)), length]


def grow(window: Tile, margin: int, shape: tuple[int, int]) -> Tile:
    """Return the window with a margin on all sides, as far as the raster of ``shape`` reaches."""
    top, left = max(window.row - margin, 0), max(window.col - margin, 0)
    bottom = min(window.row + window.height + margin, shape[0])
    right = min(window.col + window.width + margin, shape[1])
    return Tile(top, left, bottom - top, right - left)
