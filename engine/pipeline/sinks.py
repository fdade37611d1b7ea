"""What a run writes from blended probabilities: probability rasters, class rasters, confidences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..raster.bands import Mask
from ..raster.probability import UInt8Array, binarize, classify, quantize
from ..tiling.blend import Floats, RowBlender
from ..tiling.layout import TilePlan

Encode = Callable[[Floats, Mask | None, UInt8Array], None]
Write = Callable[[UInt8Array], None]
#: Hears of each finished row of tiles: its number, the complete rows of each product, and how many tiles were empty.
Finished = Callable[[int, Sequence[UInt8Array], int], None]


@dataclass(frozen=True)
class OutputSink:
    """One way to write what was computed.

    Attributes:
        bands: layers of its rows.
        encode: from blended probabilities (classes, rows, columns), which it must not change, and validity to
            bytes (bands, rows, columns).
        write: takes complete rows (bands, rows, width), from top to bottom.
    """

    bands: int
    encode: Encode
    write: Write


def probability_sink(classes: int, write: Write) -> OutputSink:
    """All probabilities, one band for each class."""
    return OutputSink(classes, quantize, write)


def class_sink(
    ids: Sequence[int], threshold: float, write_classes: Write | None, write_confidence: Write | None
) -> OutputSink:
    """The most probable class and its probability, in two rasters.

    Args:
        ids: the class id of each layer.
        threshold: where there is one layer only, the probability from which a pixel is 1 and not 0.
        write_classes: takes rows of class ids; None where they are not wanted.
        write_confidence: takes rows of round(probability x 250); None where they are not wanted.
    """
    table = np.array(ids, np.uint8)

    def encode(probability: Floats, valid: Mask | None, out: UInt8Array) -> None:
        if len(table) == 1:
            binarize(probability, valid, threshold, out)
        else:
            classify(probability, valid, table, out)

    def write(rows: UInt8Array) -> None:
        if write_classes is not None:
            write_classes(rows[:1])
        if write_confidence is not None:
            write_confidence(rows[1:])

    return OutputSink(1 if write_confidence is None else 2, encode, write)


class RowAssembler:
    """Blends tiles as they come, and hands complete rows to products.

    Args:
        plan: the tiles.
        classes: layers of a tile.
        products: what is made of them.
        first: the row of tiles whose pixels are the first to be written; tiles may begin with the row before, for
            what it adds to this one.
        finished: is told of each row of tiles after its rows were written.
    """

    def __init__(
        self,
        plan: TilePlan,
        classes: int,
        products: Sequence[OutputSink],
        first: int = 0,
        finished: Finished | None = None,
    ) -> None:
        self._plan, self._products, self._first, self._finished = plan, products, first, finished
        self._blender = RowBlender(plan, classes)
        self._rows: list[NDArray[np.uint8]] = []
        self._empty = 0

    def add(self, row: int, column: int, probability: Floats | None, valid: Mask | None) -> None:
        """Add the next tile.

        Args:
            row: its row; tiles come in rows from the top, in each from the left.
            column: its column.
            probability: (classes, tile, tile); None for an empty tile.
            valid: validity of the strip of its row, (tile, width); None where all pixels are valid.
        """
        (x0, y0, x1, y1), piece = self._blender.add(row, column, probability)
        if row < self._first:
            return
        if column == 0:
            width = self._plan.columns.length
            self._rows = [np.empty((product.bands, y1 - y0, width), np.uint8) for product in self._products]
            self._empty = 0
        self._empty += probability is None
        top = self._plan.rows.starts[row]
        seen = None if valid is None else valid[y0 - top : y1 - top, x0:x1]
        for product, rows in zip(self._products, self._rows, strict=True):
            product.encode(piece, seen, rows[:, :, x0:x1])
        if column == self._plan.columns.count - 1:
            for product, rows in zip(self._products, self._rows, strict=True):
                product.write(rows)
            if self._finished is not None:
                self._finished(row, self._rows, self._empty)
