"""The lattice of pixels and tiles over an area. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Edge of a tile that is asked for in one request to the provider, in pixels: a multiple of the usual 256.
TILE = 1024


@dataclass(frozen=True)
class Box:
    """A rectangle in the units of a CRS."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Tile:
    """A part of the lattice: offsets and size in pixels, and the same in the CRS."""

    column: int
    row: int
    width: int
    height: int
    box: Box


@dataclass(frozen=True)
class Lattice:
    """Pixels over an area: ``pixel_x`` and ``pixel_y`` are the size of one in units of the CRS, both positive."""

    left: float
    top: float
    pixel_x: float
    pixel_y: float
    width: int
    height: int

    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """The same in GDAL's order."""
        return (self.left, self.pixel_x, 0.0, self.top, 0.0, -self.pixel_y)

    def tiles(self, edge: int = TILE) -> Iterator[Tile]:
        """The tiles that cover the lattice, row by row; those at the right and at the bottom may be smaller."""
        for row in range(0, self.height, edge):
            for column in range(0, self.width, edge):
                width, height = min(edge, self.width - column), min(edge, self.height - row)
                left, top = self.left + column * self.pixel_x, self.top - row * self.pixel_y
                box = Box(left, top - height * self.pixel_y, left + width * self.pixel_x, top)
                yield Tile(column, row, width, height, box)


def make_lattice(box: Box, pixel_x: float, pixel_y: float) -> Lattice:
    """The lattice that covers ``box``, aligned to multiples of the pixel's size.

    Aligned, so that two runs over neighbouring areas see the same pixels.

    Args:
        box: the area.
        pixel_x: width of a pixel in units of the CRS, positive.
        pixel_y: height of a pixel in units of the CRS, positive.
    """
    left = math.floor(box.xmin / pixel_x + 1e-6)
    right = max(left + 1, math.ceil(box.xmax / pixel_x - 1e-6))
    bottom = math.floor(box.ymin / pixel_y + 1e-6)
    top = max(bottom + 1, math.ceil(box.ymax / pixel_y - 1e-6))
    return Lattice(left * pixel_x, top * pixel_y, pixel_x, pixel_y, right - left, top - bottom)
