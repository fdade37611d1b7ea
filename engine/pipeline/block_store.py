"""The store of finished blocks: one file for each, from which any window of the result is assembled.

A block may be computed anywhere, in any order. Its file gets its name only when it is complete, so the files are the
journal of the run: a run that is resumed computes the blocks whose files are missing, damaged or of another run.

A file is a zip of arrays (see ``compress_array``). Of its core, where the sums are final, it has the encoded bytes
of each raster, one array for each row of tiles; of the ramps that it shares with its neighbours the float32 sums of its
tiles, NaN where the image has no pixels. Sums are exact in float32 (see ``tiling``), so what is assembled does not
depend on the division into blocks.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from ..errors import OutputError
from ..fs.atomic import translate_os_errors
from .block_layout import BlockIndex, BlockLayout
from .run_outputs import Encoder
from .runner import BlockRows

_FACTS, _PARTIAL, _SUFFIX = "block.json", ".partial", ".zip"
#: Any but the one of rasters without a position, of which rasterio warns.
_TRANSFORM = Affine.scale(2.0)
#: What reading a damaged zip or array may raise.
_DAMAGE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class BlockStore:
    """Files of blocks in a folder that all processes of a run share. Picklable.

    Attributes:
        folder: the folder.
        layout: the division into blocks.
        classes: number of classes of the sums.
        encoders: the rasters that are stored.
        fingerprint: of the run; files with another one are not of this run.
        output: the output of the run, for messages.
    """

    folder: Path
    layout: BlockLayout
    classes: int
    encoders: tuple[Encoder, ...]
    fingerprint: str
    output: Path

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the raster."""
        plan = self.layout.plan
        return plan.rows.length, plan.columns.length

    def name_folder(self, name: str, facts: object) -> Path:
        """Return the folder of files that are made of the blocks; those of other blocks or facts are in others."""
        text = json.dumps([self.fingerprint, facts], sort_keys=True, default=sorted)  # of sets of class ids
        return self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def path(self, index: BlockIndex) -> Path:
        """Return the file of a block."""
        return self.folder / f"{index.row:05d}" / f"{index.column:05d}{_SUFFIX}"

    def write(self, index: BlockIndex, rows: Iterable[BlockRows]) -> int:
        """Write the file of a block; it gets its name when all ``rows`` of the block are in it.

        Returns:
            Tiles of the block without a valid pixel, which were not computed.

        Raises:
            DiskFullError: there is not enough space.
            OutputError: the file cannot be written.
        """
        final = self.path(index)
        name = f".{final.stem}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}{_PARTIAL}"
        partial = final.with_name(name)
        with translate_os_errors(self.output):
            final.parent.mkdir(exist_ok=True)
            try:
                with partial.open("xb") as file:
                    with zipfile.ZipFile(file, "w") as archive:
                        empty = self._write_rows(archive, index, rows)
                        facts = {"fingerprint": self.fingerprint, "block": list(index), "empty": empty}
                        archive.writestr(_FACTS, json.dumps(facts))
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(final)
            finally:
                with suppress(OSError):
                    partial.unlink(missing_ok=True)
        return empty

    def _write_rows(self, archive: zipfile.ZipFile, index: BlockIndex, rows: Iterable[BlockRows]) -> int:
        """Write all arrays of a block; return the number of its empty tiles."""
        (left, right), (x0, x1) = self.layout.x.window(index.column), self.layout.x.core(index.column)
        inside, empty = slice(x0 - left, x1 - left), 0
        top, bottom = self.layout.y.core(index.row)
        for piece in rows:
            total, end = piece.total, piece.top + piece.total.shape[1]
            y0, y1 = (y - piece.top for y in self.layout.core_rows(piece.row))
            sums = total if piece.valid is None else np.where(piece.valid, total, np.float32(np.nan))
            valid = None if piece.valid is None else piece.valid[y0:y1, inside]
            for number, encoder in enumerate(self.encoders):
                encoded = np.empty((encoder.bands, y1 - y0, x1 - x0), np.uint8)
                encoder.encode(total[:, y0:y1, inside], valid, encoded)
                _write_array(archive, f"{number}/{piece.row}", encoded)
            if x0 > left:
                _write_array(archive, f"left/{piece.row}", sums[:, y0:y1, : x0 - left])
            if x1 < right:
                _write_array(archive, f"right/{piece.row}", sums[:, y0:y1, x1 - left :])
            if piece.top < top:
                _write_array(archive, "top", sums[:, : top - piece.top])
            if end > bottom:
                _write_array(archive, "bottom", sums[:, bottom - piece.top :])
            empty += piece.empty
        return empty

    def check(self, index: BlockIndex) -> int | None:
        """Return what ``write`` did after reading all of the file; None where it is missing, damaged or foreign."""
        try:
            with zipfile.ZipFile(self.path(index)) as archive:
                facts = json.loads(archive.read(_FACTS))
                is_own = facts["fingerprint"] == self.fingerprint and facts["block"] == list(index)
                if not is_own or archive.testzip() is not None:
                    return None
                return int(facts["empty"])
        except (*_DAMAGE, TypeError):
            return None

    def load(self, index: BlockIndex, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """Read one array of a block.

        Args:
            index: the block.
            name: of the array in the file.
            shape: what it must have.
            dtype: what it must be of.

        Raises:
            OutputError: the file is missing or damaged.
        """
        path = self.path(index)
        try:
            with zipfile.ZipFile(path) as archive:
                return decompress_array(archive.read(name), shape, dtype)
        except (*_DAMAGE, RasterioError) as error:
            raise OutputError(
                f"The file {path} of a finished block of {self.output} is missing or damaged.",
                "The same command with --resume computes it again.",
            ) from error

    def count_files(self) -> int:
        """Return how many blocks have a file, whatever is in it."""
        return sum(1 for _ in self.folder.glob(f"*/*{_SUFFIX}"))

    def remove_partial_files(self) -> None:
        """Remove what was left by processes that ended before their blocks were complete."""
        for path in self.folder.glob(f"*/.*{_PARTIAL}"):
            with suppress(OSError):
                path.unlink()


def _write_array(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    archive.writestr(name, compress_array(array))


def compress_array(array: NDArray[Any]) -> bytes:
    """Return an array (bands, rows, columns) as the bytes of a GeoTIFF; no bytes for one without elements.

    GDAL's deflate takes a third of the time of Python's zlib.
    """
    if not array.size:
        return b""
    bands, rows, columns = array.shape
    profile = {"driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": array.dtype.name}
    layout = {"compress": "deflate", "zlevel": 1, "interleave": "band", "blockysize": rows, "transform": _TRANSFORM}
    with MemoryFile() as memory:
        with memory.open(**profile, **layout) as dataset:
            dataset.write(np.ascontiguousarray(array))
        return bytes(memory.getbuffer())


def decompress_array(data: bytes, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return the array that ``compress_array`` made ``data`` of.

    Raises:
        ValueError: the array is of another shape or type.
        rasterio.errors.RasterioError: the data are damaged.
    """
    if not data:
        empty: NDArray[Any] = np.empty(shape, dtype)
        if empty.size:
            raise ValueError("There are no data.")
        return empty
    with MemoryFile(data) as memory, memory.open(driver="GTiff") as dataset:
        found = (dataset.count, dataset.height, dataset.width), dataset.dtypes[0]
        if found != (shape, np.dtype(dtype).name):
            raise ValueError(f"{found[1]} {found[0]} is not {dtype} {shape}")
        return np.asarray(dataset.read())
