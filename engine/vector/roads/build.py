"""The steps from a raster of levels to the finished graph."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...events import Cancellation, Reporter
from ..source import LEVELS, LevelSource
from .bridge import Bridge, Limits, ReadLevels, find_bridges
from .centre import find_centre_lines
from .graph import Graph, drop_weak, trace
from .junctions import merge_junctions
from .mask import blur
from .options import PixelOptions, RoadOptions, pixel_options
from .prune import prune
from .splice import add_bridges

#: A bridge is something new to bridge to: over an occluded crossing the third one may come in the third round.
BRIDGE_ROUNDS = 4
#: Before bridging, pieces shorter than this share of the smallest piece are noise that bridges must not start from.
NOISE_SHARE = 0.25
#: A road's direction at its end is taken from this many metres.
TAIL = 20.0


def build_graph(
    source: LevelSource, options: RoadOptions, resolution: float, reporter: Reporter, cancellation: Cancellation
) -> Graph:
    """Make the road network of a raster of levels, in pixels.

    Args:
        source: the raster.
        options: in metres.
        resolution: metres of a pixel.
        reporter: hears how far the tiles are.
        cancellation: asked between tiles and steps.
    """
    pixel = pixel_options(options, resolution, LEVELS)
    # No name is kept for the pixels: they are as large as the graph.
    graph = trace(
        find_centre_lines(
            source, pixel, tile=options.tile, threads=options.threads, reporter=reporter, cancellation=cancellation
        )
    )
    cancellation.check()
    graph = clean(graph, options, pixel, resolution)
    limits = Limits(
        gap=options.gap / resolution,
        cosine=math.cos(math.radians(options.gap_angle)),
        tail=TAIL / resolution,
        levels=LEVELS,
    )
    read = blurred_reader(source, pixel)
    bridges: list[Bridge] | None = None
    for _ in range(BRIDGE_ROUNDS):
        bridges = find_bridges(graph, limits, read, cancellation, bridges)
        if not bridges:
            break
        graph = add_bridges(graph, bridges)
    graph = merge_junctions(prune(graph, options.spur / resolution))
    return drop_weak(graph, pixel.strong_level, options.min_length / resolution)


def clean(graph: Graph, options: RoadOptions, pixel: PixelOptions, resolution: float) -> Graph:
    """Drop noise and spurs and merge junctions."""
    graph = drop_weak(graph, pixel.strong_level, NOISE_SHARE * options.min_length / resolution)
    graph = prune(graph, options.spur / resolution)
    graph = merge_junctions(graph)
    return prune(graph, options.spur / resolution)


def blurred_reader(source: LevelSource, options: PixelOptions) -> ReadLevels:
    """A reader of windows of blurred levels."""
    reach = options.blur_reach

    def read(row: int, col: int, height: int, width: int) -> NDArray[np.uint8]:
        levels = source.read_padded(row - reach, col - reach, height + 2 * reach, width + 2 * reach)
        return blur(levels, options.sigma, reach)[reach : reach + height, reach : reach + width]

    return read
