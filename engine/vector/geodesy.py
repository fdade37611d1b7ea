"""Geodesic lengths and areas of lines and polygons in pixel coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError

from ..context import RunContext
from ..errors import SourceError
from ..raster.georeferencing import check_positions
from .arrays import Floats, Geometries, Ints, Lines
from .jit import jit

#: Largest distance in metres between nodes of a ``GeodesicGrid``; keeps interpolated areas correct to 1e-5.
_GRID_SPACING = 20_000.0
#: Largest distance in pixels between nodes of a ``GeodesicGrid``.
_GRID_PIXELS = 256


@jit
def interpolate(grid: Floats, layer: int, row: int, col: int, v: float, u: float) -> float:
    """Interpolate a layer of a grid bilinearly in the cell (row, col), ``v`` of a cell down and ``u`` to the right."""
    top = grid[row, col, layer] * (1.0 - u) + grid[row, col + 1, layer] * u
    low = grid[row + 1, col, layer] * (1.0 - u) + grid[row + 1, col + 1, layer] * u
    return float(top * (1.0 - v) + low * v)


@jit
def integrate_area(grid: Floats, x: float, y: float, step_y: float, step_x: float, first_row: int) -> float:
    """Integrate the area of a pixel along its row from the left edge to the point (x, y).

    The area is linear between the nodes of the grid, so its integral is quadratic.
    """
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y) - first_row, grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - (row + first_row)
    here, there = 1.0 - 0.5 * u, 0.5 * u
    top = grid[row, col, 0] + step_x * u * (grid[row, col, 1] * here + grid[row, col + 1, 1] * there)
    low = grid[row + 1, col, 0] + step_x * u * (grid[row + 1, col, 1] * here + grid[row + 1, col + 1, 1] * there)
    return float(top * (1.0 - v) + low * v)


@jit
def segment_length(
    grid: Floats, x: float, y: float, dx: float, dy: float, step_y: float, step_x: float, first_row: int
) -> float:
    """Length in metres of the short segment (dx, dy) around (x, y), by the metric tensor there."""
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y) - first_row, grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - (row + first_row)
    square = interpolate(grid, 2, row, col, v, u) * dx * dx + interpolate(grid, 3, row, col, v, u) * dy * dy
    return math.sqrt(max(0.0, square + 2.0 * interpolate(grid, 4, row, col, v, u) * dx * dy))


@jit
def measure_lines(
    points: NDArray[np.int32], start: Ints, scale: float, grid: Floats, step_y: float, step_x: float, first_row: int
) -> tuple[Floats, Floats]:
    """Measure the length of lines and their contribution to the area of the rings that they are part of.

    By Green's theorem the area of a ring is the integral of P dy around it, where P is the integral of the area of a
    pixel along its row. Each segment is integrated by Simpson's rule, in pieces that are no longer than a cell of the
    grid.

    Args:
        points: int32 (points, 2), column and row.
        start: int64 (lines + 1,), index of each line's first point and, last, the number of points.
        scale: pixels in a unit of ``points``.
        grid: the values of a ``GeodesicGrid``.
        step_y: pixels between the rows of the grid.
        step_x: pixels between its columns.
        first_row: row of the raster's grid with which it begins.

    Returns:
        Square metres, whose sum over the lines of a ring is its signed area, and lengths in metres.
    """
    lines = start.size - 1
    area = np.zeros(lines)
    length = np.zeros(lines)
    for line in range(lines):
        k = start[line]
        x0, y0 = points[k, 0] * scale, points[k, 1] * scale
        before = integrate_area(grid, x0, y0, step_y, step_x, first_row)
        for k in range(start[line] + 1, start[line + 1]):
            dx, dy = points[k, 0] * scale - x0, points[k, 1] * scale - y0
            pieces = 1 + int(max(abs(dx) / step_x, abs(dy) / step_y))
            dx, dy = dx / pieces, dy / pieces
            for _ in range(pieces):
                x, y = x0 + dx, y0 + dy
                length[line] += segment_length(grid, x - 0.5 * dx, y - 0.5 * dy, dx, dy, step_y, step_x, first_row)
                now = integrate_area(grid, x, y, step_y, step_x, first_row)
                if dy != 0.0:
                    middle = integrate_area(grid, x - 0.5 * dx, y - 0.5 * dy, step_y, step_x, first_row)
                    area[line] += dy * (before + 4.0 * middle + now) / 6.0
                x0, y0, before = x, y, now
    return area, length


@dataclass(frozen=True)
class GeodesicGrid:
    """Areas and metric tensors of pixels on a coarse grid over a raster, for ``measure_lines``.

    Attributes:
        values: float64 (rows, columns, 5): the integral of the area along the row (square metres x pixels), the area
            of a pixel (square metres), and the metric tensor: square metres for a step along a row, for a step along
            a column, and the scalar product of both steps.
        step: pixels between the rows and between the columns of the grid.
        first_row: row of the grid of the whole raster with which ``values`` begins.
    """

    values: Floats
    step: tuple[float, float]
    first_row: int = 0

    def measure_lines(self, points: NDArray[np.int32], start: Ints, scale: float) -> tuple[Floats, Floats]:
        """Measure lines; see the kernel ``measure_lines``."""
        return measure_lines(points, start, scale, self.values, *self.step, self.first_row)


def transform_geometries(geometry: Geometries, transformer: Transformer) -> Geometries:
    """Transform Shapely geometries to another CRS."""
    transformed = shapely.transform(geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
    return np.asarray(transformed, np.object_)


def measure_lengths(lines: Lines, crs: CRS | None) -> Floats:
    """Measure lines on the ellipsoid, in metres; in units of the coordinates where the CRS has no ellipsoid."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    steps = PixelGeodesy(crs, Affine.identity()).segment_lengths(xy) * (line[1:] == line[:-1])
    return np.asarray(np.bincount(line[1:], steps, minlength=len(lines)), np.float64)


class PixelGeodesy:
    """Geodesic measurements in the pixel coordinates of a raster.

    Pixel coordinates are (column, row) with (0, 0) at the outer corner of the first pixel. Without a CRS, or with a
    CRS that is not bound to an ellipsoid, the units of the transform are taken as metres.

    Args:
        crs: the CRS of the transform, as anything that pyproj understands, or None.
        transform: from pixel coordinates to coordinates of the CRS; may be rotated or flipped.
    """

    def __init__(self, crs: object | None, transform: Affine) -> None:
        self.transform = transform
        self.crs = None if not crs else CRS.from_user_input(crs)
        self._geod: Geod | None = None
        self._to_degrees: Transformer | None = None
        geodetic = self.crs.geodetic_crs if self.crs else None
        if self.crs is not None and geodetic is not None:
            self._geod = self.crs.get_geod()
            self._to_degrees = Transformer.from_crs(self.crs, geodetic, always_xy=True)

    def __reduce__(self) -> tuple[type[PixelGeodesy], tuple[CRS | None, Affine]]:
        """Make the ellipsoid anew on unpickling: pyproj pickles it as text, which changes measures by 1e-9."""
        return type(self), (self.crs, self.transform)

    @property
    def is_metric(self) -> bool:
        """Whether lengths are true metres rather than units of the transform."""
        return self._geod is not None

    def to_crs(self, pixel: Floats) -> Floats:
        """Transform pixel coordinates (n, 2) to coordinates of the CRS (n, 2)."""
        t = self.transform
        x, y = pixel[:, 0], pixel[:, 1]
        return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))

    def segment_lengths(self, xy: Floats) -> Floats:
        """Distances in metres between consecutive points ``xy`` (n, 2), in coordinates of the CRS; (n - 1,).

        Raises:
            SourceError: a point lies outside the domain of the CRS.
        """
        if len(xy) < 2:
            return np.zeros(0)
        if self._geod is None or self._to_degrees is None:
            return np.asarray(np.hypot(*np.diff(xy, axis=0).T), np.float64)
        lon, lat = self._lon_lat(xy)
        _, _, metres = self._geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
        return np.asarray(metres, np.float64)

    def pixel_area(self, pixel: Floats) -> Floats:
        """Areas in square metres of the pixels around the points ``pixel`` (n, 2); (n,).

        Raises:
            SourceError: a point lies outside the domain of the CRS.
        """
        return _parallelogram_area(*self._pixel_tensor(pixel))

    def pixel_sizes(self, pixel: Floats) -> Floats:
        """Metres of one step along a row and of one along a column at the points ``pixel`` (n, 2); (n, 2).

        Raises:
            SourceError: a point lies outside the domain of the CRS.
        """
        return np.sqrt(np.column_stack(self._pixel_tensor(pixel)[:2]))

    def resolution(self, shape: tuple[int, int]) -> float:
        """Side in metres of a square with the area of the central pixel of a raster of ``shape`` (rows, columns).

        Raises:
            SourceError: the raster lies outside the domain of the CRS, or its pixels have no area.
        """
        center = np.array([[shape[1] / 2.0, shape[0] / 2.0]])
        side = float(np.sqrt(self.pixel_area(center)[0]))
        if not (math.isfinite(side) and side > 0):
            raise SourceError("The raster's pixels have no area on the ground.", "Check its CRS and transform.")
        return side

    def make_grid(self, shape: tuple[int, int], between: tuple[int, int] | None = None) -> GeodesicGrid:
        """Compute the grid that measures lines anywhere in a raster of ``shape`` (rows, columns).

        Its nodes are at most 20 km and 256 pixels apart.

        Args:
            shape: of the raster.
            between: first and last row of corners that will be measured, the same as with the whole grid; None for all.
        """
        spacing = float(min(_GRID_PIXELS, max(1, int(_GRID_SPACING / self.resolution(shape)))))
        rows, cols = (max(1, math.ceil(size / spacing)) + 1 for size in shape)
        step = (shape[0] / (rows - 1), shape[1] / (cols - 1))
        first = 0
        if between is not None:
            # A row more on both sides, because positions are divided by a step that may be rounded.
            first = max(0, int(between[0] / step[0]) - 1)
            rows = min(rows, int(between[1] / step[0]) + 3) - first
        col, row = np.meshgrid(np.arange(cols) * step[1], np.arange(first, first + rows) * step[0])
        tensor = self._pixel_tensor(np.column_stack((col.ravel(), row.ravel())))
        area = _parallelogram_area(*tensor).reshape(rows, cols)
        integral = np.zeros((rows, cols))
        integral[:, 1:] = np.cumsum(0.5 * (area[:, 1:] + area[:, :-1]) * step[1], axis=1)
        return GeodesicGrid(
            np.dstack((integral, area, *(values.reshape(rows, cols) for values in tensor))), step, first
        )

    def _pixel_tensor(self, pixel: Floats) -> tuple[Floats, Floats, Floats]:
        """Metric tensor of pixels: squares in m² of a step along a row and of one along a column, their scalar product.

        The steps are chords in geocentric coordinates, so that nothing is special at the poles.
        """
        ends = [self.to_crs(pixel + offset) for offset in ((-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5))]
        if self._geod is not None:
            ends = [self._geocentric(xy) for xy in ends]
        across, down = ends[1] - ends[0], ends[3] - ends[2]
        across_square, down_square = (across**2).sum(axis=1), (down**2).sum(axis=1)
        if self._geod is None:
            return across_square, down_square, (across * down).sum(axis=1)
        # The arc over each chord, by the first term of the series; pixels are small against the Earth.
        across_factor, down_factor = (1 + square / (24 * self._geod.a**2) for square in (across_square, down_square))
        product = (across * down).sum(axis=1) * across_factor * down_factor
        return across_square * across_factor**2, down_square * down_factor**2, product

    def _geocentric(self, xy: Floats) -> Floats:
        """Geocentric coordinates in metres of coordinates of the CRS, (n, 3)."""
        assert self._geod is not None
        lon, lat = np.radians(self._lon_lat(xy))
        radius = self._geod.a / np.sqrt(1 - self._geod.es * np.sin(lat) ** 2)
        x, y = radius * np.cos(lat) * np.cos(lon), radius * np.cos(lat) * np.sin(lon)
        return np.column_stack((x, y, radius * (1 - self._geod.es) * np.sin(lat)))

    def _lon_lat(self, xy: Floats) -> tuple[Floats, Floats]:
        """Longitudes and latitudes in degrees of coordinates of the CRS."""
        assert self._to_degrees is not None
        try:
            lon, lat = self._to_degrees.transform(xy[:, 0], xy[:, 1], errcheck=True)
        except ProjError as error:
            raise SourceError(
                "The raster's position does not lie within the area of its CRS.", "Check its CRS and transform."
            ) from error
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def locate_pixels(
    crs: object | None, transform: Affine, shape: tuple[int, int], name: str, context: RunContext
) -> PixelGeodesy:
    """Make the geodesy of a raster; warn if it has no CRS.

    Args:
        crs: as for ``PixelGeodesy``.
        transform: as for ``PixelGeodesy``.
        shape: rows and columns.
        name: of the raster, for the sentences.
        context: receives the warning.

    Raises:
        SourceError: a part of the raster is outside the area of its CRS, where nothing can be measured.
    """
    check_positions(crs, transform, shape[1], shape[0], name)
    geodesy = PixelGeodesy(crs, transform)
    if not geodesy.is_metric:
        context.warn(f"{name} has no CRS: its units are taken as metres.")
    return geodesy


def _parallelogram_area(first_square: Floats, second_square: Floats, product: Floats) -> Floats:
    """Area between two vectors, by their squares and their scalar product."""
    return np.asarray(np.sqrt(np.maximum(0.0, first_square * second_square - product**2)), np.float64)
