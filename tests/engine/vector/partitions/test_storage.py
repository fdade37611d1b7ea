"""Files of partitions, and the number of their format."""

from __future__ import annotations

import json
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
from terraspore.engine.vector.partitions.storage import _FORMAT, read_partition, write_partition
from terraspore.engine.vector.partitions.vectorize import vectorize_road_partition
from terraspore.engine.vector.roads.centerlines import Tile

#: The format, and a checksum of the names and types of its columns.
EXPECTED = (2, 802527933)


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
    write_partition(path, partition)
    return path


def test_format_has_a_new_number_when_its_columns_change(path: Path) -> None:
    """If this fails, raise ``_FORMAT`` in ``storage.py`` and write the new pair here."""
    with np.load(path) as archive:
        columns = sorted(f"{name} {archive[name].dtype} {archive[name].ndim}" for name in archive.files)
    assert (_FORMAT, zlib.crc32("\n".join(columns).encode())) == EXPECTED, columns


@pytest.mark.parametrize("number", [1, 3])
def test_file_of_another_format_is_refused(path: Path, tmp_path: Path, number: int) -> None:
    assert len(read_partition(path).pieces.corner) == 1
    with np.load(path) as archive:
        columns = {name: archive[name] for name in archive.files}
    header = {**json.loads(columns["frame"].tobytes()), "format": number}
    columns["frame"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    other = tmp_path / "other.roads"
    with other.open("wb") as file:
        np.savez_compressed(file, **columns)
    with pytest.raises(SourceError, match="another version"):
        read_partition(other)


def test_damaged_file_is_refused(path: Path, tmp_path: Path) -> None:
    """Whatever byte of it is damaged, and wherever it is cut off."""
    content, damaged = path.read_bytes(), tmp_path / "damaged.roads"
    with zipfile.ZipFile(path) as archive:
        data = [entry.header_offset + 30 + len(entry.filename) + 20 for entry in archive.infolist()]
    for end in (0, 1, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:end])
        with pytest.raises(SourceError, match="not a complete partition"):
            read_partition(damaged)
    for byte in data:  # the first of each compressed array: a kind of block that there is not
        damaged.write_bytes(content[:byte] + b"\xff" + content[byte + 1 :])
        with pytest.raises(SourceError, match="not a complete partition"):
            read_partition(damaged)
