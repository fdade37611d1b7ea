"""Read an image as a network sees it: windows of a grid, and strips that each cover one row of tiles.

A strip is as wide as the grid, or a block of it, and as high as a tile. Rows that it shares with the strip before are
copied, so the file is read once, from top to bottom, in windows that end at its own block rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..tiling import Block, TilePlan, whole_block
from .bands import Bands, Mask, read_bands
from .contrast import Stretch
from .dataset import Source
from .gdal_environment import SAFE_SETTINGS
from .grid import Grid
from .pixel_view import PixelView, SourceSpec, describe_image

if TYPE_CHECKING:
    from .area import Area  # imports vector libraries, which few runs need

#: Bytes of stored pixels that are read at a time, to limit the memory for intermediate arrays.
_WINDOW_BYTES = 32 << 20


class ImageView(PixelView):
    """An image and everything that decides the pixels that a network gets of it.

    Args:
        source: the image.
        grid: the pixel grid.
        bands: the bands to read.
        stretch: conversion to uint8; None to use the values as they are.
        dtype: dtype of the result: ``uint8``, ``uint16`` or ``float32``.
        area: area of interest; pixels outside are not valid. None for the whole grid.

    Attributes:
        bands: the bands to read.
    """

    def __init__(
        self, source: Source, grid: Grid, bands: Bands, stretch: Stretch | None, dtype: str, *, area: Area | None = None
    ) -> None:
        image = describe_image(source, bands, stretch)
        super().__init__(SourceSpec((image,), bands.layers, dtype, grid, area))
        self.bands, self._source, self._stretch = bands, source, stretch

    def check_unchanged(self) -> None:
        """Raise ``SourceChangedError`` if the image was changed since it was opened."""
        self._source.check_unchanged()

    def read(self, x0: int, y0: int, x1: int, y1: int, out: NDArray[Any]) -> Mask | None:
        """Read grid columns ``x0:x1`` and rows ``y0:y1`` into ``out`` (channels, rows, columns).

        Returns:
            Mask of pixels that are valid and in the area (rows, columns), or None if all are. Nodata pixels are 0 in
            ``out``.

        Raises:
            SourceError: the file is damaged there.
        """
        valid = np.ones((y1 - y0, x1 - x0), np.bool_)
        for a, b in self._split_rows(x1 - x0, y0, y1):
            mask = self._read_window((x0, a, x1, b), out[:, a - y0 : b - y0])
            if mask is not None:
                valid[a - y0 : b - y0] = mask
        return None if valid.all() else valid

    def _read_window(self, window: tuple[int, int, int, int], out: NDArray[Any]) -> Mask | None:
        x0, y0, x1, y1 = window
        inside = None if self.spec.area is None else self.spec.area.rasterize_rows(y0, y1)[:, x0:x1]
        if inside is not None and not inside.any():
            out[...] = 0
            return inside
        direct = out if self._stretch is None and self.spec.dtype == "uint8" else None
        pixels, valid = read_bands(
            self._source, self.bands, self.spec.grid.source_window(*window), (y1 - y0, x1 - x0), direct
        )
        if self._stretch is not None:
            self._stretch.apply(pixels, out)
        elif pixels is not out:
            convert(pixels, out)
        if valid is not None:
            out[:, ~valid] = 0
        if inside is None:
            return valid
        # Pixels outside the area keep their values: they are the context that the network sees.
        return inside if valid is None else valid & inside

    def _split_rows(self, columns: int, y0: int, y1: int) -> Iterator[tuple[int, int]]:
        """Split rows ``y0:y1`` into windows of limited size, at the file's block rows if grid and file coincide."""
        pixel_bytes = np.dtype(self._source.dtype).itemsize * len(self.bands.indices)
        rows = max(1, _WINDOW_BYTES // max(1, columns * pixel_bytes))
        block = int(self._source.dataset.block_shapes[0][0])
        shift = self.spec.grid.offset[1] if self.spec.grid.is_native else 0
        if self.spec.grid.is_native and block <= rows:
            rows = rows // block * block
        return split_rows(y0, y1, rows, shift)


def split_rows(y0: int, y1: int, rows: int, shift: int = 0) -> Iterator[tuple[int, int]]:
    """Split rows ``y0:y1`` into windows that end at multiples of ``rows``, of rows counted from ``-shift``."""
    cuts = [y0, *range(y0 + rows - (y0 + shift) % rows, y1, rows), y1]
    return ((a, b) for a, b in pairwise(cuts) if a < b)


@dataclass(frozen=True)
class Strip:
    """The pixels under one row of tiles.

    Attributes:
        row: index of the row of tiles.
        pixels: (channels, tile, padded width), reflected at the border of the grid if the tiles extend beyond it.
        valid: (tile, padded width) mask of valid pixels; None if all are.
        columns: the tiles that it covers.
        left: its first column in the grid.
    """

    row: int
    pixels: NDArray[Any]
    valid: Mask | None
    columns: range
    left: int


def read_strips(view: PixelView, plan: TilePlan, first: int = 0, block: Block | None = None) -> Iterator[Strip]:
    """Read the strips of the rows of tiles from ``first`` on, from top to bottom.

    The windows do not depend on ``first``, because GDAL resamples other windows to other pixels.

    Args:
        view: the pixels.
        plan: the tiles.
        first: first row of tiles.
        block: the tiles to read; None for all of the plan. ``first`` is not above its first row.

    Raises:
        SourceError: the file is damaged.
        SourceChangedError: the file was changed since it was opened.
    """
    block, starts, tile = block or whole_block(plan), plan.rows.starts, plan.tile
    top = block.rows[0]
    first = max(first, top)
    # The last row of tiles, up to ``first``, whose new pixels begin at or above those of strip ``first``.
    begin = max(row for row in range(top, first + 1) if row == top or starts[row - 1] + tile <= starts[first])
    previous: Strip | None = None
    with rasterio.Env(**SAFE_SETTINGS):  # settings are thread-local, and this may run in a thread of its own
        for row in range(begin, block.rows.stop):
            view.check_unchanged()
            previous = _read_strip(view, plan, row, previous, block)
            if row >= first:
                yield previous
        view.check_unchanged()


def _read_strip(view: PixelView, plan: TilePlan, row: int, previous: Strip | None, block: Block) -> Strip:
    """Read the strip of a row of tiles, copying what it shares with the ``previous`` one."""
    top, tile = plan.rows.starts[row], plan.tile
    left, _, right, _ = block.input_window
    height, width = min(tile, view.spec.grid.height), right - left
    padded = (tile, max(tile, width))
    pixels = np.empty((view.spec.layers, *padded), view.spec.dtype)
    shared = plan.rows.starts[row - 1] + tile - top if row > block.rows[0] else 0
    if previous is not None:
        pixels[:, :shared] = previous.pixels[:, tile - shared : tile]
    elif shared:  # rows above the first strip that is read are not used
        pixels[:, :shared] = 0
    new = view.read(left, top + shared, right, top + height, pixels[:, shared:height, :width])
    valid = np.ones(padded, np.bool_)
    if previous is not None and previous.valid is not None:
        valid[:shared] = previous.valid[tile - shared :]
    if new is not None:
        valid[shared:height, :width] = new
    reflect(valid[None], height, width)
    reflect(pixels, height, width)
    return Strip(row, pixels, None if valid.all() else valid, block.columns, left)


def reflect(pixels: NDArray[Any], height: int, width: int) -> None:
    """Fill the pixels beyond ``height`` and ``width`` by reflection at the border, repeatedly if necessary.

    Args:
        pixels: (channels, rows, columns), changed in place; the first ``height`` rows and ``width`` columns are given.
        height: number of given rows, at least 1.
        width: number of given columns, at least 1.
    """
    for axis, size in ((1, height), (2, width)):
        total = pixels.shape[axis]
        if total > size:
            period = np.concatenate([np.arange(size), np.arange(size)[::-1]])
            indices = period[np.arange(size, total) % (2 * size)]
            target = [slice(None)] * 3
            target[axis] = slice(size, total)
            pixels[tuple(target)] = np.take(pixels, indices, axis=axis)


def convert(pixels: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy values, clipped to the range of ``out``; NaN and infinities become 0."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if out.dtype.kind in "iu" and pixels.dtype != out.dtype:
        limits = np.iinfo(out.dtype)
        pixels = np.clip(pixels, limits.min, limits.max)
    np.copyto(out, pixels, casting="unsafe")
