"""Rows of pixels as the network takes them: one strip per row of tiles, each source row read once.

A strip is as wide as the grid and as high as a tile. The rows that it shares with the strip before are copied
from there, so the file is read from top to bottom exactly once, in pieces that end where the file's own blocks do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from ..tiling.layout import TilePlan
from .bands import Bands, Mask, read_bands
from .dataset import Source
from .gdal_environment import SAFE_SETTINGS
from .grid import Grid
from .stretch import Stretch

if TYPE_CHECKING:
    from .area import Area  # brings libraries for vectors, which few runs need

#: Bytes of stored pixels read at a time; keeps what lies beside the strips small.
_PIECE = 32 << 20


@dataclass(frozen=True)
class ImageView:
    """How a source is seen: everything that decides the pixels that a network gets.

    Attributes:
        source: the image.
        grid: the lattice.
        bands: what is read.
        stretch: how it becomes uint8; None takes the values as they are.
        dtype: the type of the result, ``uint8``, ``uint16`` or ``float32``.
        area: pixels outside are not valid; None where the whole grid is wanted.
    """

    source: Source
    grid: Grid
    bands: Bands
    stretch: Stretch | None
    dtype: str
    area: Area | None = None

    def read(self, x0: int, y0: int, x1: int, y1: int, out: NDArray[Any]) -> Mask | None:
        """Read grid columns ``x0:x1`` and rows ``y0:y1`` into ``out`` (layers, rows, columns).

        Returns:
            Where pixels are valid and in the area (rows, columns), or None where all are. In ``out`` pixels that
            the source does not have are 0.

        Raises:
            SourceError: the file is damaged there.
        """
        parts = []
        for top, bottom in self._pieces(x1 - x0, y0, y1):
            parts.append(self._read_piece((x0, top, x1, bottom), out[:, top - y0 : bottom - y0]))
        if all(part is None for part in parts):
            return None
        sizes = [bottom - top for top, bottom in self._pieces(x1 - x0, y0, y1)]
        filled = [
            np.ones((n, x1 - x0), np.bool_) if part is None else part for part, n in zip(parts, sizes, strict=True)
        ]
        return np.concatenate(filled)

    def _read_piece(self, window: tuple[int, int, int, int], out: NDArray[Any]) -> Mask | None:
        x0, y0, x1, y1 = window
        inside = None if self.area is None else self.area.rasterize_rows(y0, y1)[:, x0:x1]
        if inside is not None and not inside.any():
            out[...] = 0
            return inside
        direct = out if self.stretch is None and self.dtype == "uint8" else None
        pixels, valid = read_bands(
            self.source, self.bands, self.grid.source_window(*window), (y1 - y0, x1 - x0), direct
        )
        if self.stretch is not None:
            self.stretch.apply(pixels, out)
        elif pixels is not out:
            _convert(pixels, out)
        if valid is not None:
            out[:, ~valid] = 0
        if inside is None:
            return valid
        # Pixels beside the area stay as they are: they are what a network needs to see around it.
        return inside if valid is None else valid & inside

    def _pieces(self, columns: int, y0: int, y1: int) -> list[tuple[int, int]]:
        """Consecutive rows, few enough to be read at a time, cut at the file's block rows where they coincide."""
        stored = np.dtype(self.source.dtype).itemsize * len(self.bands.indices)
        rows = max(1, _PIECE // max(1, columns * stored))
        block = int(self.source.dataset.block_shapes[0][0])
        shift = self.grid.offset[1] if self.grid.is_native else 0
        if self.grid.is_native and block <= rows:
            rows = rows // block * block
        first = y0 + rows - (y0 + shift) % rows
        cuts = [y0, *range(min(first, y1), y1, rows), y1]
        return [(a, b) for a, b in pairwise(cuts) if a < b]


@dataclass(frozen=True)
class Strip:
    """The pixels under one row of tiles.

    Attributes:
        row: which row of tiles.
        pixels: (layers, tile, padded width), where the plan is wider or higher than the grid reflected.
        valid: (tile, padded width); None where all pixels are valid.
    """

    row: int
    pixels: NDArray[Any]
    valid: Mask | None


def read_strips(view: ImageView, plan: TilePlan, first: int = 0) -> Iterator[Strip]:
    """The strips of the rows of tiles from ``first`` on, from top to bottom.

    The file is read in the same windows wherever it begins: where GDAL resamples, another window has other pixels.

    Raises:
        SourceError: the file is damaged.
        SourceChangedError: the file was changed meanwhile.
    """
    before: Strip | None = None
    with rasterio.Env(**SAFE_SETTINGS):  # settings belong to a thread, and this may run in one of its own
        for row in range(_first_read(plan, first), plan.rows.count):
            view.source.check_unchanged()
            before = _next_strip(view, plan, row, plan.rows.starts[row], before)
            if row >= first:
                yield before
        view.source.check_unchanged()


def _first_read(plan: TilePlan, first: int) -> int:
    """The row whose fresh pixels, those below the strip before, begin where strip ``first`` does, or above."""
    starts = plan.rows.starts
    return max(row for row in range(first + 1) if row == 0 or starts[row - 1] + plan.tile <= starts[first])


def _next_strip(view: ImageView, plan: TilePlan, row: int, top: int, before: Strip | None) -> Strip:
    height, width = min(plan.tile, view.grid.height), view.grid.width
    padded = (plan.tile, max(plan.tile, width))
    pixels = np.empty((view.bands.layers, *padded), view.dtype)
    shared = plan.rows.starts[row - 1] + plan.tile - top if row else 0
    if before is not None:
        pixels[:, :shared] = before.pixels[:, plan.tile - shared : plan.tile]
    elif shared:  # the first one that is read, but not the first of the plan: nobody looks at what is above
        pixels[:, :shared] = 0
    fresh = view.read(0, top + shared, width, top + height, pixels[:, shared:height, :width])
    valid = _join(before, fresh, shared, (height, width), padded)
    reflect(pixels, height, width)
    if valid is not None:
        reflect(valid[None], height, width)
    return Strip(row, pixels, valid)


def _join(
    before: Strip | None, fresh: Mask | None, shared: int, size: tuple[int, int], padded: tuple[int, int]
) -> Mask | None:
    """Validity of a strip from that of the one before and of the rows read anew."""
    height, width = size
    old = None if before is None else before.valid
    if fresh is None and (old is None or old[len(old) - shared :].all()):
        return None
    valid = np.ones(padded, np.bool_)
    if old is not None and shared:
        valid[:shared] = old[len(old) - shared :]
    if fresh is not None:
        valid[shared:height, :width] = fresh
    return valid


def reflect(pixels: NDArray[Any], height: int, width: int) -> None:
    """Fill what lies beyond ``height`` and ``width`` by reflection at the border, as often as it takes.

    Args:
        pixels: (layers, rows, columns), changed in place; the first ``height`` rows and ``width`` columns are given.
        height: rows given, at least 1.
        width: columns given, at least 1.
    """
    for axis, size in ((1, height), (2, width)):
        total = pixels.shape[axis]
        if total > size:
            period = np.concatenate([np.arange(size), np.arange(size)[::-1]])
            places = period[np.arange(size, total) % (2 * size)]
            target = [slice(None)] * 3
            target[axis] = slice(size, total)
            pixels[tuple(target)] = np.take(pixels, places, axis=axis)


def _convert(pixels: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy values as they are, cut to the range of ``out``; what is no finite number becomes 0."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if out.dtype.kind in "iu" and pixels.dtype != out.dtype:
        limits = np.iinfo(out.dtype)
        pixels = np.clip(pixels, limits.min, limits.max)
    np.copyto(out, pixels, casting="unsafe")
