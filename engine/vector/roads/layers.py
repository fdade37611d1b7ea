"""Write the layers of a road network: their names, geometry types and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from ...concurrency import ReadAhead
from ...context import RunContext
from ...protocol.layer_names import AREAS, CHANGES, NODES, ROADS
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..conflation import NEW, ExistingRoads
from ..coverage.extract import CoverageBatch
from ..geodesy import PixelGeodesy
from ..io.writer import VectorWriter
from .graph import Graph
from .lines import RoadLines, node_pixels


@dataclass
class LineTotals:
    """Totals of the layer ``roads``.

    Attributes:
        count: features.
        length: metres.
        bridged: metres of closed gaps.
        geometry: the lines, batch by batch, where they are kept.
    """

    count: int = 0
    length: float = 0.0
    bridged: float = 0.0
    geometry: list[NDArray[np.object_]] = field(default_factory=list)


def write_lines(
    writer: VectorWriter, batches: Iterable[RoadLines], report: Callable[[int], None], *, keep: bool
) -> LineTotals:
    """Write the layer ``roads``.

    Args:
        writer: the file.
        batches: the lines; they are made in a thread while others are written.
        report: called with the number of lines written so far.
        keep: whether the result holds the geometry.
    """
    totals = LineTotals()
    with ReadAhead(batches) as ahead:
        for lines in ahead:
            first, count = totals.count + 1, len(lines.geometry)
            columns = {
                "road_id": np.arange(first, first + count, dtype=np.int64),
                "from_node": lines.ends[:, 0].astype(np.int64) + 1,
                "to_node": lines.ends[:, 1].astype(np.int64) + 1,
                "length": np.round(lines.length, 3),
                "width": np.round(lines.width, 2),
                "width_sd": np.round(lines.width_sd, 2),
                "confidence": np.round(lines.confidence, 3),
                "bridged": lines.bridged > 0.0,
                "bridged_m": np.round(lines.bridged, 2),
            }
            writer.write(ROADS, "LineString", lines.geometry, columns)
            totals.count += count
            totals.length += float(lines.length.sum())
            totals.bridged += float(lines.bridged.sum())
            if keep:
                totals.geometry.append(lines.geometry)
            report(totals.count)
    return totals


def write_nodes(writer: VectorWriter, graph: Graph, geodesy: PixelGeodesy) -> int:
    """Write the layer ``road_nodes``; return the number of dead ends that are not at the raster's border."""
    degree = graph.degree()
    dead = (degree == 1) & ~graph.node_border
    kind = np.where(dead, "end", np.where(graph.node_border, "border", "junction")).astype(object)
    points = np.asarray(shapely.points(geodesy.to_crs(node_pixels(graph))), np.object_)
    ids = np.arange(1, graph.node_count + 1, dtype=np.int64)
    writer.write(NODES, "Point", points, {"node_id": ids, "degree": degree.astype(np.int32), "kind": kind})
    return int(dead.sum())


def write_areas(writer: VectorWriter, batches: Iterable[CoverageBatch]) -> tuple[int, float]:
    """Write the layer ``road_areas``; return the number of polygons and their area in square metres."""
    count, area = 0, 0.0
    with ReadAhead(batches) as ahead:
        for part in ahead:
            number = len(part.geometry)
            columns = {
                "area_id": np.arange(count + 1, count + number + 1, dtype=np.int64),
                "area": np.round(part.area, 2),
                "perimeter": np.round(part.perimeter, 2),
                "confidence": np.round(part.confidence / PROBABILITY_SCALE, 3),
            }
            writer.write(AREAS, "Polygon", part.geometry, columns)
            count, area = count + number, area + float(part.area.sum())
    return count, area


def write_changes(
    writer: VectorWriter,
    existing: ExistingRoads,
    lines: NDArray[np.object_],
    source: ProbabilityRaster,
    context: RunContext,
) -> dict[str, float | int | str | None]:
    """Conflate the new lines with an existing network and write the layer ``road_changes``; return the metrics."""
    changes = existing.conflate(lines, source, context)
    is_new = changes.change == NEW
    columns = {
        "change": changes.change,
        "existing": np.where(is_new, -1, changes.source).astype(np.int64),
        "road_id": np.where(is_new, changes.source + 1, 0).astype(np.int64),
        "distance": np.round(changes.distance, 2),
        "length": np.round(changes.length, 2),
    }
    writer.write(CHANGES, "LineString", changes.geometry, columns)
    return changes.metrics()
