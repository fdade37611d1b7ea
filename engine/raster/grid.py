"""The lattice of pixels on which a network sees an image.

It is the image's own lattice, scaled so that a pixel covers the model's ground resolution, and never rotated or
flipped against it: a rotated or south-up image needs no warp, because the grid's transform carries the rotation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from ..errors import ParameterError

#: Scales nearer to 1 than this are taken as 1: networks do not mind, and pixels stay as they are.
SNAP = 0.05

Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Grid:
    """A lattice of pixels over a source.

    Attributes:
        crs: the source's coordinate system, or None.
        transform: pixel of this grid to world.
        width: columns.
        height: rows.
        resolution: metres on the ground per pixel (geometric mean of columns and rows at the image's centre).
        scale: source pixels per grid pixel, in columns and rows.
        offset: grid pixels from the source's first pixel to this grid's, in columns and rows.
    """

    crs: CRS | None
    transform: Affine
    width: int
    height: int
    resolution: float
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[int, int] = (0, 0)

    @property
    def is_native(self) -> bool:
        """Whether the grid's pixels are the source's."""
        return self.scale == (1.0, 1.0)

    def source_window(self, x0: int, y0: int, x1: int, y1: int) -> Window:
        """The source pixels (with fractions) under the grid's columns ``x0:x1`` and rows ``y0:y1``."""
        sx, sy = self.scale
        column, row = (self.offset[0] + x0) * sx, (self.offset[1] + y0) * sy
        return Window(column, row, (x1 - x0) * sx, (y1 - y0) * sy)


def make_grid(
    crs: CRS | None,
    transform: Affine,
    size: tuple[int, int],
    pixel: tuple[float, float],
    resolution: float | None,
) -> Grid:
    """The grid over a whole source at a ground resolution.

    Args:
        crs: coordinate system of the source.
        transform: pixel to world of the source.
        size: columns and rows of the source.
        pixel: true metres per column and per row of the source.
        resolution: metres per pixel wanted; None keeps the source's pixels.

    Returns:
        A grid with exactly the source's footprint. The scale is adjusted to give whole pixels, by less than
        half a pixel over the whole image.

    Raises:
        ParameterError: the resolution is not a positive number, or so fine that the grid has no sensible size.
    """
    if resolution is not None and not (math.isfinite(resolution) and resolution > 0):
        raise ParameterError(f"The resolution {resolution} is not a positive number of metres.")
    counts = [_count(n, p, resolution) for n, p in zip(size, pixel, strict=True)]
    if max(counts) > 2**24:
        raise ParameterError(
            f"At {resolution} m per pixel the image would have {counts[0]} x {counts[1]} pixels.",
            "Choose a coarser --resolution.",
        )
    scale = (size[0] / counts[0], size[1] / counts[1])
    return Grid(
        crs=crs,
        transform=transform @ Affine.scale(*scale),
        width=counts[0],
        height=counts[1],
        resolution=math.sqrt(pixel[0] * scale[0] * pixel[1] * scale[1]),
        scale=scale,
    )


def crop_to_extent(grid: Grid, extent: Extent) -> Grid:
    """The part of ``grid`` that covers ``extent``, on the same lattice.

    Args:
        grid: the grid over the whole source.
        extent: xmin, ymin, xmax, ymax in the grid's coordinate system.

    Returns:
        The smallest block of whole pixels around the extent (around its four corners, where the grid is
        rotated), cut at the grid's own border.

    Raises:
        ParameterError: the extent is empty or lies beside the grid.
    """
    xmin, ymin, xmax, ymax = extent
    if not (all(map(math.isfinite, extent)) and xmin < xmax and ymin < ymax):
        raise ParameterError(
            f"The extent {_say(extent)} is empty: it is xmin,ymin,xmax,ymax with xmin < xmax and ymin < ymax."
        )
    back = ~grid.transform
    corners = [back @ point for point in ((xmin, ymin), (xmin, ymax), (xmax, ymin), (xmax, ymax))]
    # A billionth of a pixel is rounding, not a wish for another column.
    x0, y0 = (max(0, math.floor(min(values) + 1e-6)) for values in zip(*corners, strict=True))
    x1 = min(grid.width, math.ceil(max(x for x, _ in corners) - 1e-6))
    y1 = min(grid.height, math.ceil(max(y for _, y in corners) - 1e-6))
    if x0 >= x1 or y0 >= y1:
        raise ParameterError(
            f"The extent {_say(extent)} does not touch the image.", "It must be in the image's coordinates."
        )
    return crop(grid, x0, y0, x1, y1)


def crop(grid: Grid, x0: int, y0: int, x1: int, y1: int) -> Grid:
    """Columns ``x0:x1`` and rows ``y0:y1`` of ``grid`` as a grid of their own on the same lattice."""
    return Grid(
        crs=grid.crs,
        transform=grid.transform @ Affine.translation(x0, y0),
        width=x1 - x0,
        height=y1 - y0,
        resolution=grid.resolution,
        scale=grid.scale,
        offset=(grid.offset[0] + x0, grid.offset[1] + y0),
    )


def _count(size: int, pixel: float, resolution: float | None) -> int:
    """Grid pixels over ``size`` source pixels of ``pixel`` metres."""
    if resolution is None or abs(pixel / resolution - 1) <= SNAP:
        return size
    return max(1, round(size * pixel / resolution))


def _say(extent: Extent) -> str:
    return ",".join(f"{value:.10g}" for value in extent)
