"""Files of partitions: compressed tables of NumPy arrays, written and read one after the other."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ...errors import SourceError
from ...fs.outputs import atomic_output
from ..arrays import Table, make_offsets
from ..roads.centerlines import Tile
from .layout import split_raster

#: Number of the format, raised whenever tables or their meaning change; files of others are refused.
_FORMAT = 3
_HEADER = "header.json"
#: Levels of compression: a fast one, and one for small files of which many stay until they are joined.
FAST, SMALL = 1, 6
#: What reading a damaged zip or array may raise.
_DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write_tables(
    path: Path, header: Mapping[str, Any], tables: Iterable[tuple[Any, ...]], compression: int = FAST
) -> None:
    """Write tables to a file, which appears under its name only when it is complete.

    Args:
        path: the file.
        header: values that JSON can store.
        tables: ``NamedTuple``s of arrays or of LineStrings; they may be made while the file is written. Those of one
            type are numbered from 0.
        compression: ``FAST`` or ``SMALL``.

    Raises:
        OutputError: it cannot be written.
    """
    counts = Counter[str]()
    with (
        atomic_output(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=compression) as archive,
    ):
        for table in tables:
            kind = type(table).__name__
            for field, column in table._asdict().items():  # type: ignore[attr-defined]  # a NamedTuple
                _write_column(archive, f"{kind}/{counts[kind]}/{field}", column)
            counts[kind] += 1
        archive.writestr(_HEADER, json.dumps({"format": _FORMAT, **header}))


def _write_column(archive: zipfile.ZipFile, name: str, column: NDArray[Any]) -> None:
    """Write an array; of LineStrings their vertices, and where those of each begin."""
    arrays = {name: column}
    if column.dtype == np.object_:
        start = make_offsets(shapely.get_num_coordinates(column))
        arrays = {name: shapely.get_coordinates(column), f"{name}.start": start}
    for member_name, array in arrays.items():
        with archive.open(f"{member_name}.npy", "w", force_zip64=True) as member:
            np.save(member, np.ascontiguousarray(array), allow_pickle=False)


class TableFile:
    """An open file of tables.

    Args:
        path: the file.
        archive: the opened file.

    Attributes:
        header: its values.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self._names = frozenset(archive.namelist())
        try:
            self.header: dict[str, Any] = json.loads(archive.read(_HEADER))
        except _DAMAGE as error:
            raise _make_error(path) from error
        if self.header.get("format") != _FORMAT:
            raise SourceError(f"{path} was written by another version: run the command again without --resume.")

    def read(self, table: type[Table], number: int = 0) -> Table:
        """Read a table, given its type and its number among those of this type."""
        fields = table._fields  # type: ignore[attr-defined]  # a NamedTuple
        return table(*(self.read_column(table, field, number) for field in fields))

    def read_all(self, table: type[Table]) -> Iterator[Table]:
        """Read all tables of a type."""
        field = table._fields[0]  # type: ignore[attr-defined]  # a NamedTuple
        number = 0
        while f"{table.__name__}/{number}/{field}.npy" in self._names:
            yield self.read(table, number)
            number += 1

    def read_column(self, table: type[Any], field: str, number: int = 0) -> NDArray[Any]:
        """Read one column of a table."""
        name = f"{table.__name__}/{number}/{field}"
        column = self._read_array(name)
        if f"{name}.start.npy" not in self._names:
            return column
        start = self._read_array(f"{name}.start")
        return np.asarray(shapely.from_ragged_array(shapely.GeometryType.LINESTRING, column, (start,)), np.object_)

    def is_complete(self) -> bool:
        """Return whether all of the file can be read."""
        try:
            return self._archive.testzip() is None
        except _DAMAGE:
            return False

    def _read_array(self, name: str) -> NDArray[Any]:
        try:
            with self._archive.open(f"{name}.npy") as member:
                array = np.load(member, allow_pickle=False)
                member.read()  # the checksum is compared at the end
        except _DAMAGE as error:
            raise _make_error(self._path) from error
        return np.asarray(array)


@contextmanager
def open_tables(path: Path) -> Iterator[TableFile]:
    """Open a file of tables.

    Raises:
        SourceError: it is no such file, is damaged or cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise _make_error(path) from error
    with archive:
        yield TableFile(path, archive)


@dataclass(frozen=True)
class PartitionFolder:
    """The files of the partitions of a raster, which several processes may write. Picklable.

    Attributes:
        path: the folder.
        shape: rows and columns of the raster.
        size: side of a partition in pixels.
    """

    path: Path
    shape: tuple[int, int]
    size: int

    @cached_property
    def windows(self) -> list[Tile]:
        """The partitions, row by row."""
        return split_raster(self.shape, self.size)

    @property
    def across(self) -> int:
        """The number of partitions in a row."""
        return sum(window.row == 0 for window in self.windows)

    def file(self, number: int, suffix: str) -> Path:
        """Return the file of a partition."""
        return self.path / f"{number:06d}{suffix}"

    def count_files(self, suffix: str) -> int:
        """Return how many partitions have a file, whatever is in it."""
        return sum(1 for _ in self.path.glob(f"[0-9]*{suffix}"))

    def remove_partial_files(self) -> None:
        """Remove what was left by processes that ended before their files were complete."""
        for path in self.path.glob(".*"):
            with suppress(OSError):
                path.unlink()

    def is_complete(self, number: int, suffix: str) -> bool:
        """Return whether a file with the ``window`` of a partition is there and complete, after reading all of it."""
        try:
            with open_tables(self.file(number, suffix)) as file:
                return file.header.get("window") == list(self.windows[number]) and file.is_complete()
        except SourceError:
            return False


def _make_error(path: Path) -> SourceError:
    return SourceError(f"{path} is not a complete partition.", "The same command with --resume makes it again.")
