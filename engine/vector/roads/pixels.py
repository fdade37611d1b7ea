"""Centre-line pixels of a whole raster as a sparse structure: rows compressed, links by bit.

A skeleton covers about one pixel in a hundred, so its pixels fit into memory where the raster does not; tracing them
all at once needs no seams between tiles. Coordinates are int32 and positions int64: rasters may be wider than 32,767
pixels and hold more than 2^31.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kernels import link_pixels


@dataclass(frozen=True)
class Pixels:
    """Centre-line pixels, ordered by row and then by column.

    Attributes:
        row: int32 (n,), row of each pixel.
        col: int32 (n,), column of each pixel.
        width: float32 (n,), width of the road there in pixels.
        level: uint8 (n,), probability there in units of 1/250.
        shape: rows and columns of the raster.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]
    level: NDArray[np.uint8]
    shape: tuple[int, int]

    def __len__(self) -> int:
        """The number of pixels."""
        return int(self.row.size)


@dataclass(frozen=True)
class Links:
    """Which neighbours each pixel is linked with.

    Attributes:
        row_start: int64 (rows + 1,), index of the first pixel of each row.
        above: int32 (n,), index of the first pixel of the row above that is not left of the upper left neighbour.
        below: int32 (n,), the same of the row below.
        near: uint8 (n,), bits of the neighbours that are there: E, SE, S, SW, W, NW, N, NE from the lowest bit.
        linked: uint8 (n,), the same without diagonals that have a detour by a side (m-adjacency; Rosenfeld 1970),
            so that a corner of a staircase is no crossing.
    """

    row_start: NDArray[np.int64]
    above: NDArray[np.int32]
    below: NDArray[np.int32]
    near: NDArray[np.uint8]
    linked: NDArray[np.uint8]


def gather(parts: Sequence[Pixels], shape: tuple[int, int]) -> Pixels:
    """Put the pixels of tiles (disjoint, in any order) together in row order."""
    if not parts:
        none = np.zeros(0, np.int32)
        return Pixels(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8), shape)
    row = np.concatenate([part.row for part in parts])
    col = np.concatenate([part.col for part in parts])
    order = np.argsort(row.astype(np.int64) * shape[1] + col, kind="stable")
    width = np.concatenate([part.width for part in parts])
    level = np.concatenate([part.level for part in parts])
    return Pixels(row[order], col[order], width[order], level[order], shape)


def stack(bands: Sequence[Pixels], shape: tuple[int, int]) -> Pixels:
    """Put bands of rows together, from the top to the bottom; each is in order by itself."""
    if not bands:
        return gather([], shape)
    return Pixels(
        np.concatenate([band.row for band in bands]),
        np.concatenate([band.col for band in bands]),
        np.concatenate([band.width for band in bands]),
        np.concatenate([band.level for band in bands]),
        shape,
    )


def link(pixels: Pixels) -> Links:
    """Find the neighbours of every pixel."""
    row_start = np.searchsorted(pixels.row, np.arange(pixels.shape[0] + 1)).astype(np.int64)
    above, below, near, linked = link_pixels(row_start, pixels.col)
    return Links(row_start, above, below, near, linked)
