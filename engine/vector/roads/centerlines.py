"""Centre-line pixels of a whole raster as a sparse structure: rows compressed, links by bit.

A skeleton covers about one pixel in a hundred, so its pixels fit into memory where the raster does not; tracing them
all at once needs no seams between tiles. Coordinates are int32 and positions int64: rasters may be wider than 32,767
pixels and hold more than 2^31.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...context import RunContext
from ...protocol.messages import Progress
from ...raster.probability import ProbabilityRaster
from .edges import Inside
from .kernels.tracing import link_pixels
from .mask import centre_line, merge_parallel, road_surface
from .options import PixelOptions


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


def tile_pixels(
    levels: NDArray[np.uint8], core: tuple[int, int, int, int], options: PixelOptions, shape: tuple[int, int], halo: int
) -> Pixels | None:
    """The centre-line pixels within the core of a window.

    Args:
        levels: uint8, the window: the core with ``halo`` pixels around.
        core: first row, first column, rows and columns of the core in the raster.
        options: in pixels.
        shape: rows and columns of the raster.
        halo: as ``halo_of`` gives it.

    Returns:
        The pixels in coordinates of the raster; None where there are none.
    """
    row, col, height, width = core
    if int(levels.max()) < options.level:
        return None
    levels = merge_parallel(levels, options)
    inside = None
    if halo > options.halo:
        bottom, right = halo - row + shape[0], halo - col + shape[1]
        inside = Inside(
            max(halo - row, 0), max(halo - col, 0), min(bottom, levels.shape[0]), min(right, levels.shape[1])
        )
    line = centre_line(road_surface(levels, options, inside), options.radius, (halo, halo, height, width))
    if line.row.size == 0:
        return None
    level = levels[line.row, line.col]
    return Pixels(line.row + np.int32(row - halo), line.col + np.int32(col - halo), line.width, level, shape)


def halo_of(core: tuple[int, int, int, int], options: PixelOptions, shape: tuple[int, int]) -> int:
    """The pixels around a core that are needed: more where some of them lie outside of the raster."""
    row, col, height, width = core
    halo = options.halo
    is_inner = min(row, col, shape[0] - row - height, shape[1] - col - width) >= halo
    return halo if is_inner else options.edge_halo


def find_centre_lines(
    source: ProbabilityRaster,
    options: PixelOptions,
    *,
    tile: int,
    threads: int,
    context: RunContext,
) -> Pixels:
    """The centre-line pixels of the whole raster; the same for every size of ``tile``.

    Tiles are read in turn and worked on by ``threads`` threads: OpenCV and the kernels release the interpreter's lock.
    """
    cores = list(_cores(source.shape, tile))
    parts: dict[int, list[Pixels]] = {}
    bands: list[Pixels] = []
    waiting: list[tuple[int, Future[Pixels | None]]] = []

    def collect(done: int) -> None:
        row, future = waiting.pop(0)
        part = future.result()
        if part is not None:
            parts.setdefault(row, []).append(part)
        # Tiles come in rows: when the next row begins, the one before is complete.
        for above in [above for above in parts if not waiting or above < waiting[0][0]]:
            bands.append(gather(parts.pop(above), source.shape))
        context.report(Progress("vectorize", done, len(cores)))

    with ThreadPoolExecutor(threads) as pool:
        for number, core in enumerate(cores):
            context.check_cancelled()
            row, col, height, width = core
            halo = halo_of(core, options, source.shape)
            levels = source.read_padded(row - halo, col - halo, height + 2 * halo, width + 2 * halo)
            waiting.append((row, pool.submit(tile_pixels, levels, core, options, source.shape, halo)))
            if len(waiting) > threads:
                collect(number - threads + 1)
        while waiting:
            collect(len(cores) - len(waiting) + 1)
    return stack(bands, source.shape)


def _cores(shape: tuple[int, int], tile: int) -> Iterator[tuple[int, int, int, int]]:
    for row in range(0, shape[0], tile):
        for col in range(0, shape[1], tile):
            yield row, col, min(tile, shape[0] - row), min(tile, shape[1] - col)
