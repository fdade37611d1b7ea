"""Temporary data on the disk: raster rows, arrays, and a fast compression of both for the time of a run.

``RowSpool`` holds one band that one thread appends to while others read it. ``ArraySpool`` holds arrays that do not fit
in memory. ``compress_buffers`` is for the journal: zlib compresses a buffer of which a sample shrinks to less than
half, and stores any other, because of those it would save little and take long.
"""

from __future__ import annotations

import errno
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, DiskFullError, OutputError
from .atomic import translate_os_errors

#: Side in pixels of a block of a ``RowSpool``.
BLOCK = 256
_BLOCK_BYTES = BLOCK**2
UInt8Array = NDArray[np.uint8]

#: Of each compressed buffer: its compressed size in bytes.
_HEADER = struct.Struct("<Q")
#: A buffer is compressed if a sample of this many bytes shrinks to less than this share, and else only stored.
_SAMPLE_BYTES, _MAX_ZLIB_SHARE = 1 << 18, 0.5


class RowSpool(AbstractContextManager["RowSpool"]):
    """One uint8 band in a temporary file, appended from top to bottom by one thread and read by others.

    A context manager.

    Args:
        path: the file to create; the caller removes it.
        shape: rows and columns.
        final: the output that it is used for, for messages.

    Raises:
        OutputError: the file cannot be created.
    """

    def __init__(self, path: Path, shape: tuple[int, int], final: Path) -> None:
        self.shape = shape
        self._final, self._blocks_across = final, -(-shape[1] // BLOCK)
        self._buffer: UInt8Array = np.zeros((BLOCK, self._blocks_across * BLOCK), np.uint8)
        self._buffered = self._rows = 0
        self._is_aborted = False
        self._change = threading.Condition()
        self._read_lock = threading.Lock()
        size = -(-shape[0] // BLOCK) * self._blocks_across * _BLOCK_BYTES
        with translate_os_errors(final, size):
            self._writer: BinaryIO = path.open("xb", buffering=0)
            self._reader: BinaryIO = path.open("rb", buffering=0)
            self._writer.truncate(size)

    def __exit__(self, *_: object) -> None:
        """Close the file; threads that wait for rows get ``Cancelled``."""
        self.abort()
        with self._read_lock:
            self._reader.close()
        self._writer.close()

    def append(self, rows: UInt8Array) -> None:
        """Append ``rows`` (rows, columns).

        Raises:
            OutputError: the disk cannot be written.
        """
        taken, height = 0, self.shape[0]
        while taken < len(rows):
            count = min(len(rows) - taken, BLOCK - self._buffered)
            self._buffer[self._buffered : self._buffered + count, : self.shape[1]] = rows[taken : taken + count]
            self._buffered, taken = self._buffered + count, taken + count
            if self._buffered == BLOCK or self._rows + self._buffered == height:
                self._flush()

    def abort(self) -> None:
        """Signal waiting threads that no more rows will be appended; no effect after the last row."""
        with self._change:
            self._is_aborted = self._rows < self.shape[0]
            self._change.notify_all()

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Wait for the rows of a window (height, width) within the raster and read it.

        Raises:
            Cancelled: the rows will not be appended.
            OutputError: the disk cannot be read.
        """
        with self._change:
            self._change.wait_for(lambda: self._is_aborted or self._rows >= row + height)
            if self._rows < row + height:
                raise Cancelled("Cancelled; nothing was written.")
        out = np.empty((height, width), np.uint8)
        first, last = col // BLOCK, -(-(col + width) // BLOCK)
        blocks = np.empty((last - first, BLOCK, BLOCK), np.uint8)
        left = col - first * BLOCK
        for top in range(row // BLOCK * BLOCK, row + height, BLOCK):
            self._read_blocks((top // BLOCK * self._blocks_across + first) * _BLOCK_BYTES, blocks)
            begin, end = max(row, top), min(row + height, top + BLOCK)
            for index, block in enumerate(blocks):
                x = index * BLOCK - left  # column of the window where the block begins; may be negative
                part = block[begin - top : end - top, max(-x, 0) : width - x]
                out[begin - row : end - row, max(x, 0) : x + BLOCK] = part
        return out

    def _flush(self) -> None:
        """Write the buffered rows as blocks, except blocks of zeros: the sparse file reads as zeros there."""
        blocks = np.ascontiguousarray(self._buffer.reshape(BLOCK, self._blocks_across, BLOCK).transpose(1, 0, 2))
        used = np.concatenate(([False], blocks.reshape(self._blocks_across, -1).any(axis=1), [False]))
        edges = np.flatnonzero(used[1:] != used[:-1])
        with translate_os_errors(self._final, self.shape[0] * self.shape[1]):
            for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                self._writer.seek((self._rows // BLOCK * self._blocks_across + begin) * _BLOCK_BYTES)
                data = blocks[begin:end].data.cast("B")
                while data:
                    data = data[self._writer.write(data) or 0 :]
        with self._change:
            self._rows += self._buffered
            self._change.notify_all()
        self._buffered = 0

    def _read_blocks(self, offset: int, blocks: UInt8Array) -> None:
        data = blocks.data.cast("B")
        try:
            with self._read_lock:
                self._reader.seek(offset)
                while data:
                    count = self._reader.readinto(data)  # type: ignore[attr-defined]
                    if not count:
                        raise OSError("its temporary file was changed")
                    data = data[count:]
        except (OSError, ValueError) as error:
            raise OutputError(f"The output {self._final} cannot be written: {error}.") from error


@dataclass(frozen=True)
class SpooledArray:
    """Location, dtype and shape of an array in an ``ArraySpool``."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class ArraySpool(AbstractContextManager["ArraySpool"]):
    """Arrays in an unnamed temporary file, which is created when it is first needed. A context manager.

    Args:
        folder: folder of the file; None for the system's folder for temporary files.

    Attributes:
        written: size in bytes of all arrays.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self.written = 0

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._stack.close()

    def append(self, arrays: Sequence[NDArray[Any]]) -> list[SpooledArray]:
        """Write ``arrays``.

        Raises:
            DiskFullError: there is not enough space for them.
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
            spooled = []
            self._file.seek(self.written)
            for array in arrays:
                spooled.append(SpooledArray(self.written, array.dtype, array.shape))
                self.written += self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            folder = self._folder or tempfile.gettempdir()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"There is no space left in {folder} for temporary data.") from error
            raise OutputError(f"Temporary data cannot be written in {folder}: {error.strerror}.") from error
        return spooled

    def read(self, spooled: Sequence[SpooledArray]) -> list[NDArray[Any]]:
        """Read arrays back."""
        assert self._file is not None
        arrays = []
        for entry in spooled:
            array = np.empty(entry.shape, entry.dtype)
            self._file.seek(entry.offset)
            self._file.readinto(array.data)  # type: ignore[attr-defined]
            arrays.append(array)
        return arrays


def compress_buffers(buffers: Sequence[memoryview]) -> Iterator[bytes]:
    """Compress ``buffers``, each by itself; yield the consecutive bytes to write."""
    for buffer in buffers:
        data = buffer.cast("B")
        middle = max(0, len(data) // 2 - _SAMPLE_BYTES // 2)
        sample = data[middle : middle + _SAMPLE_BYTES]
        level = 1 if len(zlib.compress(sample, 1)) < _MAX_ZLIB_SHARE * len(sample) else 0
        compressed = zlib.compress(data, level)
        yield _HEADER.pack(len(compressed))
        yield compressed


def decompress_buffers(data: bytes, sizes: Sequence[int]) -> list[bytes] | None:
    """Restore buffers of ``sizes`` bytes from the output of ``compress_buffers``; None if ``data`` is anything else."""
    buffers, offset = [], 0
    for size in sizes:
        begin = offset + _HEADER.size
        offset = begin + int.from_bytes(data[offset:begin], "little")
        decoder = zlib.decompressobj()
        try:
            buffer = decoder.decompress(memoryview(data)[begin:offset], size + 1)
        except zlib.error:
            return None
        if len(buffer) != size or not decoder.eof or decoder.unused_data:
            return None
        buffers.append(buffer)
    return buffers if offset == len(data) else None
