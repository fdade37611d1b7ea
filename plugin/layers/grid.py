"""Pixel grid over an area, units of a CRS on the ground, and the size of a run.

QGIS's own distance calculator is not safe in every thread: in 3.22, after a worker thread that was the first to measure
in a CRS has ended, the main thread measures NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from osgeo import osr
from qgis.core import QgsRectangle

#: Edge of a tile that is requested from a provider at once, in pixels: a multiple of the usual 256.
TILE = 1024
#: Step over which the scale of a CRS is measured, as a share of the area's extent.
_STEP = 1e-3


@dataclass(frozen=True)
class Tile:
    """A part of a grid: offsets and size in pixels, and its rectangle in the CRS."""

    column: int
    row: int
    width: int
    height: int
    box: QgsRectangle


@dataclass(frozen=True)
class TileGrid:
    """Pixels over an area.

    Attributes:
        left: x of the left edge.
        top: y of the top edge.
        pixel_x: width of a pixel in units of the CRS, positive.
        pixel_y: height of a pixel in units of the CRS, positive.
        width: number of columns.
        height: number of rows.
    """

    left: float
    top: float
    pixel_x: float
    pixel_y: float
    width: int
    height: int

    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """Return the affine transform in GDAL's order."""
        return (self.left, self.pixel_x, 0.0, self.top, 0.0, -self.pixel_y)

    def tiles(self, edge: int = TILE) -> Iterator[Tile]:
        """Yield the tiles that cover the grid, row by row; those at the right and at the bottom may be smaller."""
        for row in range(0, self.height, edge):
            for column in range(0, self.width, edge):
                width, height = min(edge, self.width - column), min(edge, self.height - row)
                left, top = self.left + column * self.pixel_x, self.top - row * self.pixel_y
                box = QgsRectangle(left, top - height * self.pixel_y, left + width * self.pixel_x, top)
                yield Tile(column, row, width, height, box)


@dataclass(frozen=True)
class RunSize:
    """Size of a run: pixels as the model sees them, and tiles."""

    width: int
    height: int
    tiles: int


def make_tile_grid(box: QgsRectangle, pixel_x: float, pixel_y: float) -> TileGrid:
    """Make the grid that covers ``box``, aligned to multiples of the pixel size.

    Aligned, so that two runs over neighbouring areas see the same pixels.

    Args:
        box: the area.
        pixel_x: width of a pixel in units of the CRS, positive.
        pixel_y: height of a pixel in units of the CRS, positive.
    """
    left = math.floor(box.xMinimum() / pixel_x + 1e-6)
    right = max(left + 1, math.ceil(box.xMaximum() / pixel_x - 1e-6))
    bottom = math.floor(box.yMinimum() / pixel_y + 1e-6)
    top = max(bottom + 1, math.ceil(box.yMaximum() / pixel_y - 1e-6))
    return TileGrid(left * pixel_x, top * pixel_y, pixel_x, pixel_y, right - left, top - bottom)


def estimate_run_size(width_m: float, height_m: float, resolution: float, tile: int, overlap: int) -> RunSize | None:
    """Estimate the size of a run over an area.

    Args:
        width_m: width on the ground in m.
        height_m: height on the ground in m.
        resolution: the model's ground resolution in m per pixel.
        tile: edge of a tile in pixels.
        overlap: overlap of tiles in pixels.

    Returns:
        The size; None where a number is missing.
    """
    if min(width_m, height_m, resolution, tile) <= 0 or not tile > overlap >= 0:
        return None
    size = max(1, round(width_m / resolution)), max(1, round(height_m / resolution))
    columns, rows = (1 if edge <= tile else math.ceil((edge - overlap) / (tile - overlap)) for edge in size)
    return RunSize(*size, columns * rows)


def measure_units_per_metre(wkt: str, box: QgsRectangle) -> tuple[float, float]:
    """Measure the units of a CRS per true metre along its x and y at the middle of ``box``.

    Units of Web Mercator are 0.77 m at 40 degrees north, and a degree is no length at all; so distances are
    measured on the CRS's own ellipsoid, by the radii of curvature of the meridian and of the prime vertical.

    Args:
        wkt: the CRS.
        box: the area in its units.

    Raises:
        ValueError: the CRS has no scale there, or is not geographic or projected.
    """
    crs = osr.SpatialReference()
    x, y = box.center().x(), box.center().y()
    step = max(box.width(), box.height()) * _STEP
    try:
        crs.ImportFromWkt(wkt)
        geographic = crs.CloneGeogCS()
        if geographic is None:
            raise ValueError("the CRS is neither geographic nor projected")
        for reference in (crs, geographic):
            reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        transform = osr.CoordinateTransformation(crs, geographic)
        points = [transform.TransformPoint(*point) for point in ((x, y), (x + step, y), (x, y + step))]
    except RuntimeError as error:  # where GDAL's exceptions are on
        raise ValueError(str(error)) from error
    radian = geographic.GetAngularUnits() or math.radians(1)
    ellipsoid = geographic.GetSemiMajor(), geographic.GetInvFlattening()
    lengths = [_measure_length(ellipsoid, points[0], point, radian) for point in points[1:]]
    if step <= 0 or not all(0 < length < 1e9 for length in lengths):
        raise ValueError(f"a step of {step} measures {lengths} m")
    return step / lengths[0], step / lengths[1]


def _measure_length(
    ellipsoid: tuple[float, float], start: tuple[float, ...], end: tuple[float, ...], radian: float
) -> float:
    """Measure the metres between two near points on an ellipsoid.

    Args:
        ellipsoid: semi-major axis in m, and inverse flattening (0 for a sphere).
        start: longitude and latitude.
        end: longitude and latitude.
        radian: radians of one angular unit.
    """
    axis, inverse = ellipsoid
    flattening = 1 / inverse if inverse else 0.0
    eccentricity2 = flattening * (2 - flattening)
    latitude = (start[1] + end[1]) / 2 * radian
    bend = 1 - eccentricity2 * math.sin(latitude) ** 2
    meridian, prime_vertical = axis * (1 - eccentricity2) / bend**1.5, axis / math.sqrt(bend)
    east = (end[0] - start[0]) * radian * prime_vertical * math.cos(latitude)
    return math.hypot(east, (end[1] - start[1]) * radian * meridian)
