"""Centre-line pixels of a whole raster, found tile by tile.

About one pixel in a hundred lies on a centre line, so these pixels fit into memory where the raster does not, and no
seams are left between tiles. Coordinates are int32 and offsets int64: a raster may be wider than 32,767 pixels and hold
more than 2^31 of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...concurrency import map_bounded
from ...context import RunContext
from ...protocol.messages import Progress
from ...raster.probability import ProbabilityRaster
from ..arrays import concatenate_tables, take_rows
from .mask import PixelBounds, Probability, make_road_mask, merge_carriageways, thin_to_centerline
from .options import PixelOptions

#: Share of road pixels from which it is a warning; towns have less than a third.
_MOST = 0.5


class CenterlinePixels(NamedTuple):
    """Centre-line pixels, ordered by row and column.

    Attributes:
        row: int32 (n,), row of each pixel.
        col: int32 (n,), column of each pixel.
        width: float32 (n,), width of the road there in pixels.
        probability: uint8 (n,), quantized probability there.
    """

    row: NDArray[np.int32]
    col: NDArray[np.int32]
    width: NDArray[np.float32]
    probability: NDArray[np.uint8]


class Tile(NamedTuple):
    """A part of the raster: first row, first column, rows and columns."""

    row: int
    col: int
    height: int
    width: int

    def halo(self, options: PixelOptions, shape: tuple[int, int]) -> int:
        """Return the margin in pixels that the tile needs; more where it reaches beyond the raster of ``shape``."""
        bottom, right = shape[0] - self.row - self.height, shape[1] - self.col - self.width
        is_inner = min(self.row, self.col, bottom, right) >= options.halo
        return options.halo if is_inner else options.border_halo


def find_centerlines(
    source: ProbabilityRaster, options: PixelOptions, window: Tile, *, tile: int, threads: int, context: RunContext
) -> CenterlinePixels:
    """Find the centre-line pixels of a window of the raster, or of all of it.

    Tiles are read one after the other and processed in threads: OpenCV and the kernels release the GIL.

    Args:
        source: the probabilities.
        options: in pixels.
        window: the part of the raster; what lies around it is read as well, so that its pixels are those of the whole.
        tile: side of the tiles in pixels; does not change the result.
        threads: number of threads.
        context: receives progress; checked for cancellation.
    """
    shape = source.shape
    bottom, right = window.row + window.height, window.col + window.width
    tiles = [
        Tile(row, col, min(tile, bottom - row), min(tile, right - col))
        for row in range(window.row, bottom, tile)
        for col in range(window.col, right, tile)
    ]

    def read_windows() -> Iterator[tuple[Tile, Probability]]:
        for part in tiles:
            context.check_cancelled()
            halo = part.halo(options, shape)
            size = part.height + 2 * halo, part.width + 2 * halo
            yield part, source.read_padded(part.row - halo, part.col - halo, *size)

    def process(item: tuple[Tile, Probability]) -> tuple[CenterlinePixels, int]:
        part, probability = item
        halo = part.halo(options, shape)
        inside = probability[halo : halo + part.height, halo : halo + part.width]
        road_pixels = int(np.count_nonzero(inside >= options.threshold))
        return find_tile_centerlines(probability, part, options, shape), road_pixels

    road_pixels = 0
    sorted_rows: list[CenterlinePixels] = []
    tile_row: list[CenterlinePixels] = []
    with ThreadPoolExecutor(threads) as pool:
        results = map_bounded(pool, process, read_windows(), threads)
        for done, (part, (pixels, count)) in enumerate(zip(tiles, results, strict=True), 1):
            road_pixels += count
            tile_row.append(pixels)
            if part.col + part.width == right:
                joined = concatenate_tables(tile_row)
                order = np.argsort(joined.row.astype(np.int64) << 32 | joined.col, kind="stable")
                sorted_rows.append(take_rows(joined, order))
                tile_row = []
            context.report(Progress("vectorize", done, len(tiles)))
    share = road_pixels / (window.height * window.width)
    if share > _MOST:
        context.warn(f"{share:.0%} of the pixels are road: is the mask inverted, or is it the background?")
    return concatenate_tables(sorted_rows)


def find_tile_centerlines(
    probability: Probability, tile: Tile, options: PixelOptions, shape: tuple[int, int]
) -> CenterlinePixels:
    """Find the centre-line pixels of one tile, in coordinates of the raster.

    Args:
        probability: uint8, quantized; the tile with its halo on all sides.
        tile: where the tile lies.
        options: in pixels.
        shape: rows and columns of the raster.
    """
    if int(probability.max()) < options.threshold:
        none = np.zeros(0, np.int32)
        return CenterlinePixels(none, none, np.zeros(0, np.float32), np.zeros(0, np.uint8))
    probability = merge_carriageways(probability, options)
    halo, bounds = tile.halo(options, shape), None
    if halo > options.halo:
        top, left = halo - tile.row, halo - tile.col
        rows, cols = probability.shape
        bounds = PixelBounds(max(top, 0), max(left, 0), min(top + shape[0], rows), min(left + shape[1], cols))
    mask = make_road_mask(probability, options, bounds)
    line = thin_to_centerline(mask, options.max_radius, (halo, halo, tile.height, tile.width))
    row, col = line.row + np.int32(tile.row - halo), line.col + np.int32(tile.col - halo)
    return CenterlinePixels(row, col, line.width, probability[line.row, line.col])
