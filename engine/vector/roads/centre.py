"""Centre-line pixels of a whole raster, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ...events import Cancellation, Progress, Reporter
from ..source import LevelSource
from .edges import Inside
from .mask import centre_line, merge_parallel, road_surface
from .options import PixelOptions
from .pixels import Pixels, gather, stack


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
    source: LevelSource,
    options: PixelOptions,
    *,
    tile: int,
    threads: int,
    reporter: Reporter,
    cancellation: Cancellation,
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
        reporter.emit(Progress("vectorize", done, len(cores)))

    with ThreadPoolExecutor(threads) as pool:
        for number, core in enumerate(cores):
            cancellation.check()
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
