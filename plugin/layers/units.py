"""How many units of a CRS are a metre on the ground. No QGIS: its distance calculator is not safe in every thread.

(QGIS 3.22: after a worker thread that was the first to measure in a CRS has ended, the main thread measures NaN.)
"""

from __future__ import annotations

import math

from osgeo import osr

from .tile_grid import Box

#: Step over which the scale is measured, as a share of the area's extent.
_STEP = 1e-3


def units_per_metre(wkt: str, box: Box) -> tuple[float, float]:
    """Units of a CRS per true metre along its x and y at the middle of ``box``.

    Web Mercator's units are 0.77 m at 40 degrees north, and a degree is no length at all; so distances are
    measured on the CRS's own ellipsoid, by the radii of curvature of the meridian and of the prime vertical.

    Args:
        wkt: the CRS.
        box: the area in its units.

    Raises:
        ValueError: the area lies where the CRS has no scale, or the CRS is none.
    """
    crs = osr.SpatialReference()
    x, y = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    step = max(box.xmax - box.xmin, box.ymax - box.ymin) * _STEP
    try:
        crs.ImportFromWkt(wkt)
        geographic = crs.CloneGeogCS()
        if geographic is None:
            raise ValueError("this is no CRS of the earth")
        for reference in (crs, geographic):
            reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        transform = osr.CoordinateTransformation(crs, geographic)
        points = [transform.TransformPoint(*point) for point in ((x, y), (x + step, y), (x, y + step))]
    except RuntimeError as error:  # where GDAL's exceptions are on
        raise ValueError(str(error)) from error
    middle = points[0]
    radian = geographic.GetAngularUnits() or math.radians(1)
    shape = geographic.GetSemiMajor(), geographic.GetInvFlattening()
    lengths = [_length(shape, middle, point, radian) for point in points[1:]]
    if step <= 0 or not all(0 < length < 1e9 for length in lengths):
        raise ValueError(f"a step of {step} measures {lengths} m")
    return step / lengths[0], step / lengths[1]


def _length(shape: tuple[float, float], start: tuple[float, ...], end: tuple[float, ...], radian: float) -> float:
    """Metres between two near points (longitude, latitude) on the ellipsoid (semi-major axis, inverse flattening)."""
    axis, inverse = shape
    flattening = 1 / inverse if inverse else 0.0
    square = flattening * (2 - flattening)
    latitude = (start[1] + end[1]) / 2 * radian
    bend = 1 - square * math.sin(latitude) ** 2
    meridian, vertical = axis * (1 - square) / bend**1.5, axis / math.sqrt(bend)
    east = (end[0] - start[0]) * radian * vertical * math.cos(latitude)
    return math.hypot(east, (end[1] - start[1]) * radian * meridian)
