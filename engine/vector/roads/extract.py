"""Extract a road network from a probability raster and write it to a vector file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ...concurrency import SharedProgress, available_cores, limit_threads, run_in_background
from ...context import Cancellation, RunContext
from ...protocol.layer_names import AREAS, CHANGES, NODES, ROADS
from ...protocol.messages import Progress
from ...protocol.options import RasterOptions, RoadOptions
from ...raster.band_facts import interpret_band
from ...raster.dataset import open_raster
from ...raster.probability import ProbabilityRaster, open_probability_raster
from ...raster.values import Encoding
from ..conflation import ExistingRoads
from ..coverage.extract import CoverageBatch
from ..geodesy import PixelGeodesy, locate_pixels
from ..io.formats import VectorTarget, check_vector_output
from ..io.reader import make_reference
from ..io.styles import load_styles
from ..io.writer import VectorWriter, open_vector_writer
from ..jit import warn_without_numba
from .areas import polygonize_roads
from .centerlines import Tile, find_centerlines
from .cleaning import drop_weak_components, merge_junctions, prune_spurs, trim_tails
from .gaps import close_gaps, list_angles, make_gap_rules
from .graph import Graph, trace
from .layers import KINDS, NetworkAttributes, classify_nodes, write_areas, write_changes, write_lines, write_nodes
from .lines import make_lines
from .links import join_pieces
from .options import pixel_options
from .ordering import sort_network
from .pairs import MIN_LENGTH, find_pairs
from .placement import place_nodes

#: Opens the probabilities for a ``with`` block.
OpenProbability = Callable[[], AbstractContextManager[ProbabilityRaster]]

#: Before gaps are closed, components shorter than this share of ``min_length`` are dropped as noise: between two gaps
#: less than that is left of a road.
NOISE_SHARE = 0.1
#: Dead ends are cut back to a closed gap beyond which there is less road than this share of ``min_length``.
TAIL_SHARE = 0.25
#: That is looked at for so many metres of a dead end.
LONGEST_TAIL = 150.0
#: Before gaps are closed, a component with this many metres of road need not reach the strong threshold: what is far
#: off would otherwise decide about the gaps here.
LONG = 300.0
#: Before gaps are closed, only dead ends shorter than this (metres) are pruned: a longer one may go on beyond a gap.
BUMP = 6.0
#: Areas of larger rasters (pixels) are polygonized after the lines, because both together take too much memory.
_MAX_PARALLEL_PIXELS = 1_000_000_000


@dataclass(frozen=True)
class RoadSummary:
    """Summary of a road network.

    Attributes:
        length: metres of road.
        edges: features in ``roads``.
        nodes: features in ``road_nodes``.
        pieces: connected components.
        dead_ends: nodes of degree one that are not at the raster's border.
        bridged: metres of closed gaps.
        areas: features in ``road_areas``; 0 without that layer.
        area: square metres of ``road_areas``.
        layers: the file of each layer.
        changes: metres kept, new, gone, moved and not examined, where the network was conflated with an existing one.
    """

    length: float
    edges: int
    nodes: int
    pieces: int
    dead_ends: int
    bridged: float
    areas: int
    area: float
    layers: Mapping[str, Path]
    changes: Mapping[str, float | int | str | None] = field(default_factory=dict)

    def metrics(self) -> dict[str, float | int | str | None]:
        """Return the values of the result event."""
        values = asdict(self)
        del values["layers"], values["changes"]
        return {**values, **self.changes}


def vectorize_roads(
    probability: Path,
    target: VectorTarget,
    options: RoadOptions,
    *,
    context: RunContext,
    encoding: Encoding | None = None,
    existing: ExistingRoads | None = None,
) -> RoadSummary:
    """Extract the road network of a probability raster or mask.

    Layers: ``roads`` (lines between nodes), ``road_nodes`` (points), ``road_areas`` (polygons of the road mask) and,
    with an existing network, ``road_changes`` (lines).

    Args:
        probability: the raster, of this program or another one.
        target: the file to write.
        options: thresholds and tolerances.
        context: receives progress and messages; checked for cancellation.
        encoding: the band with the probabilities and the meaning of its values; the raster decides where None.
        existing: lines to conflate the new network with.

    Raises:
        SourceError: the raster cannot be used.
        OutputError: the output cannot be written.
        Cancelled: the run was cancelled; nothing was written.
    """
    check_vector_output(target.path)
    if encoding is None:
        with open_raster(probability) as dataset:
            encoding = interpret_band(dataset, RasterOptions(), "roads", context)
    source = partial(open_probability_raster, probability, encoding)
    return vectorize_probability(source, target, options, name=probability.name, context=context, existing=existing)


def vectorize_probability(
    open_source: OpenProbability,
    target: VectorTarget,
    options: RoadOptions,
    *,
    name: str,
    context: RunContext,
    existing: ExistingRoads | None = None,
) -> RoadSummary:
    """Extract the road network of probabilities from any source; see ``vectorize_roads``.

    Two readers go through the rows from top to bottom at the same time, so rows may still be arriving; parts are read
    once more when gaps are closed.

    Args:
        open_source: opens the probabilities for a ``with`` block; called once per thread that reads.
        target: the file to write.
        options: thresholds and tolerances.
        name: of the raster, for messages.
        context: receives progress and messages; checked for cancellation.
        existing: lines to conflate the new network with.
    """
    warn_without_numba(context)
    target = add_options(target, options)
    with open_source() as source:
        geodesy = locate_pixels(source.crs, source.transform, source.shape, name, context)
        progress = SharedProgress(context.reporter, 2 if options.areas else 1)
        line_context, area_context = (replace(context, reporter=progress.part(number)) for number in (0, 1))
        place, folder = make_reference(name, source.crs, source.transform, source.shape), target.path.absolute().parent
        with (
            _polygonize_in_background(
                open_source, source.shape, geodesy, options=options, context=area_context, scratch=folder
            ) as areas,
            open_vector_writer(target, source.crs, warnings=context.warnings, place=place) as writer,
        ):
            writer.styles.update(load_styles((ROADS, NODES, AREAS, CHANGES)))
            summary = _write_network(
                writer, source, geodesy, name=name, options=options, existing=existing, context=line_context
            )
            # The graph is freed before the areas, which may only be made now.
            count, area = write_areas(writer, areas())
            context.check_cancelled()
            return replace(summary, areas=count, area=area)


def add_options(target: VectorTarget, options: RoadOptions) -> VectorTarget:
    """Add the options of roads to the metadata of a target."""
    used = {f"roads.{key}": str(value) for key, value in asdict(options).items()}
    return replace(target, metadata={**target.metadata, **used})


def build_graph(
    source: ProbabilityRaster,
    options: RoadOptions,
    resolution: float,
    context: RunContext,
    window: Tile | None = None,
) -> Graph:
    """Build the road network of a probability raster, in pixels.

    Args:
        source: the probabilities.
        options: in metres.
        resolution: metres of a pixel.
        context: receives progress; checked for cancellation.
        window: the part of the raster whose network is built; all of it where None. Away from its sides the network is
            that of the whole raster, see ``partitions.halo``.
    """
    pixels = pixel_options(options, resolution)
    threads = limit_threads(options.threads, context) or available_cores()

    area = window or Tile(0, 0, *source.shape)
    centerlines = find_centerlines(source, pixels, area, tile=options.tile, threads=threads, context=context)
    graph = trace(centerlines, source.shape, window)
    del centerlines

    drop_weak_components(graph, pixels.strong_threshold, NOISE_SHARE * pixels.min_length, LONG / resolution)
    bump = min(pixels.spur, BUMP / resolution)
    prune_spurs(graph, bump)
    merge_junctions(graph)
    prune_spurs(graph, bump)

    rules = make_gap_rules(options, resolution)
    angles = list_angles(options.gap_angle)
    close_gaps(graph, source, pixels, rules, angles, cancellation=context.cancellation, threads=threads)

    join_pieces(graph, source, pixels, rules, resolution, cancellation=context.cancellation)
    trim_tails(graph, TAIL_SHARE * pixels.min_length, LONGEST_TAIL / resolution)
    prune_spurs(graph, pixels.spur)
    merge_junctions(graph)
    drop_weak_components(graph, pixels.strong_threshold, pixels.min_length)
    sort_network(graph)
    place_nodes(graph)
    return graph


@contextmanager
def _polygonize_in_background(
    open_source: OpenProbability,
    shape: tuple[int, int],
    geodesy: PixelGeodesy,
    *,
    options: RoadOptions,
    context: RunContext,
    scratch: Path,
) -> Iterator[Callable[[], Iterable[CoverageBatch]]]:
    """Polygonize the road mask in a background thread; yield a function that waits for the polygons.

    Polygons of very large rasters are made when that function is called.
    """

    def polygonize(cancellation: Cancellation) -> Iterator[CoverageBatch]:
        with open_source() as source:
            yield from polygonize_roads(
                source, geodesy, options, replace(context, cancellation=cancellation), scratch=scratch
            )

    if not options.areas:
        yield lambda: ()
    elif shape[0] * shape[1] > _MAX_PARALLEL_PIXELS:
        yield lambda: polygonize(context.cancellation)
    else:
        with run_in_background(lambda cancellation: list(polygonize(cancellation)), context.cancellation) as parts:
            yield parts.result


def _write_network(
    writer: VectorWriter,
    source: ProbabilityRaster,
    geodesy: PixelGeodesy,
    *,
    name: str,
    options: RoadOptions,
    existing: ExistingRoads | None,
    context: RunContext,
) -> RoadSummary:
    """Build the graph and write its layers; the summary is without areas."""
    resolution = geodesy.resolution(source.shape)
    graph = build_graph(source, options, resolution, context)
    context.check_cancelled()
    if not graph.edge_count:
        reached = f"the pieces are shorter than {options.min_length:g} m (--min-length), or all of it is one area"
        context.warn(source.measure().explain_nothing(name, options.threshold, reached))
    attributes = NetworkAttributes(
        graph.ends,
        KINDS[classify_nodes(graph)],
        find_pairs(graph, options.pair_distance / resolution, MIN_LENGTH / resolution),
        f"TerraSpore: {name}" if options.osm_tags else "",
    )
    lines = write_lines(
        writer,
        make_lines(graph, geodesy, smooth=options.smooth / resolution, simplify=options.simplify / resolution),
        attributes,
        lambda done: context.report(Progress("write", done, graph.edge_count)),
        keep=existing is not None,
    )
    changes = (
        {} if existing is None else write_changes(writer, existing, np.concatenate(lines.geometry), source, context)
    )
    context.check_cancelled()
    dead_ends = write_nodes(writer, graph, geodesy, attributes.kinds)
    return RoadSummary(
        length=lines.length,
        edges=graph.edge_count,
        nodes=graph.node_count,
        pieces=len(np.unique(graph.components())) if graph.edge_count else 0,
        dead_ends=dead_ends,
        bridged=lines.bridged,
        areas=0,
        area=0.0,
        layers=writer.paths,
        changes=changes,
    )
