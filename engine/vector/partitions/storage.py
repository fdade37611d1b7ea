"""Store partitions of a road network as files: compressed columns in NumPy's ``.npz`` format, with a checksum each."""

from __future__ import annotations

import itertools
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from ...errors import SourceError
from ...fs.outputs import atomic_output
from ...protocol.options import RoadOptions
from ..roads.centerlines import Tile
from .tables import (
    BorderSamples,
    ComponentTable,
    ForeignNodes,
    Frame,
    LineTable,
    NodeTable,
    PieceTable,
    PointTable,
    RoadPartition,
    SideTable,
)

#: Number of the format, raised whenever columns or their meaning change; files of others are refused.
_FORMAT = 2
_FRAME = "frame"
#: What reading a damaged zip or array may raise.
DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
#: Tables that are stored as they are; lines have geometries.
_TABLES = (NodeTable, PieceTable, PointTable, ComponentTable, ForeignNodes, SideTable, BorderSamples)
Table = TypeVar("Table", NodeTable, PieceTable, PointTable, ComponentTable, ForeignNodes, SideTable, BorderSamples)


def write_partition(path: Path, partition: RoadPartition) -> None:
    """Write a partition; it appears under its name only when it is complete.

    Raises:
        OutputError: it cannot be written.
    """
    tables: list[Any] = [getattr(partition, field.name) for field in fields(partition)]
    tables = [table for table in tables if type(table) in _TABLES]
    columns = {_name(type(table), field): getattr(table, field) for table in tables for field in table._fields}
    lines = partition.lines._asdict()
    wkb = [np.frombuffer(data, np.uint8) for data in shapely.to_wkb(lines.pop("geometry"))]
    columns |= {_name(LineTable, field): values for field, values in lines.items()}
    columns[_name(LineTable, "wkb")] = np.concatenate([np.zeros(0, np.uint8), *wkb])
    columns[_name(LineTable, "wkb_start")] = np.cumsum([0, *map(len, wkb)])
    header = {"format": _FORMAT, "window": partition.window, **asdict(partition.frame)}
    columns[_FRAME] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **columns)


class PartitionFile:
    """An open file of a partition, whose tables are read one at a time.

    Args:
        path: the file.
        archive: the opened file.
    """

    def __init__(self, path: Path, archive: Any) -> None:
        self._path, self._archive = path, archive
        header = json.loads(self._read(_FRAME).tobytes())
        if header["format"] != _FORMAT:
            raise SourceError(f"{path} was written by another version: run the command again without --resume.")
        options = RoadOptions(**header["options"])
        shape, transform = (header["shape"][0], header["shape"][1]), tuple(header["transform"])
        self.frame = Frame(header["name"], shape, transform, header["crs"], options)
        self.window = Tile(*header["window"])

    def read(self, table: type[Table]) -> Table:
        """Read a table other than the lines."""
        return table(*(self._read(_name(table, field)) for field in table._fields))

    def read_column(self, table: type[Any], field: str) -> NDArray[Any]:
        """Read one column of a table."""
        return self._read(_name(table, field))

    def read_lines(self) -> LineTable:
        """Read the finished lines."""
        wkb, start = self.read_column(LineTable, "wkb").tobytes(), self.read_column(LineTable, "wkb_start").tolist()
        data = np.array([wkb[first:last] for first, last in itertools.pairwise(start)], object)
        columns = {field: self.read_column(LineTable, field) for field in LineTable._fields if field != "geometry"}
        return LineTable(geometry=np.asarray(shapely.from_wkb(data), np.object_), **columns)

    def _read(self, name: str) -> NDArray[Any]:
        try:
            return np.asarray(self._archive[name])
        except DAMAGE as error:
            raise _make_error(self._path) from error


@contextmanager
def open_partition(path: Path) -> Iterator[PartitionFile]:
    """Open the file of a partition.

    Raises:
        SourceError: it is no such file, is damaged or cannot be read.
    """
    try:
        archive = np.load(path, allow_pickle=False)
    except DAMAGE as error:
        raise _make_error(path) from error
    with archive:
        yield PartitionFile(path, archive)


def read_partition(path: Path) -> RoadPartition:
    """Read a whole partition; errors as ``open_partition``."""
    with open_partition(path) as file:
        return RoadPartition(
            file.frame,
            file.window,
            file.read(NodeTable),
            file.read_lines(),
            file.read(PieceTable),
            file.read(PointTable),
            file.read(ComponentTable),
            file.read(ForeignNodes),
            file.read(SideTable),
            file.read(BorderSamples),
        )


def _name(table: type[Any], field: str) -> str:
    return f"{table.__name__}.{field}"


def _make_error(path: Path) -> SourceError:
    return SourceError(
        f"{path} is not a complete partition of a road network.", "The same command with --resume makes it again."
    )
