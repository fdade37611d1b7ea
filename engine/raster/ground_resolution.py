"""The true size of a pixel on the ground, whatever the coordinate system says its unit is.

A Web Mercator "metre" is 0.77 m at 40 degrees north, and a degree is no length at all. So the steps from the
image's centre by one column and by one row are measured on the ellipsoid.
"""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from ..errors import SourceError


def measure_ground_resolution(
    crs_wkt: str | None, transform: Affine, width: int, height: int, name: str
) -> tuple[float, float]:
    """Length in metres of one column step and of one row step at the image's centre.

    Args:
        crs_wkt: the coordinate system as WKT; None where there is none, and the units are taken as metres.
        transform: pixel to world, in any direction.
        width: columns of the image.
        height: rows of the image.
        name: the image, for the sentence of an error.

    Returns:
        Metres per column and metres per row, both above 0.

    Raises:
        SourceError: the transform is degenerate, or the centre lies where the coordinate system has no place.
    """
    steps = _steps(transform, width, height)
    if crs_wkt is None:
        lengths = [math.hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in steps]
    else:
        lengths = [_length(_crs(crs_wkt, name), start, end) for start, end in steps]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise SourceError(f"The image {name} lies where its coordinate system has no true place on the ground.")
    return lengths[0], lengths[1]


def _steps(transform: Affine, width: int, height: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Start and end, in world coordinates, of the central column step and the central row step."""
    x, y = width / 2, height / 2
    return [
        (transform @ (x - 0.5, y), transform @ (x + 0.5, y)),
        (transform @ (x, y - 0.5), transform @ (x, y + 0.5)),
    ]


def _crs(wkt: str, name: str) -> CRS:
    try:
        return CRS.from_wkt(wkt)
    except CRSError as error:
        raise SourceError(f"The coordinate system of {name} cannot be understood.") from error


def _length(crs: CRS, start: tuple[float, float], end: tuple[float, float]) -> float:
    """Metres on the ellipsoid between two points; by the unit's factor where the system is not tied to the Earth."""
    geod, geodetic = crs.get_geod(), crs.geodetic_crs
    if geod is None or geodetic is None:
        factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
        return factor * math.hypot(end[0] - start[0], end[1] - start[1])
    if crs.is_geographic:
        # Longitudes beyond 180 and axes in grads or radians both come out right in degrees.
        degrees = math.degrees(float(crs.axis_info[0].unit_conversion_factor))
        longitudes, latitudes = (degrees * np.array(values) for values in zip(start, end, strict=True))
        if np.abs(latitudes).max() > 90:
            return math.nan
    else:
        try:
            longitudes, latitudes = Transformer.from_crs(crs, geodetic, always_xy=True).transform(
                [start[0], end[0]], [start[1], end[1]], errcheck=True
            )
        except ProjError:
            return math.nan
    _, _, distance = geod.inv(longitudes[0], latitudes[0], longitudes[1], latitudes[1])
    return float(distance)
