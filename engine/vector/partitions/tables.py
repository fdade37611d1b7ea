"""The road network of one partition of a raster, in columns.

Pixels are named by keys (row * 2^32 + column), which are the same in all partitions. A node belongs to the partition of
its key pixel, an edge to the partition of all its points; an edge that crosses borders is cut into pieces there, which
keep their raw points. Where a piece ends at a border, the key of the next pixel beyond it says how it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...protocol.options import RoadOptions
from ..arrays import Bits, Flags, Floats, Ints, Labels
from ..geodesy import PixelGeodesy
from ..roads.centerlines import Tile
from .storage import SMALL, TableFile, write_tables

#: Stands for no pixel.
NO_KEY = -1


@dataclass(frozen=True)
class Frame:
    """What all partitions of a raster have in common.

    Attributes:
        name: of the raster.
        shape: rows and columns.
        transform: the six coefficients from pixel to CRS coordinates.
        crs: the CRS as WKT; empty for none.
        options: of the roads.
    """

    name: str
    shape: tuple[int, int]
    transform: tuple[float, ...]
    crs: str
    options: RoadOptions

    def pair_distance(self, geodesy: PixelGeodesy) -> float:
        """Return the largest distance of carriageways in pixels."""
        return self.options.pair_distance / geodesy.resolution(self.shape)


class NodeTable(NamedTuple):
    """Nodes, ascending by key.

    Attributes:
        key: int64 (n,), key of the node, see ``ordering.node_keys``.
        row: float64 (n,), position in pixels; the centre of a pixel has whole coordinates.
        col: float64 (n,).
        degree: int32 (n,).
        kind: uint8 (n,), index in ``layers.KINDS``.
        component: int32 (n,), component within the partition.
    """

    key: Ints
    row: Floats
    col: Floats
    degree: Labels
    kind: Bits
    component: Labels


class LineTable(NamedTuple):
    """Finished lines: edges whose points all lie in the partition. The lines themselves are ``RoadLines``.

    Attributes:
        key: int64 (n, 2), keys of the first and second pixel, which order the lines of a raster.
        node: int64 (n, 2), keys of the first and last node.
        kind: uint8 (n, 2), kinds of these.
        component: int32 (n,), component within the partition.
    """

    key: Ints
    node: Ints
    kind: Bits
    component: Labels


class PieceTable(NamedTuple):
    """Pieces of edges that cross the border of the partition. Columns with two values are for both ends.

    Attributes:
        corner: int64 (n, 4), keys of the first and second pixel and of the last and last but one, including the pixel
            beyond the border where the piece goes on there.
        top: int64 (n, 2), key of the uppermost pixel, and of the upper one of its neighbours.
        link: int64 (n, 2), key of the pixel beyond the border; ``NO_KEY`` where the piece ends with a node.
        node: int64 (n, 2), key of the node; ``NO_KEY`` where the piece goes on.
        kind: uint8 (n, 2), kind of the node.
        node_row: float64 (n, 2), position of the node in pixels.
        node_col: float64 (n, 2).
        radius: float64 (n, 2), see ``Graph.node_radius``.
        component: int32 (n,), component within the partition.
    """

    corner: Ints
    top: Ints
    link: Ints
    node: Ints
    kind: Bits
    node_row: Floats
    node_col: Floats
    radius: Floats
    component: Labels


class PointTable(NamedTuple):
    """Points of the pieces, see ``Graph``; ``start`` (pieces + 1,) is the offset of each piece."""

    start: Ints
    row: Labels
    col: Labels
    width: NDArray[np.float32]
    probability: Bits


class ComponentTable(NamedTuple):
    """Connected components, as far as they lie in the partition.

    Attributes:
        length: float64 (n,), pixels of road, without closed gaps.
        strongest: uint8 (n,), highest quantized probability.
        is_at_border: bool (n,), whether a node lies on the raster's border.
    """

    length: Floats
    strongest: Bits
    is_at_border: Flags


class ForeignNodes(NamedTuple):
    """Nodes of other partitions at which edges of this one end.

    Attributes:
        key: int64 (n,), key of the node.
        component: int32 (n,), component of the edge.
    """

    key: Ints
    component: Labels


class SideTable(NamedTuple):
    """What lines and pieces have beside them, see ``pairs.Sides``. Units are the lines, then the pieces.

    Attributes:
        total: int64 (units,), length of each by its samples.
        one: int32 (n,), a unit.
        other: int32 (n,), the unit beside it; -1 for one of another partition.
        other_key: int64 (n,), key of a sample of that; ``NO_KEY`` for units of this partition.
        shared: int64 (n,), over which length of ``one``.
    """

    total: Ints
    one: Labels
    other: Labels
    other_key: Ints
    shared: Ints


class BorderSamples(NamedTuple):
    """Samples that units of other partitions may have beside them: their keys, ascending, and units."""

    key: Ints
    unit: Labels


@dataclass(frozen=True)
class RoadPartition:
    """The road network of one partition.

    Attributes:
        frame: of the raster.
        window: the partition.
        tables: one of each type in this module, and the ``RoadLines`` of the ``LineTable``.
    """

    frame: Frame
    window: Tile
    tables: Sequence[tuple[Any, ...]]

    def write(self, path: Path) -> None:
        """Write the file of the partition; errors as ``write_tables``."""
        write_tables(path, {"window": self.window, **asdict(self.frame)}, self.tables, SMALL)


def read_frame(file: TableFile) -> Frame:
    """Read what all partitions of a raster have in common from the file of one."""
    header = file.header
    shape, transform = (header["shape"][0], header["shape"][1]), tuple(header["transform"])
    return Frame(header["name"], shape, transform, header["crs"], RoadOptions(**header["options"]))


def split_keys(keys: Ints) -> tuple[Ints, Ints]:
    """Return the rows and columns of pixel keys."""
    return keys >> 32, keys & 0xFFFFFFFF


def is_inside(keys: Ints, window: Tile) -> Flags:
    """Return which pixels lie in a window."""
    row, col = split_keys(keys)
    is_in_rows = (row >= window.row) & (row < window.row + window.height)
    return np.asarray(is_in_rows & (col >= window.col) & (col < window.col + window.width), np.bool_)
