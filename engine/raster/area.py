"""An area of interest: polygons, rasterized for rows of a grid as they are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from ..tiling import TilePlan
from .grid import Grid, crop


@dataclass(frozen=True)
class Area:
    """Polygons in pixel coordinates of a grid.

    Attributes:
        polygons: Shapely polygons, x in columns and y in rows of the grid.
        width: columns of the grid.
    """

    polygons: NDArray[Any]
    width: int

    def rasterize_rows(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return which pixels of rows ``start:stop`` have their center in a polygon, (rows, width)."""
        bounds = shapely.bounds(self.polygons)
        near = self.polygons[(bounds[:, 1] < stop) & (bounds[:, 3] > start)]
        shape = (stop - start, self.width)
        if not len(near):
            return np.zeros(shape, np.bool_)
        inside: NDArray[np.uint8] = rasterize(
            near, out_shape=shape, transform=Affine.translation(0, start), dtype="uint8"
        )
        return inside.view(np.bool_)

    def crop_grid(self, grid: Grid, margin: int) -> Grid:
        """Crop ``grid`` to the polygons and ``margin`` pixels around them."""
        left, top, right, bottom = shapely.total_bounds(self.polygons)
        x0, y0 = max(0, math.floor(left) - margin), max(0, math.floor(top) - margin)
        x1, y1 = min(grid.width, math.ceil(right) + margin), min(grid.height, math.ceil(bottom) + margin)
        return crop(grid, x0, y0, x1, y1)

    def shift_to(self, before: Grid, after: Grid) -> Area:
        """Return the polygons in pixels of ``after``, which is a part of the grid ``before``."""
        step = np.array(before.offset, float) - np.array(after.offset, float)
        return Area(shapely.transform(self.polygons, lambda points: points + step), after.width)

    def count_tiles(self, plan: TilePlan) -> int:
        """Count the tiles of ``plan`` whose active range intersects a polygon."""
        tree = shapely.STRtree(self.polygons)
        rows, columns = ([axis.active_range(i) for i in range(axis.count)] for axis in (plan.rows, plan.columns))
        boxes = [shapely.box(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]
        return len(np.unique(tree.query(boxes, predicate="intersects")[0]))


def make_area(polygons: NDArray[Any], grid: Grid) -> Area:
    """Make an area of polygons in the CRS of ``grid``; those that do not touch it are left out."""
    pixels = transform_to_pixels(polygons, grid)
    return Area(pixels[shapely.intersects(pixels, shapely.box(0, 0, grid.width, grid.height))], grid.width)


def transform_to_pixels(geometry: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Transform geometries from the CRS of ``grid`` to its pixel coordinates."""
    inverse = ~grid.transform
    return np.asarray(shapely.transform(geometry, lambda points: np.column_stack(inverse @ tuple(points.T))))
