"""Files of partitions of a coverage: compressed tables of NumPy arrays, written and read one after the other."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ....errors import SourceError
from ....fs.outputs import atomic_output
from ..storage import DAMAGE

#: Number of the format; files of others are refused.
_FORMAT = 1
_HEADER = "header.json"
#: A fast level; a higher one saves little.
_COMPRESSION_LEVEL = 1

Table = TypeVar("Table", bound=tuple[Any, ...])


def write_tables(path: Path, header: Mapping[str, Any], tables: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Write tables to a file, which appears under its name only when it is complete.

    Args:
        path: the file.
        header: values that JSON can store.
        tables: name and columns (a ``NamedTuple`` of arrays) of each; they may be made while the file is written.

    Raises:
        OutputError: it cannot be written.
    """
    with (
        atomic_output(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive,
    ):
        for name, table in tables:
            for field, array in table._asdict().items():  # type: ignore[attr-defined]  # a NamedTuple
                with archive.open(f"{name}/{field}.npy", "w", force_zip64=True) as member:
                    np.save(member, np.ascontiguousarray(array), allow_pickle=False)
        archive.writestr(_HEADER, json.dumps({"format": _FORMAT, **header}))


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
        try:
            self.header: dict[str, Any] = json.loads(archive.read(_HEADER))
        except DAMAGE as error:
            raise _make_error(path) from error
        if self.header.get("format") != _FORMAT:
            raise SourceError(f"{path} was written by another version: run the command again without --resume.")

    def read(self, table: type[Table], name: str) -> Table:
        """Read a table, given its type and its name."""
        columns = []
        for field in table._fields:  # type: ignore[attr-defined]  # a NamedTuple
            try:
                with self._archive.open(f"{name}/{field}.npy") as member:
                    columns.append(np.load(member, allow_pickle=False))
                    member.read()  # the checksum is compared at the end
            except DAMAGE as error:
                raise _make_error(self._path) from error
        return table(*columns)

    def read_all(self, table: type[Table], name: str) -> Iterator[Table]:
        """Read the tables ``name/0``, ``name/1`` and so on."""
        names = {entry.rpartition("/")[0] for entry in self._archive.namelist()}
        number = 0
        while f"{name}/{number}" in names:
            yield self.read(table, f"{name}/{number}")
            number += 1

    def is_complete(self) -> bool:
        """Return whether all of the file can be read."""
        try:
            return self._archive.testzip() is None
        except DAMAGE:
            return False


@contextmanager
def open_tables(path: Path) -> Iterator[TableFile]:
    """Open a file of tables.

    Raises:
        SourceError: it is no such file, is damaged or cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise _make_error(path) from error
    with archive:
        yield TableFile(path, archive)


def _make_error(path: Path) -> SourceError:
    return SourceError(
        f"{path} is not a complete partition of a coverage.", "The same command with --resume makes it again."
    )
