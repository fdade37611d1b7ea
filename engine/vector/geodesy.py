"""Compiled loops that measure lines on the ground (see ``jit``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError

from ..errors import SourceError
from .jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def blend(grid: Floats, layer: int, row: int, col: int, v: float, u: float) -> float:
    """Interpolate a layer of a grid: ``v`` of the way from ``row`` and ``u`` of the way from ``col`` to the next."""
    top = grid[row, col, layer] * (1.0 - u) + grid[row, col + 1, layer] * u
    low = grid[row + 1, col, layer] * (1.0 - u) + grid[row + 1, col + 1, layer] * u
    return float(top * (1.0 - v) + low * v)


@kernel
def area_west(grid: Floats, x: float, y: float, step_y: float, step_x: float) -> float:
    """The integral along the row, from its beginning to a point, of the area of a pixel.

    That area is linear between points of the grid, so its integral is quadratic.
    """
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y), grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - row
    here, there = 1.0 - 0.5 * u, 0.5 * u
    top = grid[row, col, 0] + step_x * u * (grid[row, col, 1] * here + grid[row, col + 1, 1] * there)
    low = grid[row + 1, col, 0] + step_x * u * (grid[row + 1, col, 1] * here + grid[row + 1, col + 1, 1] * there)
    return float(top * (1.0 - v) + low * v)


@kernel
def step_length(grid: Floats, x: float, y: float, dx: float, dy: float, step_y: float, step_x: float) -> float:
    """The length of a short side around a point, by the metric there."""
    col, row = min(int(x / step_x), grid.shape[1] - 2), min(int(y / step_y), grid.shape[0] - 2)
    u, v = x / step_x - col, y / step_y - row
    square = blend(grid, 2, row, col, v, u) * dx * dx + blend(grid, 3, row, col, v, u) * dy * dy
    return math.sqrt(max(0.0, square + 2.0 * blend(grid, 4, row, col, v, u) * dx * dy))


@kernel
def measure_lines(
    points: NDArray[np.int32], start: Ints, scale: float, grid: Floats, step_y: float, step_x: float
) -> tuple[Floats, Floats]:
    """What lines contribute to the area of the rings that they are part of, and their lengths.

    The area of a ring is the integral around it of P dy (Green), where P is the integral along the row of a pixel's
    area; Simpson's rule gives that of a side.

    Args:
        points: int32 (points, 2), column and row.
        start: where each line's points begin.
        scale: pixels in a unit of ``points``.
        grid: (rows, columns, 5): P, the area of a pixel (square metres), and the metric (square metres for a step along
            a row, for one along a column, and their scalar product).
        step_y: pixels between the rows of the grid.
        step_x: pixels between its columns.

    Returns:
        Square metres, whose sum over the lines of a ring is its signed area, and lengths in metres.
    """
    lines = start.size - 1
    area = np.zeros(lines)
    length = np.zeros(lines)
    for line in range(lines):
        k = start[line]
        x0, y0 = points[k, 0] * scale, points[k, 1] * scale
        before = area_west(grid, x0, y0, step_y, step_x)
        for k in range(start[line] + 1, start[line + 1]):
            x, y = points[k, 0] * scale, points[k, 1] * scale
            dx, dy = x - x0, y - y0
            length[line] += step_length(grid, x - 0.5 * dx, y - 0.5 * dy, dx, dy, step_y, step_x)
            now = area_west(grid, x, y, step_y, step_x)
            if dy != 0.0:
                middle = area_west(grid, x - 0.5 * dx, y - 0.5 * dy, step_y, step_x)
                area[line] += dy * (before + 4.0 * middle + now) / 6.0
            x0, y0, before = x, y, now
    return area, length


#: Distance between the points of a metric grid; interpolated areas are right to 1e-5.
_GRID_METRES = 20_000.0


@dataclass(frozen=True)
class MetricGrid:
    """What ``measure_lines`` needs.

    Attributes:
        values: float64 (rows, columns, 5).
        step: pixels between the rows and between the columns.
    """

    values: Floats
    step: tuple[float, float]

    def lines(self, points: NDArray[np.int32], start: NDArray[np.int64], scale: float) -> tuple[Floats, Floats]:
        """What lines contribute to the area (square metres) of the rings they are part of, and their lengths (metres).

        Args:
            points: int32 (points, 2), column and row.
            start: where each line's points begin (and, last, end).
            scale: pixels in a unit of ``points``.
        """
        return measure_lines(points, start, scale, self.values, *self.step)


class Ground:
    """Where pixels lie on the ground.

    Pixel coordinates are (column, row) with (0, 0) at the outer corner of the first pixel. Without a CRS, or with one
    that is tied to no ellipsoid, the units of the transform are taken as metres.

    Args:
        crs: the CRS of the transform, as anything that pyproj understands, or None.
        transform: from pixel coordinates to those of the CRS; may be rotated or flipped.
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

    @property
    def is_metric(self) -> bool:
        """Whether lengths are true metres, and not units of a transform without a CRS."""
        return self._geod is not None

    def world(self, pixel: Floats) -> Floats:
        """Pixel coordinates (n, 2) as coordinates of the CRS (n, 2)."""
        t = self.transform
        x, y = pixel[:, 0], pixel[:, 1]
        return np.column_stack((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f))

    def steps(self, pixel: Floats) -> Floats:
        """Distances in metres between points that follow each other in ``pixel`` (n, 2); (n - 1,)."""
        return self.world_steps(self.world(pixel))

    def world_steps(self, world: Floats) -> Floats:
        """Distances in metres between points that follow each other in ``world`` (n, 2), in the CRS; (n - 1,)."""
        if len(world) < 2:
            return np.zeros(0)
        if self._geod is None or self._to_degrees is None:
            return np.asarray(np.hypot(*np.diff(world, axis=0).T), np.float64)
        lon, lat = self._degrees(world)
        _, _, metres = self._geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
        return np.asarray(metres, np.float64)

    def pixel_area(self, pixel: Floats) -> Floats:
        """Area in square metres of the pixels around the points ``pixel`` (n, 2); (n,)."""
        across, down = self._sides(pixel)
        return np.asarray(np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]), np.float64)

    def resolution(self, shape: tuple[int, int]) -> float:
        """Side in metres of a square as large as the pixel in the middle of a raster of ``shape`` rows, columns."""
        middle = np.array([[shape[1] / 2.0, shape[0] / 2.0]])
        return float(np.sqrt(self.pixel_area(middle)[0]))

    def metric_grid(self, shape: tuple[int, int]) -> MetricGrid:
        """What measures areas and lengths of rings anywhere in a raster of ``shape`` rows, columns.

        Between the points of the grid, at most 20 km and 256 pixels apart, the area of a pixel and the metric are
        interpolated.
        """
        most = float(min(256, max(1, int(_GRID_METRES / self.resolution(shape)))))
        rows, cols = (max(1, math.ceil(size / most)) + 1 for size in shape)
        step = (shape[0] / (rows - 1), shape[1] / (cols - 1))
        col, row = np.meshgrid(np.arange(cols) * step[1], np.arange(rows) * step[0])
        across, down = self._sides(np.column_stack((col.ravel(), row.ravel())))
        area = np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]).reshape(rows, cols)
        # The integral of the area along the row up to each point of the grid.
        sums = np.zeros((rows, cols))
        sums[:, 1:] = np.cumsum(0.5 * (area[:, 1:] + area[:, :-1]) * step[1], axis=1)
        metric = ((across**2).sum(axis=1), (down**2).sum(axis=1), (across * down).sum(axis=1))
        return MetricGrid(np.dstack((sums, area, *(values.reshape(rows, cols) for values in metric))), step)

    def _sides(self, pixel: Floats) -> tuple[Floats, Floats]:
        """East and north components in metres of one step along a row and along a column."""
        half = 0.5
        ends = [pixel + offset for offset in ((-half, 0.0), (half, 0.0), (0.0, -half), (0.0, half))]
        worlds = [self.world(end) for end in ends]
        if self._geod is None:
            return worlds[1] - worlds[0], worlds[3] - worlds[2]
        degrees = [self._degrees(world) for world in worlds]
        return self._vector(degrees[0], degrees[1]), self._vector(degrees[2], degrees[3])

    def _vector(self, start: tuple[Floats, Floats], end: tuple[Floats, Floats]) -> Floats:
        assert self._geod is not None
        azimuth, _, metres = self._geod.inv(*start, *end)
        angle = np.radians(azimuth)
        return np.column_stack((metres * np.sin(angle), metres * np.cos(angle)))

    def _degrees(self, world: Floats) -> tuple[Floats, Floats]:
        assert self._to_degrees is not None
        try:
            lon, lat = self._to_degrees.transform(world[:, 0], world[:, 1], errcheck=True)
        except ProjError as error:
            raise SourceError(
                "The raster's position does not lie within the area of its CRS.", "Check its CRS and transform."
            ) from error
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)
