"""The steps from a raster of levels to the finished graph."""

from __future__ import annotations

import math
import os

from ...context import Cancellation, RunContext
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from .centerlines import find_centre_lines
from .gaps import Blurred, Bridge, add_bridges, find_bridges
from .graph import Graph, dissolve, drop_weak, trace
from .junctions import merge_junctions, prune
from .kernels.gaps import Rules
from .options import pixel_options

#: A bridge is something new to bridge to: over an occluded crossing the third one may come in the third round.
BRIDGE_ROUNDS = 4
#: Before bridging, pieces shorter than this share of the smallest piece are noise that bridges must not start from.
NOISE_SHARE = 0.25
#: A road's direction at its end is taken from this many metres.
TAIL = 20.0
#: Within this many gaps along the network a point is no candidate.
DETOUR = 1.6
#: A bridge is at most this many times as long as the gap is wide, and 5 pixels.
WINDING = 1.6
#: How much a bend of 90 degrees adds to the length of a bridge when targets are compared.
BEND = 2.0
#: At this share of the gap's width (and 3 pixels) beside the straight line the cost of a pixel is doubled.
STRAY = 0.15
#: Probability that is added to every pixel's, so that occluded pixels can be crossed.
FLOOR = 0.08


def build_graph(source: ProbabilityRaster, options: RoadOptions, resolution: float, context: RunContext) -> Graph:
    """Make the road network of a raster of levels, in pixels.

    Steps are nested, so that no name is kept for what a step changes: each graph on the way is as large as the last.

    Args:
        source: the raster.
        options: in metres.
        resolution: metres of a pixel.
        context: receives progress and messages; checked for cancellation.
    """
    pixel = pixel_options(options, resolution, PROBABILITY_SCALE)
    threads = options.threads or os.cpu_count() or 1
    spur, length, strong = options.spur / resolution, options.min_length / resolution, pixel.strong_level

    def find_lines() -> Graph:
        return trace(
            find_centre_lines(
                source,
                pixel,
                tile=options.tile,
                threads=threads,
                context=context,
            )
        )

    def clean() -> Graph:
        return prune(merge_junctions(prune(drop_weak(find_lines(), strong, NOISE_SHARE * length), spur)), spur)

    rules, raster = bridge_rules(options, resolution), Blurred(source, pixel.sigma, pixel.blur_reach)
    return drop_weak(
        merge_junctions(prune(bridge_gaps(clean(), rules, raster, context.cancellation, threads), spur)), strong, length
    )


def bridge_gaps(graph: Graph, rules: Rules, raster: Blurred, cancellation: Cancellation, threads: int) -> Graph:
    """The graph with all bridges, round by round; the arguments are those of ``find_bridges``."""
    bridges: list[Bridge] | None = None
    for _ in range(BRIDGE_ROUNDS):
        cancellation.check()
        bridges = find_bridges(graph, rules, raster, cancellation, threads=threads, last=bridges)
        if not bridges:
            break
        graph = add_bridges(graph, bridges)
        graph = dissolve(graph)
    return graph


def bridge_rules(options: RoadOptions, resolution: float) -> Rules:
    """What makes a bridge, in pixels of ``resolution`` metres."""
    return Rules(
        gap=options.gap / resolution,
        cosine=math.cos(math.radians(options.gap_angle)),
        tail=math.ceil(TAIL / resolution),
        detour=DETOUR,
        winding=WINDING,
        bend=BEND,
        stray=STRAY,
        floor=FLOOR,
        levels=PROBABILITY_SCALE,
    )
