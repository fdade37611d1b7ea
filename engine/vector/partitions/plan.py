"""Plan how partitions of a road network are joined: which pieces make an edge, which components stay, how all count.

The plan holds what touches the borders of partitions, and counts of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from affine import Affine

from ...context import Cancellation
from ...errors import SourceError
from ..arrays import Bits, Flags, Floats, Ints, Labels, concatenate_tables, find_sorted
from ..geodesy import PixelGeodesy
from ..roads.centerlines import Tile
from ..roads.cleaning import BORDER_FACTOR
from ..roads.graph import find_border, label_components
from ..roads.layers import BORDER, END, JUNCTION
from ..roads.options import pixel_options
from .borders import Chains, follow_pieces, match_ends
from .storage import TableFile, open_tables
from .tables import (
    NO_KEY,
    ComponentTable,
    ForeignNodes,
    Frame,
    LineTable,
    NodeTable,
    PieceTable,
    is_inside,
    read_frame,
    split_keys,
)


@dataclass(frozen=True)
class Part:
    """A partition's file, and where its rows begin among those of all partitions.

    Attributes:
        path: the file.
        window: the partition.
        band: number of its row of partitions.
        lines: number of its finished lines.
        line: the first of these.
        piece: first piece.
        component: first component.
    """

    path: Path
    window: Tile
    band: int
    lines: int
    line: int
    piece: int
    component: int

    def open(self) -> AbstractContextManager[TableFile]:
        """Open the file for a ``with`` block."""
        return open_tables(self.path)


@dataclass(frozen=True)
class EdgeEnds:
    """Ends of chains; columns (chains, 2), see ``PieceTable``. A ring has the same node at both ends."""

    node: Ints
    kind: Bits
    row: Floats
    col: Floats
    radius: Floats


@dataclass(frozen=True)
class JoinPlan:
    """How partitions are joined.

    Attributes:
        frame: of the raster.
        parts: the partitions, row by row.
        is_dropped: bool (components of all partitions,), components that are too short or too weak as a whole.
        components: number of components that stay.
        chains: edges that cross borders.
        key: int64 (chains, 2), keys of the first and second pixel, which order edges.
        ends: nodes of the chains.
        is_dropped_chain: bool (chains,), chains of components that do not stay, and those of a single pixel.
        made: int64 (n,), chains with a node that no partition has, and ``made_end`` (n,), which of their ends it is.
        joined: ends at borders that were joined although they are apart.
        loose: int64 (n,), keys of the pixels at borders where an edge does not go on.
    """

    frame: Frame
    parts: Sequence[Part]
    is_dropped: Flags
    components: int
    chains: Chains
    key: Ints
    ends: EdgeEnds
    is_dropped_chain: Flags
    made: Ints
    made_end: Ints
    joined: int
    loose: Ints

    @property
    def lines(self) -> int:
        """The number of finished lines of all partitions."""
        return self.parts[-1].line + self.parts[-1].lines

    @property
    def bands(self) -> int:
        """The number of rows of partitions."""
        return self.parts[-1].band + 1

    def chain_of_pieces(self) -> Ints:
        """Return the chain of each piece."""
        chain_of = np.empty(self.chains.half.size, np.int64)
        chain_of[self.chains.half // 2] = np.repeat(np.arange(len(self.key)), np.diff(self.chains.start))
        return chain_of

    def band_parts(self, band: int) -> list[Part]:
        """Return the partitions of a row."""
        return [part for part in self.parts if part.band == band]

    def find_band(self, keys: Ints) -> Ints:
        """Find the row of partitions in which pixels lie."""
        tops = np.unique([part.window.row for part in self.parts])
        return np.searchsorted(tops, split_keys(keys)[0], side="right") - 1


def plan_join(paths: Sequence[Path], cancellation: Cancellation) -> JoinPlan:
    """Plan the join of the partitions of a raster.

    Args:
        paths: files of all partitions, in any order.
        cancellation: checked between files.

    Raises:
        SourceError: a file is damaged, or the files are not the partitions of one raster.
    """
    frame, parts, pieces, components = _read_borders(paths, cancellation)
    own, link = pieces.corner[:, [0, 2]].ravel(), pieces.link.ravel()
    partner, joined = match_ends(own, link)
    chains = follow_pieces(partner)
    is_open = (partner < 0) & (link != NO_KEY)
    connected = _connect_nodes(parts, cancellation)
    matched = np.flatnonzero(partner > np.arange(partner.size))
    across = np.column_stack((pieces.component[matched // 2], pieces.component[partner[matched] // 2]))
    label = label_components(np.concatenate((across, connected)).astype(np.int32), components.length.size)
    is_dropped, count = _choose_components(components, label, frame)

    first, last = chains.half[chains.start[:-1]], chains.half[chains.start[1:] - 1] ^ 1
    key = _find_keys(pieces, chains, first, last)
    is_ring = np.repeat(chains.is_ring[:, np.newaxis], 2, axis=1)
    both = np.column_stack((first, last))
    pixel = np.where(is_ring, key[:, :1], pieces.corner.reshape(-1, 2)[both, 0])
    ends = _describe_ends(pieces, both, pixel, np.where(is_ring, JUNCTION, np.where(is_open[both], END, -1)), frame)
    # A single pixel that goes on in no partition is no line; neighbours that agree leave none.
    is_pixel = ~chains.is_ring & (pieces.corner.reshape(-1, 2)[first, 0] == pieces.corner.reshape(-1, 2)[last, 0])
    is_dropped_chain = is_dropped[pieces.component[first // 2]] | (is_pixel & (first // 2 == last // 2))
    made = np.column_stack((is_open[first] | chains.is_ring, is_open[last])) & ~is_dropped_chain[:, np.newaxis]
    made_chain, made_end = np.nonzero(made)
    is_loose = is_open & ~is_dropped[pieces.component[np.arange(partner.size) // 2]]
    return JoinPlan(
        frame,
        parts,
        is_dropped,
        count,
        chains,
        key,
        ends,
        is_dropped_chain,
        made_chain,
        made_end,
        joined,
        own[is_loose],
    )


def _read_borders(
    paths: Sequence[Path], cancellation: Cancellation
) -> tuple[Frame, list[Part], PieceTable, ComponentTable]:
    """Read what touches borders; components are numbered through all partitions."""
    windows = []
    frame: Frame | None = None
    for path in paths:
        cancellation.check()
        with open_tables(path) as file:
            own = read_frame(file)
            frame = frame or own
            _check_frame(own, frame, path)
            windows.append((Tile(*file.header["window"]), path))
    if frame is None:
        raise SourceError("There are no partitions of a road network to join.")
    windows.sort(key=lambda item: (item[0].row, item[0].col))
    _check_cover([window for window, _ in windows], frame.shape)
    parts: list[Part] = []
    pieces: list[PieceTable] = []
    components: list[ComponentTable] = []
    line, piece, component, band = 0, 0, 0, -1
    for window, path in windows:
        cancellation.check()
        band += window.col == 0
        with open_tables(path) as file:
            lines, table = file.read_column(LineTable, "component").size, file.read(PieceTable)
            pieces.append(table._replace(component=table.component + np.int32(component)))
            components.append(file.read(ComponentTable))
        parts.append(Part(path, window, band, lines, line, piece, component))
        line, piece = line + lines, piece + len(table.component)
        component += len(components[-1].length)
    return frame, parts, concatenate_tables(pieces), concatenate_tables(components)


def _check_frame(own: Frame, frame: Frame, path: Path) -> None:
    """Refuse a partition of another raster; the number of threads and the side of tiles change no result."""
    options = replace(own.options, threads=frame.options.threads, tile=frame.options.tile)
    if replace(own, options=options) != frame:
        raise SourceError(f"{path} is a partition of another raster, or was made with other options.")


def _check_cover(windows: list[Tile], shape: tuple[int, int]) -> None:
    """Refuse partitions, ordered by row and column, that do not cover a raster of ``shape`` in rows."""
    row = col = height = 0
    for window in windows:
        if col == 0:
            height = window.height
        if (window.row, window.col, window.height) != (row, col, height):
            raise SourceError(f"The partition at row {row}, column {col} is missing, or partitions overlap there.")
        col += window.width
        if col == shape[1]:
            row, col = row + height, 0
    if (row, col) != (shape[0], 0):
        raise SourceError(f"The partition at row {row}, column {col} is missing.")


def _connect_nodes(parts: list[Part], cancellation: Cancellation) -> Labels:
    """Find which components (n, 2) are connected because an edge of one partition ends at a node of another."""
    keys, components = [], []
    for part in parts:
        with part.open() as file:
            foreign = file.read(ForeignNodes)
        keys.append(foreign.key)
        components.append(foreign.component + np.int32(part.component))
    key, component = np.concatenate(keys), np.concatenate(components)
    pairs = [np.zeros((0, 2), np.int32)]
    for part in parts:
        cancellation.check()
        own = np.flatnonzero(is_inside(key, part.window))
        if own.size == 0:
            continue
        with part.open() as file:
            node_key = file.read_column(NodeTable, "key")
            node_component = file.read_column(NodeTable, "component")
        at, is_known = find_sorted(node_key, key[own])
        known = node_component[at[is_known]] + np.int32(part.component)
        pairs.append(np.column_stack((component[own[is_known]], known)))
    return np.concatenate(pairs)


def _choose_components(components: ComponentTable, label: Ints, frame: Frame) -> tuple[Flags, int]:
    """Find the components that do not stay (see ``drop_weak_components``), and the number of those that do."""
    resolution = PixelGeodesy(frame.crs or None, Affine(*frame.transform)).resolution(frame.shape)
    pixels = pixel_options(frame.options, resolution)
    count = int(label.max(initial=-1)) + 1
    length = np.bincount(label, components.length, minlength=count)
    strongest = np.zeros(count, np.uint8)
    np.maximum.at(strongest, label, components.strongest)
    length[np.unique(label[components.is_at_border])] *= BORDER_FACTOR
    # Sums of parts may be off in the last digit.
    stays = (length >= pixels.min_length - 1e-6) & (strongest >= pixels.strong_threshold)
    return ~stays[label], int(stays.sum())


def _find_keys(pieces: PieceTable, chains: Chains, first: Labels, last: Labels) -> Ints:
    """Return the keys that order the chains, see ``JoinPlan``.

    Args:
        pieces: all pieces.
        chains: their chains.
        first: int32 (chains,), the end at which each chain begins; end 2p is the first of piece p.
        last: int32 (chains,), the end at which it ends.
    """
    corner = pieces.corner.reshape(-1, 2)  # of each end: its last pixel and the one before
    one, two = corner[first], corner[last]
    is_reversed = (two[:, 0] < one[:, 0]) | ((two[:, 0] == one[:, 0]) & (two[:, 1] < one[:, 1]))
    key = np.where(is_reversed[:, np.newaxis], two, one)
    for chain in np.flatnonzero(chains.is_ring).tolist():
        tops = pieces.top[chains.half[chains.start[chain] : chains.start[chain + 1]] // 2]
        key[chain] = tops[np.lexsort((tops[:, 1], tops[:, 0]))[0]]
    return key


def _describe_ends(pieces: PieceTable, ends: Ints, pixel: Ints, made: Ints, frame: Frame) -> EdgeEnds:
    """Return the nodes of chains.

    Args:
        pieces: all pieces.
        ends: (chains, 2), the ends of each chain; end 2p is the first of piece p.
        pixel: (chains, 2), keys of the pixels there.
        made: (chains, 2), kind of the nodes that no partition has; -1 for other nodes.
        frame: of the raster.
    """
    row, col = split_keys(pixel)
    kind = np.where(find_border(row, col, Tile(0, 0, *frame.shape)), BORDER, made)
    chosen = (
        np.where(made >= 0, new, column.ravel()[ends])
        for column, new in (
            (pieces.node, pixel),
            (pieces.kind, kind),
            (pieces.node_row, row),
            (pieces.node_col, col),
            (pieces.radius, 0.0),
        )
    )
    node, kind, node_row, node_col, radius = chosen
    return EdgeEnds(node, kind.astype(np.uint8), node_row, node_col, radius)
