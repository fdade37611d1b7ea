"""Centre-line pixels of a whole raster, tile by tile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ...events import Cancellation, Progress, Reporter
from ..source import LevelSource
from .mask import centre_line, merge_parallel, road_surface
from .options import PixelOptions
from .pixels import Pixels, gather, stack


def tile_pixels(
    levels: NDArray[np.uint8], core: tuple[int, int, int, int], options: PixelOptions, shape: tuple[int, int]
) -> Pixels | None:
    """The centre-line pixels within the core of a window.

    Args:
        levels: uint8, the window: the core with ``options.halo`` pixels around.
        core: first row, first column, rows and columns of the core in the raster.
        options: in pixels.
        shape: rows and columns of the raster.

    Returns:
        The pixels in coordinates of the raster; None where there are none.
    """
    row, col, height, width = core
    halo = options.halo
    if int(levels.max()) < options.level:
        return None
    levels = merge_parallel(levels, options)
    line = centre_line(road_surface(levels, options), options.radius)
    inside = (line.row >= halo) & (line.row < halo + height) & (line.col >= halo) & (line.col < halo + width)
    if not inside.any():
        return None
    at_row, at_col = line.row[inside], line.col[inside]
    return Pixels(
        (at_row + (row - halo)).astype(np.int32),
        (at_col + (col - halo)).astype(np.int32),
        line.width[inside],
        levels[at_row, at_col],
        shape,
    )


def find_centre_lines(
    source: LevelSource,
    options: PixelOptions,
    *,
    tile: int,
    threads: int | None,
    reporter: Reporter,
    cancellation: Cancellation,
) -> Pixels:
    """The centre-line pixels of the whole raster; the same for every size of ``tile``.

    Tiles are read in turn and worked on by ``threads`` threads (one for each core where None): OpenCV and the thinning
    release the interpreter's lock.
    """
    workers = threads or os.cpu_count() or 1
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

    halo = options.halo
    with ThreadPoolExecutor(workers) as pool:
        for number, core in enumerate(cores):
            cancellation.check()
            row, col, height, width = core
            levels = source.read_padded(row - halo, col - halo, height + 2 * halo, width + 2 * halo)
            waiting.append((row, pool.submit(tile_pixels, levels, core, options, source.shape)))
            if len(waiting) > workers:
                collect(number - workers + 1)
        while waiting:
            collect(len(cores) - len(waiting) + 1)
    return stack(bands, source.shape)


def _cores(shape: tuple[int, int], tile: int) -> Iterator[tuple[int, int, int, int]]:
    for row in range(0, shape[0], tile):
        for col in range(0, shape[1], tile):
            yield row, col, min(tile, shape[0] - row), min(tile, shape[1] - col)
