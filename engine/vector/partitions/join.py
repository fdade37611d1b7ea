"""Join the partitions of a road network over their borders, and write the layers of the whole raster.

Partitions are read one after the other. Of earlier ones only the pieces of edges that are not complete are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from ...context import Cancellation, RunContext
from ...protocol.layer_names import AREAS, NODES, ROADS
from ...protocol.messages import Progress
from ..arrays import Floats, Ints, Labels, make_offsets, take_rows
from ..coverage.extract import CoverageBatch
from ..geodesy import PixelGeodesy, locate_pixels
from ..io.formats import VectorTarget
from ..io.reader import make_reference
from ..io.styles import load_styles
from ..io.writer import Columns, VectorWriter, open_vector_writer
from ..roads.extract import RoadSummary, add_options
from ..roads.graph import Graph
from ..roads.layers import KINDS, LineIdentity, LineTotals, make_columns, write_areas
from ..roads.lines import RoadLines
from ..roads.ordering import sort_edges
from .dual_roads import DualRoads
from .numbering import Numbering
from .plan import JoinPlan, Part, plan_join
from .storage import TableFile
from .tables import LineTable, NodeTable, PointTable, split_keys
from .vectorize import finish_lines


def join_road_partitions(
    paths: Sequence[Path], target: VectorTarget, *, context: RunContext, areas: Iterable[CoverageBatch] = ()
) -> RoadSummary:
    """Join the partitions of a raster and write the layers ``roads`` and ``road_nodes``.

    The features are those of one run over the whole raster, with the same numbers, but lines are in another order. A
    warning says where partitions disagree.

    Args:
        paths: files of all partitions, in any order.
        target: the file or the folder to write.
        context: receives progress and messages; checked for cancellation.
        areas: polygons of the layer ``road_areas``, which is written after the others; none for no such layer.

    Raises:
        SourceError: a file is damaged, or the files are not the partitions of one raster.
        OutputError: the output cannot be written.
        Cancelled: the run was cancelled; nothing was written.
    """
    plan = plan_join(paths, context.cancellation)
    frame = plan.frame
    geodesy = locate_pixels(frame.crs or None, Affine(*frame.transform), frame.shape, frame.name, context)
    _warn_of_disagreements(plan, geodesy, context)
    place = make_reference(frame.name, geodesy.crs, geodesy.transform, frame.shape)
    target = add_options(target, frame.options)
    with open_vector_writer(target, geodesy.crs, warnings=context.warnings, place=place) as writer:
        writer.styles.update(load_styles((ROADS, NODES, AREAS)))
        joiner = Joiner(plan, geodesy, writer, context.cancellation)
        for number, part in enumerate(plan.parts, 1):
            context.check_cancelled()
            joiner.add(part)
            context.report(Progress("write", number, len(plan.parts)))
        summary = joiner.finish()
        count, area = write_areas(writer, areas)
        context.check_cancelled()
        summary = replace(summary, areas=count, area=area)
    if not summary.edges:
        context.warn(
            f"Nothing was found in {frame.name}: no road reaches {frame.options.min_length:g} m (--min-length)."
        )
    return summary


def _warn_of_disagreements(plan: JoinPlan, geodesy: PixelGeodesy, context: RunContext) -> None:
    """Warn of borders at which partitions disagree; it should not happen."""
    if not plan.joined and not plan.loose.size:
        return
    places = geodesy.to_crs(np.column_stack(split_keys(plan.loose)[::-1]) + 0.5)[:3]
    where = "".join(f", {x:.1f} {y:.1f}" for x, y in places)
    count = plan.joined + plan.loose.size
    context.warn(
        f"Partitions disagree at {count} places on their common borders: {plan.joined} roads were joined to the nearer"
        f" end, {plan.loose.size} end there{where}."
    )


#: Points of a chain that have been read, by piece: rows, columns, widths and probabilities.
_Pieces = dict[int, list[NDArray[Any]]]


class Joiner:
    """Writes partitions one after the other, row by row.

    Args:
        plan: how they are joined.
        geodesy: of the raster.
        writer: the file.
        cancellation: checked before lines are written.
    """

    def __init__(self, plan: JoinPlan, geodesy: PixelGeodesy, writer: VectorWriter, cancellation: Cancellation) -> None:
        self._plan, self._geodesy, self._writer = plan, geodesy, writer
        self._numbering = Numbering(plan)
        self._dual_roads = DualRoads(plan, geodesy.resolution(plan.frame.shape), cancellation)
        self._band = -1
        self._line_numbers: dict[Part, Ints] = {}
        self._chain_numbers: dict[int, int] = {}
        self._open: dict[int, _Pieces] = {}
        self._chain_of = plan.chain_of_pieces()
        self._totals, self._nodes, self._dead_ends = LineTotals(), 0, 0

    def add(self, part: Part) -> None:
        """Write the features of a partition, and the edges that are complete with its pieces."""
        if part.band != self._band:
            self._band = part.band
            self._line_numbers, chains = self._numbering.number_lines(part.band)
            self._chain_numbers.update(chains)
        with part.open() as file:
            self._write_lines(part, file)
            self._write_nodes(part, file)
            complete = self._collect(part, file.read(PointTable))
        if complete:
            self._write_chains(complete)

    def finish(self) -> RoadSummary:
        """Write the nodes that no partition has; return the summary."""
        plan = self._plan
        key, first = np.unique(plan.ends.node[plan.made, plan.made_end], return_index=True)
        at = plan.made[first], plan.made_end[first]
        degree = np.where(plan.chains.is_ring[plan.made[first]], 2, 1).astype(np.int32)
        position = np.column_stack((plan.ends.row[at], plan.ends.col[at]))
        self._put_nodes(key, position, degree, KINDS[plan.ends.kind[at]])
        return RoadSummary(
            length=self._totals.length,
            edges=self._totals.count,
            nodes=self._nodes,
            pieces=plan.components,
            dead_ends=self._dead_ends,
            bridged=self._totals.bridged,
            areas=0,
            area=0.0,
            layers=self._writer.paths,
        )

    def _write_lines(self, part: Part, file: TableFile) -> None:
        table = file.read(LineTable)
        stays = self._numbering.stays(part, table.component)
        lines = take_rows(file.read(RoadLines), stays)
        pairs = self._dual_roads.number_lines(part, np.flatnonzero(stays))
        self._put_lines(lines, self._line_numbers[part], table.node[stays], KINDS[table.kind[stays]], pairs)

    def _put_lines(self, lines: RoadLines, road: Ints, node: Ints, kind: NDArray[np.object_], pairs: Ints) -> None:
        """Write lines, given their numbers, the keys and kinds of their nodes (n, 2) and their dual roads."""
        identity = LineIdentity(road, self._numbering.number_nodes(node), kind, pairs)
        source = f"TerraSpore: {self._plan.frame.name}" if self._plan.frame.options.osm_tags else ""
        self._writer.write(ROADS, "LineString", lines.geometry, make_columns(lines, identity, source))
        self._totals.add(lines)

    def _write_nodes(self, part: Part, file: TableFile) -> None:
        table = file.read(NodeTable)
        stays = self._numbering.stays(part, table.component)
        position = np.column_stack((table.row, table.col))[stays]
        self._put_nodes(table.key[stays], position, table.degree[stays], KINDS[table.kind[stays]])

    def _put_nodes(self, key: Ints, position: Floats, degree: Labels, kind: NDArray[np.object_]) -> None:
        """Write nodes, given their keys and positions (row and column)."""
        points = np.asarray(shapely.points(self._geodesy.to_crs(position[:, ::-1] + 0.5)), np.object_)
        columns: Columns = {"node_id": self._numbering.number_nodes(key), "degree": degree, "kind": kind}
        self._writer.write(NODES, "Point", points, columns)
        self._nodes += len(key)
        self._dead_ends += int((kind == "end").sum())

    def _collect(self, part: Part, points: PointTable) -> list[tuple[int, _Pieces]]:
        """Take the pieces of a partition; return the chains that are complete now."""
        plan, complete = self._plan, []
        for number, (first, last) in enumerate(zip(points.start[:-1], points.start[1:], strict=True), part.piece):
            chain = int(self._chain_of[number])
            if plan.is_dropped_chain[chain]:
                continue
            size = int(plan.chains.start[chain + 1] - plan.chains.start[chain])
            pieces = self._open.setdefault(chain, {})
            pieces[number] = [column[first:last] for column in points[1:]]
            if len(pieces) == size:
                complete.append((chain, self._open.pop(chain)))
        return complete

    def _write_chains(self, complete: list[tuple[int, _Pieces]]) -> None:
        """Finish and write the edges of complete chains."""
        graph = self._join_pieces(complete)
        chains = np.array([chain for chain, _ in complete])
        sort_edges(graph, self._plan.chains.is_ring[chains])
        chain, end = chains[graph.ends // 2], graph.ends % 2
        ends = self._plan.ends
        roads = np.array([self._chain_numbers.pop(number) for number in chain[:, 0].tolist()], np.int64)
        lines = finish_lines(graph, self._geodesy, self._plan.frame)
        pairs = self._dual_roads.number_chains(chain[:, 0])
        self._put_lines(lines, roads, ends.node[chain, end], KINDS[ends.kind[chain, end]], pairs)

    def _join_pieces(self, complete: list[tuple[int, _Pieces]]) -> Graph:
        """Join the pieces of chains to edges; edge i has the nodes 2i and 2i + 1, a ring only the first of these."""
        plan = self._plan
        chains = np.array([chain for chain, _ in complete])
        runs, sizes = [], []
        for chain, pieces in complete:
            for half in plan.chains.half[plan.chains.start[chain] : plan.chains.start[chain + 1]].tolist():
                step = -1 if half & 1 else 1
                runs.append([column[::step] for column in pieces[half // 2]])
            sizes.append(sum(len(row) for row, *_ in pieces.values()))
        row, col, width, probability = map(np.concatenate, zip(*runs, strict=True))
        ends = np.arange(2 * len(chains), dtype=np.int32).reshape(-1, 2)
        ends[plan.chains.is_ring[chains], 1] -= 1
        return Graph(
            node_row=plan.ends.row[chains].ravel(),
            node_col=plan.ends.col[chains].ravel(),
            node_border=np.zeros(2 * len(chains), np.bool_),
            node_radius=plan.ends.radius[chains].ravel(),
            ends=ends,
            start=make_offsets(sizes),
            row=row,
            col=col,
            width=width,
            probability=probability,
            shape=plan.frame.shape,
        )
