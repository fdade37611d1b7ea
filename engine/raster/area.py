"""An area of interest: polygons of a vector file, rasterized for rows of a grid as they are needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.features import rasterize

from ..errors import ParameterError, VectorError
from ..fs.pyogrio_path import pyogrio_path
from ..tiling.layout import TilePlan
from .grid import Grid, crop

Points = NDArray[np.float64]


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


def read_area(path: Path, grid: Grid, layer: str | None = None) -> Area:
    """Read the polygons of a vector file.

    Args:
        path: GeoPackage, GeoJSON, shapefile, ... in any coordinate system.
        grid: the grid that the area restricts.
        layer: the layer to read; None for the first.

    Raises:
        VectorError: the file cannot be read or has no polygons.
        ParameterError: no polygon intersects the grid.
    """
    if not path.is_file():
        raise VectorError(f"The area {path} does not exist or is not a regular file.")
    try:
        info, _, wkb, _ = pyogrio.raw.read(pyogrio_path(path), layer=layer, columns=[])
        geometry = shapely.from_wkb(wkb)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, shapely.GEOSException) as error:
        raise VectorError(f"The area {path} cannot be read as a vector layer: {str(error).splitlines()[0]}.") from error
    polygons = geometry[np.isin(shapely.get_type_id(geometry), (3, 6))]
    if not len(polygons):
        raise VectorError(f"The area {path} has no polygons.")
    pixels = shapely.transform(polygons, _make_pixel_transform(info["crs"], grid, path))
    pixels = pixels[shapely.intersects(pixels, shapely.box(0, 0, grid.width, grid.height))]
    if not len(pixels):
        raise ParameterError(f"The polygons of {path} do not touch the image or its extent.")
    return Area(pixels, grid.width)


def _make_pixel_transform(crs: str | None, grid: Grid, path: Path) -> Callable[[Points], Points]:
    """Return the function from (n, 2) coordinates of the vector file to pixels of ``grid``."""
    inverse = ~grid.transform
    if not crs or grid.crs is None:
        return lambda points: np.column_stack(inverse @ tuple(points.T))
    try:
        transformer = Transformer.from_crs(CRS.from_user_input(crs), CRS.from_wkt(grid.crs.to_wkt()), always_xy=True)
    except (CRSError, ProjError) as error:
        raise VectorError(f"The coordinate system of {path} cannot be parsed.") from error
    return lambda points: np.column_stack(inverse @ transformer.transform(*points.T))
