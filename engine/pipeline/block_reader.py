"""Assemble windows and rows of the result from the files of its blocks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..context import Cancellation
from ..fs.spool import UInt8Array
from ..tiling import Floats
from .block_layout import BlockIndex, Span
from .block_store import BlockStore
from .run_outputs import OutputSink

#: Arrays of blocks that a reader keeps, because windows of other rows need them again.
_CACHE_BYTES = 96 << 20

Window = tuple[int, int, int, int]


class BlockReader:
    """Reads windows of the result of a run whose blocks are complete; several threads may use it.

    Args:
        store: the blocks.
    """

    def __init__(self, store: BlockStore) -> None:
        self._store, self._layout = store, store.layout
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[BlockIndex, str], NDArray[Any]] = OrderedDict()
        self._cached_bytes = 0

    def read(self, window: Window, raster: int = 0) -> UInt8Array:
        """Read a window of a raster.

        Args:
            window: x0, y0, x1, y1 in pixels of the grid.
            raster: number of its encoder in the store.

        Returns:
            (bands, rows, columns), ``NODATA`` where the image has no pixels.

        Raises:
            OutputError: the file of a block is missing or damaged.
        """
        x0, y0, x1, y1 = window
        encoder = self._store.encoders[raster]
        out: UInt8Array = np.empty((encoder.bands, y1 - y0, x1 - x0), np.uint8)
        for rows in self._layout.y.spans(y0, y1):
            for columns in self._layout.x.spans(x0, x1):
                target = out[:, rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
                if len(rows.blocks) == len(columns.blocks) == 1:
                    self._read_core(rows, columns, raster, target)
                    continue
                total = self._add_sums(rows, columns)
                unknown = np.isnan(total[0])
                valid = None
                if unknown.any():
                    total, valid = np.nan_to_num(total, copy=False, nan=0.0), ~unknown
                encoder.encode(total, valid, target)
        return out

    def read_band(self, row: int, col: int, height: int, width: int) -> UInt8Array:
        """Read a window (height, width) of the first band of the first raster; errors as ``read``."""
        return np.asarray(self.read((col, row, col + width, row + height))[0])

    def read_rows(self) -> Iterator[list[UInt8Array]]:
        """Yield the complete rows of each raster (bands, rows, width), from top to bottom, a row of tiles at a time."""
        rows, width = self._layout.plan.rows, self._layout.plan.columns.length
        for row in range(rows.count):
            first, end = rows.finalized_range(row)
            yield [self.read((0, first, width, end), raster) for raster in range(len(self._store.encoders))]

    def _read_core(self, rows: Span, columns: Span, raster: int, target: UInt8Array) -> None:
        """Copy a window within the core of one block."""
        index = BlockIndex(rows.blocks[0], columns.blocks[0])
        left, right = self._layout.x.core(index.column)
        bands = self._store.encoders[raster].bands
        for tile_row, a, b, top, height in self._tile_rows(index.row, rows):
            array = self._load(index, f"{raster}/{tile_row}", (bands, height, right - left), np.uint8)
            part = array[:, a - top : b - top, columns.start - left : columns.stop - left]
            target[:, a - rows.start : b - rows.start] = part

    def _tile_rows(self, block_row: int, rows: Span) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield row of tiles, first and last row of the window in it, and first row and height of its core rows."""
        for tile_row in self._layout.y.tiles(block_row):
            top, end = self._layout.core_rows(tile_row)
            a, b = max(rows.start, top), min(rows.stop, end)
            if a < b:
                yield tile_row, a, b, top, end - top

    def _add_sums(self, rows: Span, columns: Span) -> Floats:
        """Add the sums of all blocks that share a ramp, (classes, rows, columns)."""
        shape = (self._store.classes, rows.stop - rows.start, columns.stop - columns.start)
        total = np.zeros(shape, np.float32)
        for row in rows.blocks:
            for column in columns.blocks:
                self._add_block(BlockIndex(row, column), rows, columns, total)
        return total

    def _add_block(self, index: BlockIndex, rows: Span, columns: Span, total: Floats) -> None:
        """Add the sums of one block, over a window that lies in one of its ramps."""
        layout, classes = self._layout, self._store.classes
        (left, right), (x0, x1) = layout.x.window(index.column), layout.x.core(index.column)
        (top, bottom), (y0, y1) = layout.y.window(index.row), layout.y.core(index.row)
        if len(rows.blocks) == 2:
            name, first, end = ("top", top, y0) if rows.stop <= y0 else ("bottom", y1, bottom)
            array = self._load(index, name, (classes, end - first, right - left), np.float32)
            total += array[:, rows.start - first : rows.stop - first, columns.start - left : columns.stop - left]
            return
        side, first, end = ("left", left, x0) if columns.stop <= x0 else ("right", x1, right)
        for tile_row, a, b, begin, height in self._tile_rows(index.row, rows):
            array = self._load(index, f"{side}/{tile_row}", (classes, height, end - first), np.float32)
            part = array[:, a - begin : b - begin, columns.start - first : columns.stop - first]
            total[:, a - rows.start : b - rows.start] += part

    def _load(self, index: BlockIndex, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        key = (index, name)
        with self._lock:
            array = self._cache.get(key)
            if array is not None:
                self._cache.move_to_end(key)
                return array
        array = self._store.load(index, name, shape, dtype)
        with self._lock:
            if key not in self._cache:
                self._cache[key] = array
                self._cached_bytes += array.nbytes
            while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return array


def write_sinks(reader: BlockReader, sinks: Sequence[OutputSink], cancellation: Cancellation) -> None:
    """Write all rows of the blocks' rasters to ``sinks``, one for each encoder of the store.

    Raises:
        Cancelled: the run was cancelled.
        OutputError: a block is damaged, or an output cannot be written.
    """
    if not any(sink.is_used for sink in sinks):
        return
    for rows in reader.read_rows():
        cancellation.check()
        for sink, part in zip(sinks, rows, strict=True):
            sink.write(part)
