"""Road network from a probability raster to a file: the flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from ...concurrency import ReadAhead, SharedProgress, run_in_background
from ...context import Cancellation, RunContext
from ...protocol.messages import Message, Progress
from ...protocol.options import RoadOptions
from ...raster.probability import PROBABILITY_SCALE, Encoding, ProbabilityRaster, open_probability_raster
from ..conflation import NEW, ExistingRoads
from ..coverage.extract import CoverageBatch
from ..geodesy import PixelGeodesy
from ..io.formats import check_vector_output
from ..io.styles import load_styles
from ..io.writer import VectorWriter, open_vector_writer
from ..jit import warn_without_numba
from .areas import road_areas
from .build import build_graph
from .graph import Graph, components
from .lines import node_positions, road_lines

#: Gives levels to read, for a ``with`` block.
OpenProbability = Callable[[], AbstractContextManager[ProbabilityRaster]]

ROADS, NODES, AREAS, CHANGES = "roads", "road_nodes", "road_areas", "road_changes"

#: Areas of larger rasters (in pixels) are made after the lines: both together would take too much memory.
_MOST_BESIDE = 1_000_000_000


@dataclass(frozen=True)
class RoadSummary:
    """Figures of a road network.

    Attributes:
        length: metres of road.
        edges: features in ``roads``.
        nodes: features in ``road_nodes``.
        pieces: connected pieces.
        dead_ends: nodes of degree one that are not at the raster's edge.
        bridged: metres that bridge gaps.
        areas: features in ``road_areas``; 0 where that layer was not asked for.
        area: square metres of road surface in ``road_areas``.
        layers: the file of each layer.
        changes: metres kept, new, gone and moved, where the network was conflated with an existing one.
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
    output: Path,
    options: RoadOptions,
    *,
    metadata: Mapping[str, str],
    context: RunContext,
    band: int = 1,
    encoding: Encoding | None = None,
    crs: object | None = None,
    existing: ExistingRoads | None = None,
) -> RoadSummary:
    """Make a road network of a probability raster or mask.

    Layers: ``roads`` (lines between nodes), ``road_nodes`` (points), ``road_areas`` (polygons of the surface) and,
    where there is an existing network, ``road_changes`` (lines).

    Args:
        probability: the raster, this program's or anybody's.
        output: the file to write; its suffix says the format.
        options: thresholds and tolerances.
        metadata: what made the probabilities, to be stored with the layers.
        context: receives progress and messages; checked for cancellation.
        band: the band with the probabilities, from 1.
        encoding: what its values mean; recognised where None.
        crs: CRS of the output; that of the raster where None.
        existing: lines to conflate the new network with.

    Raises:
        SourceError: the raster cannot be used.
        OutputError: the output cannot be written.
        Cancelled: the person cancelled; nothing was written.
    """
    check_vector_output(output)
    with open_probability_raster(probability, band, encoding) as source:
        known = source.encoding
    return vectorize_probability(
        partial(open_probability_raster, probability, band, known),
        output,
        options,
        name=probability.name,
        metadata=metadata,
        context=context,
        crs=crs,
        existing=existing,
    )


def vectorize_probability(
    open_source: OpenProbability,
    output: Path,
    options: RoadOptions,
    *,
    name: str,
    metadata: Mapping[str, str],
    context: RunContext,
    crs: object | None = None,
    existing: ExistingRoads | None = None,
) -> RoadSummary:
    """Make a road network of levels, wherever they come from; see ``vectorize_roads``.

    They are looked at from top to bottom by two readers at the same time, so that rows may still be on their way, and
    then once more here and there.

    Args:
        open_source: gives the levels, for a ``with`` block; called once for each thread that reads.
        output: the file to write.
        options: thresholds and tolerances.
        name: of the raster, for remarks.
        metadata: to be stored with the layers.
        context: receives progress and messages; checked for cancellation.
        crs: CRS of the output; that of the raster where None.
        existing: lines to conflate the new network with.
    """
    warn_without_numba(context)
    described = {**metadata, **{f"roads.{key}": str(value) for key, value in asdict(options).items()}}
    styles = load_styles((ROADS, NODES, AREAS, CHANGES))
    with open_source() as source:
        progress = SharedProgress(context.reporter, 2 if options.areas else 1)
        run = _Run(source, _ground(source, name, context), options, progress, context)
        with (
            _areas(run, open_source, output) as areas,
            open_vector_writer(output, source_crs=source.crs, crs=crs, metadata=described, styles=styles) as writer,
        ):
            # The graph is gone when areas are written: where they are made only then, it would take their room.
            summary = _write_network(run, writer, existing)
            count, area = _write_areas(writer, areas())
            context.check_cancelled()
            return replace(summary, areas=count, area=area)


@dataclass(frozen=True)
class _Run:
    """What all steps of one run need."""

    source: ProbabilityRaster
    ground: PixelGeodesy
    options: RoadOptions
    progress: SharedProgress
    context: RunContext

    @property
    def resolution(self) -> float:
        """Metres of a pixel."""
        return self.ground.resolution(self.source.shape)


@contextmanager
def _areas(run: _Run, open_source: OpenProbability, output: Path) -> Iterator[Callable[[], Iterable[CoverageBatch]]]:
    """Give what gives the areas: they are made beside the lines, or, where memory could not hold both, when asked."""

    def surface(cancellation: Cancellation) -> Iterator[CoverageBatch]:
        context = replace(run.context, reporter=run.progress.part(1), cancellation=cancellation)
        with open_source() as source:
            yield from road_areas(source, run.ground, run.options, context, scratch=output.absolute().parent)

    if not run.options.areas:
        yield lambda: ()
    elif run.source.shape[0] * run.source.shape[1] > _MOST_BESIDE:
        yield lambda: surface(run.context.cancellation)
    else:
        with run_in_background(lambda cancellation: list(surface(cancellation)), run.context.cancellation) as parts:
            yield parts.result


def _write_network(run: _Run, writer: VectorWriter, existing: ExistingRoads | None) -> RoadSummary:
    """Make the graph and write its layers; the areas are not in the summary yet."""
    context = replace(run.context, reporter=run.progress.part(0))
    graph = build_graph(run.source, run.options, run.resolution, context)
    run.context.check_cancelled()
    length, bridged, lines = _write_edges(writer, graph, run, keep=existing is not None)
    changes = {} if existing is None else _write_changes(writer, existing, np.concatenate(lines), run.ground)
    run.context.check_cancelled()
    return RoadSummary(
        length=length,
        edges=graph.edges,
        nodes=graph.nodes,
        pieces=len(np.unique(components(graph))) if graph.edges else 0,
        dead_ends=_write_nodes(writer, graph, run.ground),
        bridged=bridged,
        areas=0,
        area=0.0,
        layers=writer.paths,
        changes=changes,
    )


def _ground(source: ProbabilityRaster, name: str, context: RunContext) -> PixelGeodesy:
    """Where the raster lies; what is not as usual about it is said."""
    if not source.encoding.is_quantized:
        context.report(Message(f"{name} is read as {source.encoding.name}."))
    ground = PixelGeodesy(source.crs, source.transform)
    if not ground.is_metric:
        context.report(Message(f"{name} has no CRS: its units are taken as metres.", "warning"))
    return ground


def _write_edges(
    writer: VectorWriter, graph: Graph, run: _Run, *, keep: bool
) -> tuple[float, float, list[NDArray[np.object_]]]:
    """Write the layer of lines; returns metres of road and of bridges, and the lines, if they are to be kept."""
    length = bridged = 0.0
    done = 0
    written: list[NDArray[np.object_]] = []
    smooth, simplify = run.options.smooth / run.resolution, run.options.simplify / run.resolution
    made = road_lines(graph, run.ground, smooth=smooth, simplify=simplify, levels=PROBABILITY_SCALE)
    with ReadAhead(made) as ahead:
        for lines in ahead:
            count = len(lines.geometry)
            writer.write(
                ROADS,
                "LineString",
                lines.geometry,
                {
                    "road_id": np.arange(done + 1, done + count + 1, dtype=np.int64),
                    "from_node": lines.ends[:, 0].astype(np.int64) + 1,
                    "to_node": lines.ends[:, 1].astype(np.int64) + 1,
                    "length": np.round(lines.length, 3),
                    "width": np.round(lines.width, 2),
                    "width_sd": np.round(lines.width_spread, 2),
                    "confidence": np.round(lines.confidence, 3),
                    "bridged": lines.bridged > 0.0,
                    "bridged_m": np.round(lines.bridged, 2),
                },
            )
            done += count
            if keep:
                written.append(lines.geometry)
            length, bridged = length + float(lines.length.sum()), bridged + float(lines.bridged.sum())
            run.progress.emit(0, Progress("write", done, graph.edges))
    return length, bridged, written


def _write_changes(
    writer: VectorWriter, existing: ExistingRoads, lines: NDArray[np.object_], ground: PixelGeodesy
) -> dict[str, float | int | str | None]:
    """Write the layer of changes; returns their metrics."""
    changes = existing.conflate(lines, ground.crs)
    is_new = changes.change == NEW
    columns = {
        "change": changes.change,
        "existing": np.where(is_new, 0, changes.source + 1).astype(np.int64),
        "road_id": np.where(is_new, changes.source + 1, 0).astype(np.int64),
        "distance": np.round(changes.distance, 2),
        "length": np.round(changes.length, 2),
    }
    writer.write(CHANGES, "LineString", changes.geometry, columns)
    return changes.metrics()


def _write_nodes(writer: VectorWriter, graph: Graph, ground: PixelGeodesy) -> int:
    """Write the layer of nodes; returns the number of dead ends."""
    degree = graph.degree()
    dead = (degree == 1) & ~graph.node_border
    kind = np.where(dead, "end", np.where(graph.node_border, "border", "junction")).astype(object)
    writer.write(
        NODES,
        "Point",
        np.asarray(shapely.points(node_positions(graph, ground)), np.object_),
        {"node_id": np.arange(1, graph.nodes + 1, dtype=np.int64), "degree": degree.astype(np.int32), "kind": kind},
    )
    return int(dead.sum())


def _write_areas(writer: VectorWriter, parts: Iterable[CoverageBatch]) -> tuple[int, float]:
    """Write the layer of areas; returns their number and square metres."""
    count, area = 0, 0.0
    with ReadAhead(parts) as ahead:
        for part in ahead:
            number = len(part.geometry)
            writer.write(
                AREAS,
                "Polygon",
                part.geometry,
                {
                    "area_id": np.arange(count + 1, count + number + 1, dtype=np.int64),
                    "area": np.round(part.area, 2),
                    "perimeter": np.round(part.perimeter, 2),
                    "confidence": np.round(part.confidence / PROBABILITY_SCALE, 3),
                },
            )
            count, area = count + number, area + float(part.area.sum())
    return count, area
