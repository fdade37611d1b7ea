"""Files of partitions, and the number of their format."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from terraspore.engine.context import RunContext
from terraspore.engine.errors import SourceError
from terraspore.engine.protocol.options import RoadOptions
from terraspore.engine.raster.probability import ProbabilityRaster
from terraspore.engine.vector.partitions.storage import _FORMAT, PartitionFolder, open_tables
from terraspore.engine.vector.partitions.tables import PieceTable
from terraspore.engine.vector.partitions.vectorize import vectorize_road_partition
from terraspore.engine.vector.roads.centerlines import Tile

#: The format, and a checksum of the names and types of its columns.
EXPECTED = (3, 2089309537)
#: The types of the tables in the file, by name.
TABLES: dict[str, type] = {}


class Cross(ProbabilityRaster):
    """Two roads that cross."""

    def __init__(self) -> None:
        super().__init__((200, 200), Affine(1.0, 0.0, 200_000.0, 0.0, -1.0, 900_000.0), "EPSG:26986")

    def read(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        values = np.zeros(self.shape, np.uint8)
        values[96:104] = values[:, 96:104] = 235
        return values[row : row + height, col : col + width]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the left partition of two."""
    path = tmp_path_factory.mktemp("partitions") / "000000.roads"
    options = RoadOptions(threads=1, areas=False)
    partition = vectorize_road_partition(Cross(), Tile(0, 0, 200, 150), options, name="cross", context=RunContext())
    TABLES.update({type(table).__name__: type(table) for table in partition.tables})
    partition.write(path)
    return path


def test_format_has_a_new_number_when_its_columns_change(path: Path) -> None:
    """If this fails, raise ``_FORMAT`` in ``storage.py`` and write the new pair here."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "header.json"}
        columns = sorted(f"{name} {array.dtype} {array.ndim}" for name, array in arrays.items())
    assert (_FORMAT, zlib.crc32("\n".join(columns).encode())) == EXPECTED, columns


@pytest.mark.parametrize("number", [2, 4])
def test_file_of_another_format_is_refused(path: Path, tmp_path: Path, number: int) -> None:
    with open_tables(path) as file:
        assert len(file.read(PieceTable).corner) == 1
    other = tmp_path / "other.roads"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["header.json"] = json.dumps({**json.loads(members["header.json"]), "format": number}).encode()
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(SourceError, match="another version"), open_tables(other):
        pass


def test_damaged_file_is_refused(path: Path, tmp_path: Path) -> None:
    """Whatever byte of it is damaged, and wherever it is cut off."""
    content, damaged, folder = path.read_bytes(), tmp_path / "000000.roads", PartitionFolder(tmp_path, (200, 150), 200)
    with zipfile.ZipFile(path) as archive:
        arrays = {entry.filename: entry.header_offset for entry in archive.infolist()}
    for end in (0, 1, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:end])
        with pytest.raises(SourceError, match="not a complete partition"), open_tables(damaged):
            pass
        assert not folder.is_complete(0, ".roads")
    for name, begin in arrays.items():  # the first byte of each: a kind of block that there is not
        byte = begin + 30 + sum(struct.unpack("<HH", content[begin + 26 : begin + 30]))
        damaged.write_bytes(content[:byte] + b"\xff" + content[byte + 1 :])
        kind, field = TABLES.get(name.partition("/")[0]), name.rpartition("/")[2].partition(".")[0]
        with pytest.raises(SourceError, match="not a complete partition"), open_tables(damaged) as file:
            file.read_column(kind, field)
        assert not folder.is_complete(0, ".roads")
    damaged.write_bytes(content)
    assert folder.is_complete(0, ".roads")
