"""Packing bytes of rasters quickly: for files that live as long as a run.

A part that shrinks to little is one zlib stream, which then is quick to make. Of any other part only the words of
eight bytes that are not zero are kept, and a bit for each word: probabilities of roads shrink to about 40 %, in a tenth
of zlib's time.
"""

from __future__ import annotations

import errno
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, DiskFullError, OutputError
from .atomic import translate_os_error

_HEADER = struct.Struct("<cQ")  # the kind of a part, and its bytes as packed
_ZLIB, _WORDS = b"z", b"w"
#: Bytes of a part that are tried, and to what share they must shrink for all of it to go through zlib.
_SAMPLE, _WORTHWHILE = 1 << 18, 0.1
_CHUNK = 1 << 20
_WORD = 8


def compress_buffers(parts: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    """The packed ``parts``, one after the other, in pieces that are to be written in turn."""
    for part in parts:
        plain = part.cast("B")
        kind, pieces = (_ZLIB, _deflated(plain)) if _shrinks(plain) else (_WORDS, _words(plain))
        yield _HEADER.pack(kind, sum(map(len, pieces)))
        yield from pieces


def decompress_buffers(data: bytes, sizes: Sequence[int]) -> list[bytes] | None:
    """Restore buffers of ``sizes`` bytes from the output of ``compress_buffers``; None if ``data`` is anything else."""
    parts, place = [], 0
    for size in sizes:
        if len(data) < place + _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(data, place)
        body = memoryview(data)[place + _HEADER.size : place + _HEADER.size + length]
        part = _inflated(body, size) if kind == _ZLIB else _filled(body, size) if kind == _WORDS else None
        if part is None or len(body) != length:
            return None
        parts.append(part)
        place += _HEADER.size + length
    return parts if place == len(data) else None


def _shrinks(plain: memoryview) -> bool:
    middle = max(0, len(plain) // 2 - _SAMPLE // 2)
    sample = plain[middle : middle + _SAMPLE]
    return len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)


def _deflated(plain: memoryview) -> list[bytes | memoryview]:
    encoder = zlib.compressobj(1)
    pieces = [encoder.compress(plain[start : start + _CHUNK]) for start in range(0, len(plain), _CHUNK)]
    return [*pieces, encoder.flush()]


def _inflated(body: memoryview, size: int) -> bytes | None:
    decoder = zlib.decompressobj()
    try:
        part = decoder.decompress(body, size + 1)
    except zlib.error:
        return None
    return part if len(part) == size else None


def _words(plain: memoryview) -> list[bytes | memoryview]:
    """A bit for each whole word, the words that are not zero, and what follows the last whole word."""
    end = len(plain) // _WORD * _WORD
    words = np.frombuffer(plain[:end], np.uint64) if end else np.zeros(0, np.uint64)
    used = words != 0
    return [np.packbits(used).tobytes(), words[used].tobytes(), plain[end:]]


def _filled(body: memoryview, size: int) -> bytes | None:
    count, rest = divmod(size, _WORD)
    bits = -(-count // 8)
    used = np.unpackbits(np.array(body[:bits], np.uint8)).view(np.bool_)[:count]
    end = bits + _WORD * int(used.sum())
    if len(used) != count or len(body) != end + rest:
        return None
    words = np.zeros(count, np.uint64)
    if end > bits:
        words[used] = np.frombuffer(body[bits:end], np.uint64)
    return words.tobytes() + bytes(body[end:])


#: Side of a block.
BLOCK = 256
UInt8Array = NDArray[np.uint8]


class RowSpool:
    """One band of bytes, appended from top to bottom by one thread and read by others; a context manager.

    Args:
        path: the file to make; whoever chose it removes it.
        shape: rows and columns.
        final: the output that it is made for, for errors.

    Raises:
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path, shape: tuple[int, int], final: Path) -> None:
        self.shape = shape
        self._final, self._across = final, -(-shape[1] // BLOCK)
        self._band: UInt8Array = np.zeros((BLOCK, self._across * BLOCK), np.uint8)
        self._filled = self._rows = 0
        self._broken = False
        self._change = threading.Condition()
        self._reading = threading.Lock()
        size = -(-shape[0] // BLOCK) * self._across * BLOCK**2
        try:
            self._writer: BinaryIO = path.open("xb", buffering=0)
            self._reader: BinaryIO = path.open("rb", buffering=0)
            self._writer.truncate(size)
        except OSError as error:
            raise translate_os_error(error, final, size) from error

    def __enter__(self) -> RowSpool:
        """Nothing more to do: the file is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; who still waits for rows gets ``Cancelled``."""
        self.abort()
        with self._reading:
            self._reader.close()
        self._writer.close()

    def append(self, rows: UInt8Array) -> None:
        """Add ``rows`` (rows, columns).

        Raises:
            OutputError: the disk does not take them.
        """
        taken, height = 0, self.shape[0]
        while taken < len(rows):
            count = min(len(rows) - taken, BLOCK - self._filled)
            self._band[self._filled : self._filled + count, : self.shape[1]] = rows[taken : taken + count]
            self._filled, taken = self._filled + count, taken + count
            if self._filled == BLOCK or self._rows + self._filled == height:
                self._flush()

    def abort(self) -> None:
        """Tell who waits for rows that no more will come; after the last row it changes nothing."""
        with self._change:
            self._broken = self._rows < self.shape[0]
            self._change.notify_all()

    def read(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """A window (height, width) that lies within the raster, once its rows are there.

        Raises:
            Cancelled: its rows will not come.
            OutputError: the disk does not give back what it took.
        """
        with self._change:
            self._change.wait_for(lambda: self._broken or self._rows >= row + height)
            if self._rows < row + height:
                raise Cancelled("Cancelled; nothing was written.")
        out = np.empty((height, width), np.uint8)
        first, last = col // BLOCK, -(-(col + width) // BLOCK)
        blocks = np.empty((last - first, BLOCK, BLOCK), np.uint8)
        left = col - first * BLOCK
        for top in range(row // BLOCK * BLOCK, row + height, BLOCK):
            self._read_blocks((top // BLOCK * self._across + first) * BLOCK**2, blocks)
            begin, end = max(row, top), min(row + height, top + BLOCK)
            for place, block in enumerate(blocks):
                west = place * BLOCK - left  # the block's first column in the window, maybe before it
                part = block[begin - top : end - top, max(-west, 0) : width - west]
                out[begin - row : end - row, max(west, 0) : west + BLOCK] = part
        return out

    def _flush(self) -> None:
        """Write the gathered rows as blocks. Blocks of zeros are left out: the file reads as zeros there."""
        blocks = np.ascontiguousarray(self._band.reshape(BLOCK, self._across, BLOCK).transpose(1, 0, 2))
        used = np.concatenate(([False], blocks.reshape(self._across, -1).any(axis=1), [False]))
        edges = np.flatnonzero(used[1:] != used[:-1])
        try:
            for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                self._writer.seek((self._rows // BLOCK * self._across + begin) * BLOCK**2)
                self._write(blocks[begin:end].data.cast("B"))
        except OSError as error:
            raise translate_os_error(error, self._final, self.shape[0] * self.shape[1]) from error
        with self._change:
            self._rows += self._filled
            self._change.notify_all()
        self._filled = 0

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._writer.write(data) or 0 :]

    def _read_blocks(self, place: int, blocks: UInt8Array) -> None:
        data = blocks.data.cast("B")
        try:
            with self._reading:
                self._reader.seek(place)
                while data:
                    count = self._reader.readinto(data)  # type: ignore[attr-defined]
                    if not count:
                        raise OSError("its temporary file is not as it was written")
                    data = data[count:]
        except (OSError, ValueError) as error:
            raise OutputError(f"The output {self._final} cannot be made: {error}.") from error


@dataclass(frozen=True)
class SpooledArray:
    """Where an array lies in the file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class ArraySpool:
    """A temporary file without a name, made when it is first needed.

    Args:
        folder: where it lies; None for the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self.written = 0

    def __enter__(self) -> ArraySpool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def append(self, arrays: Sequence[NDArray[Any]]) -> list[SpooledArray]:
        """Write arrays.

        Raises:
            DiskFullError: there is no space for them.
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
            parked = []
            self._file.seek(self.written)
            for array in arrays:
                parked.append(SpooledArray(self.written, array.dtype, array.shape))
                self.written += self._file.write(np.ascontiguousarray(array).data)
            self._file.flush()
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"There is no space left in {where} for temporary data.") from error
            raise OutputError(f"Temporary data cannot be written in {where}: {error.strerror}.") from error
        return parked

    def read(self, parked: Sequence[SpooledArray]) -> list[NDArray[Any]]:
        """Read arrays again."""
        assert self._file is not None
        found = []
        for one in parked:
            array = np.empty(one.shape, one.dtype)
            self._file.seek(one.offset)
            self._file.readinto(array.data)  # type: ignore[attr-defined]
            found.append(array)
        return found
