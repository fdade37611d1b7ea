"""The pixel grid on which a network sees an image.

It is the image's own grid, scaled so that a pixel covers the model's ground resolution, and never rotated or flipped
against it: the transform carries the rotation of a rotated or south-up image, so no warp is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from ..errors import ParameterError

#: Scales that differ from 1 by less than this are taken as 1: pixels stay as they are, and networks tolerate it.
SNAP = 0.05

Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Grid:
    """A pixel grid over a source.

    Attributes:
        crs: the source's coordinate system, or None.
        transform: pixel of this grid to world coordinates.
        width: columns.
        height: rows.
        resolution: metres on the ground per pixel (geometric mean of columns and rows at the image's center).
        scale: source pixels per grid pixel, in columns and rows.
        offset: grid pixels from the source's first pixel to the grid's first pixel, in columns and rows.
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
        """Return the source window, with fractions, of the grid's columns ``x0:x1`` and rows ``y0:y1``."""
        sx, sy = self.scale
        column, row = (self.offset[0] + x0) * sx, (self.offset[1] + y0) * sy
        return Window(column, row, (x1 - x0) * sx, (y1 - y0) * sy)


def make_grid(
    crs: CRS | None, transform: Affine, size: tuple[int, int], pixel_size: tuple[float, float], resolution: float | None
) -> Grid:
    """Make the grid over a whole source at a ground resolution.

    Args:
        crs: coordinate system of the source.
        transform: pixel to world coordinates of the source.
        size: columns and rows of the source.
        pixel_size: metres on the ground per column and per row of the source.
        resolution: metres per pixel of the grid; None keeps the source's pixels.

    Returns:
        A grid with exactly the source's footprint. The scale is adjusted to give whole pixels, by less than half a
        pixel over the whole image.

    Raises:
        ParameterError: the resolution is not a positive number, or so fine that the grid would be too large.
    """
    if resolution is not None and not (math.isfinite(resolution) and resolution > 0):
        raise ParameterError(f"The resolution {resolution} is not a positive number of metres.")
    counts = [
        n if resolution is None or abs(p / resolution - 1) <= SNAP else max(1, round(n * p / resolution))
        for n, p in zip(size, pixel_size, strict=True)
    ]
    if max(counts) > 2**24:
        raise ParameterError(
            f"At {resolution or max(pixel_size):g} m per pixel the image would have {counts[0]:.4g} x "
            f"{counts[1]:.4g} pixels.",
            "Choose a coarser --resolution.",
        )
    scale = (size[0] / counts[0], size[1] / counts[1])
    return Grid(
        crs=crs,
        transform=transform @ Affine.scale(*scale),
        width=counts[0],
        height=counts[1],
        resolution=math.sqrt(pixel_size[0] * scale[0] * pixel_size[1] * scale[1]),
        scale=scale,
    )


def crop_to_extent(grid: Grid, extent: Extent) -> Grid:
    """Crop ``grid`` to ``extent`` without moving its pixels.

    Args:
        grid: the grid over the whole source.
        extent: xmin, ymin, xmax, ymax in the grid's coordinate system.

    Returns:
        The smallest block of whole pixels around the extent (around its four corners if the grid is rotated), within
        the grid.

    Raises:
        ParameterError: the extent is empty or does not intersect the grid.
    """
    xmin, ymin, xmax, ymax = extent
    shown = ",".join(f"{value:.10g}" for value in extent)
    if not (all(map(math.isfinite, extent)) and xmin < xmax and ymin < ymax):
        raise ParameterError(
            f"The extent {shown} is empty: it is xmin,ymin,xmax,ymax with xmin < xmax and ymin < ymax."
        )
    to_pixel = ~grid.transform
    corners = [to_pixel @ point for point in ((xmin, ymin), (xmin, ymax), (xmax, ymin), (xmax, ymax))]
    # The tolerance keeps rounding errors from adding a row or column.
    x0, y0 = (max(0, math.floor(min(values) + 1e-6)) for values in zip(*corners, strict=True))
    x1 = min(grid.width, math.ceil(max(x for x, _ in corners) - 1e-6))
    y1 = min(grid.height, math.ceil(max(y for _, y in corners) - 1e-6))
    if x0 >= x1 or y0 >= y1:
        raise ParameterError(f"The extent {shown} does not touch the image.", "It must be in the image's coordinates.")
    return crop(grid, x0, y0, x1, y1)


def crop(grid: Grid, x0: int, y0: int, x1: int, y1: int) -> Grid:
    """Return columns ``x0:x1`` and rows ``y0:y1`` of ``grid`` as a grid."""
    transform, offset = grid.transform @ Affine.translation(x0, y0), (grid.offset[0] + x0, grid.offset[1] + y0)
    return replace(grid, transform=transform, width=x1 - x0, height=y1 - y0, offset=offset)
