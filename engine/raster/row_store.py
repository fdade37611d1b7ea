"""Rows of bytes on the disk for who reads them at the same time as they are made, and again in any order later.

Nothing is compressed: the file lives as long as the run, and the system keeps it in memory as far as there is room.
It is laid out in rows of blocks, so that a window is a few long pieces of the file.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, OutputError
from ..output.atomic import as_output_error

#: Side of a block.
BLOCK = 256

Bytes = NDArray[np.uint8]


class RowStore:
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
        self._band: Bytes = np.zeros((BLOCK, self._across * BLOCK), np.uint8)
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
            raise as_output_error(error, final, size) from error

    def __enter__(self) -> RowStore:
        """Nothing more to do: the file is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; who still waits for rows gets ``Cancelled``."""
        self.give_up()
        with self._reading:
            self._reader.close()
        self._writer.close()

    def append(self, rows: Bytes) -> None:
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

    def give_up(self) -> None:
        """Tell who waits for rows that no more will come; after the last row it changes nothing."""
        with self._change:
            self._broken = self._rows < self.shape[0]
            self._change.notify_all()

    def read(self, row: int, col: int, height: int, width: int) -> Bytes:
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
            raise as_output_error(error, self._final, self.shape[0] * self.shape[1]) from error
        with self._change:
            self._rows += self._filled
            self._change.notify_all()
        self._filled = 0

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._writer.write(data) or 0 :]

    def _read_blocks(self, place: int, blocks: Bytes) -> None:
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
