"""Write the layers of a road network: their names, geometry types and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ...concurrency import ReadAhead
from ...context import RunContext
from ...protocol.layer_names import AREAS, CHANGES, NODES, ROADS
from ...raster.probability import PROBABILITY_SCALE, ProbabilityRaster
from ..arrays import Bits, Ints, Labels
from ..conflation import NEW, ExistingRoads
from ..coverage.extract import CoverageBatch
from ..geodesy import PixelGeodesy
from ..io.writer import VectorWriter
from .graph import Graph
from .lines import RoadLines, node_pixels

#: Kinds of nodes, and their names.
END, JUNCTION, BORDER = range(3)
KINDS = np.array(["end", "junction", "border"], object)
#: Widths, in metres, from which a road is medium and wide.
WIDTH_LIMITS = (5.0, 10.0)


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

    def add(self, lines: RoadLines) -> None:
        """Add lines to the sums."""
        self.count += len(lines.geometry)
        self.length += float(lines.length.sum())
        self.bridged += float(lines.bridged.sum())


class LineIdentity(NamedTuple):
    """What tells lines apart and ties them to others.

    Attributes:
        road: int64 (n,), number of each line.
        nodes: int64 (n, 2), numbers of the first and last node.
        kinds: object (n, 2), kinds of these.
        pairs: int64 (n,), number of the dual road; 0 for none.
    """

    road: Ints
    nodes: Ints
    kinds: NDArray[np.object_]
    pairs: Ints


@dataclass(frozen=True)
class NetworkAttributes:
    """Attributes of lines that depend on the whole network.

    Attributes:
        ends: int32 (edges, 2), first and last node of each edge.
        kinds: object (nodes,), name of the kind of each node, see ``KINDS``.
        pairs: int64 (edges,), number of the dual road of each edge; 0 for none.
        source: what the columns of OpenStreetMap name as the source; empty for no such columns.
    """

    ends: Labels
    kinds: NDArray[np.object_]
    pairs: Ints
    source: str = ""


def write_lines(
    writer: VectorWriter,
    batches: Iterable[RoadLines],
    attributes: NetworkAttributes,
    report: Callable[[int], None],
    *,
    keep: bool,
) -> LineTotals:
    """Write the layer ``roads``.

    Args:
        writer: the file.
        batches: the lines of all edges in order; they are made in a thread while others are written.
        attributes: of the whole network.
        report: called with the number of lines written so far.
        keep: whether the result holds the geometry.
    """
    totals = LineTotals()
    with ReadAhead(batches) as ahead:
        for lines in ahead:
            number = np.arange(totals.count, totals.count + len(lines.geometry), dtype=np.int64)
            ends = attributes.ends[number]
            identity = LineIdentity(
                number + 1, ends.astype(np.int64) + 1, attributes.kinds[ends], attributes.pairs[number]
            )
            totals.add(lines)
            writer.write(ROADS, "LineString", lines.geometry, make_columns(lines, identity, attributes.source))
            if keep:
                totals.geometry.append(lines.geometry)
            report(totals.count)
    return totals


def make_columns(lines: RoadLines, identity: LineIdentity, source: str) -> dict[str, NDArray[Any]]:
    """Make the columns of the layer ``roads``; ``source`` as in ``NetworkAttributes``."""
    return {
        "road_id": identity.road,
        "from_node": identity.nodes[:, 0],
        "to_node": identity.nodes[:, 1],
        "from_kind": identity.kinds[:, 0],
        "to_kind": identity.kinds[:, 1],
        "length": np.round(lines.length, 3),
        "width": np.round(lines.width, 2),
        "width_sd": np.round(lines.width_sd, 2),
        "class": classify_widths(lines),
        "pair": identity.pairs,
        "confidence": np.round(lines.confidence, 3),
        "bridged": lines.bridged > 0.0,
        "bridged_m": np.round(lines.bridged, 2),
        "gap_at": np.round(lines.gap_at, 2),
        **(_make_osm_tags(source, len(lines.geometry)) if source else {}),
    }


def classify_widths(lines: RoadLines) -> NDArray[np.object_]:
    """Name the class of each line's width: "narrow", "medium" or "wide"; None where the width is not well known.

    That is where more than half of the line is a closed gap, or the width varies by more than half of itself.
    """
    is_known = (lines.bridged <= 0.5 * lines.length) & (lines.width_sd <= 0.5 * lines.width)  # NaN is not known
    index = np.where(is_known, 1 + np.digitize(lines.width, WIDTH_LIMITS), 0)
    return np.asarray(np.array([None, "narrow", "medium", "wide"], object)[index], np.object_)


def classify_nodes(graph: Graph) -> Bits:
    """Find the kind of each node: ``BORDER`` at the raster's border, ``END`` for other dead ends, else ``JUNCTION``."""
    inner = np.where(graph.degree() == 1, END, JUNCTION)
    return np.where(graph.node_border, BORDER, inner).astype(np.uint8)


def _make_osm_tags(source: str, count: int) -> dict[str, NDArray[np.object_]]:
    """Make the columns of OpenStreetMap: a road of a kind and surface that an image alone does not tell."""
    tags = {"highway": "road", "surface": None, "source": source}
    return {name: np.full(count, value, object) for name, value in tags.items()}


def write_nodes(writer: VectorWriter, graph: Graph, geodesy: PixelGeodesy, kind: NDArray[np.object_]) -> int:
    """Write the layer ``road_nodes``; return the number of dead ends that are not at the raster's border."""
    points = np.asarray(shapely.points(geodesy.to_crs(node_pixels(graph))), np.object_)
    ids = np.arange(1, graph.node_count + 1, dtype=np.int64)
    writer.write(NODES, "Point", points, {"node_id": ids, "degree": graph.degree().astype(np.int32), "kind": kind})
    return int((kind == "end").sum())


def write_areas(writer: VectorWriter, batches: Iterable[CoverageBatch]) -> tuple[int, float]:
    """Write the layer ``road_areas``; return the number of polygons and their area in square metres."""
    count, area = 0, 0.0
    with ReadAhead(batches) as ahead:
        for part in ahead:
            number = len(part.geometry)
            columns = {
                "area_id": part.rank,
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
