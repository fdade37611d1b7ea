"""The size of a pixel on the ground in metres, whatever the unit of the coordinate system.

A Web Mercator "metre" is 0.77 m at 40 degrees north, and a degree is not a length. So one column step and one row step
at the image's center are measured on the ellipsoid.
"""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from ..errors import SourceError

#: Points along each side of an image at which its position is checked.
_BORDER_POINTS = 17


def measure_ground_resolution(
    crs_wkt: str | None, transform: Affine, width: int, height: int, name: str
) -> tuple[float, float]:
    """Measure one column step and one row step at the image's center.

    Args:
        crs_wkt: the coordinate system as WKT; None if there is none, then units are taken as metres.
        transform: pixel to world coordinates, in any orientation.
        width: columns of the image.
        height: rows of the image.
        name: the image, for messages.

    Returns:
        Metres per column and metres per row, both above 0.

    Raises:
        SourceError: the transform is degenerate, or the center is outside the area of the coordinate system.
    """
    x, y = width / 2, height / 2
    steps = [(transform @ (x - 0.5, y), transform @ (x + 0.5, y)), (transform @ (x, y - 0.5), transform @ (x, y + 0.5))]
    if crs_wkt is None:
        lengths = [math.hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in steps]
    else:
        try:
            crs = CRS.from_wkt(crs_wkt)
        except CRSError as error:
            raise SourceError(f"The coordinate system of {name} cannot be parsed.") from error
        lengths = [_measure_length(crs, start, end) for start, end in steps]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise SourceError(f"The image {name} is outside the area of its coordinate system.")
    return lengths[0], lengths[1]


def check_positions(crs: object | None, transform: Affine, width: int, height: int, name: str) -> None:
    """Check that the whole border of a raster lies within the area of its coordinate system.

    Latitudes may be a pixel beyond the poles, as those of grids whose first row is centred on a pole.

    Args:
        crs: anything that pyproj understands as a CRS, or None.
        transform: from pixels to coordinates of the CRS.
        width: columns.
        height: rows.
        name: of the raster, for the sentence.

    Raises:
        SourceError: a part of it lies outside, as the corners of a satellite's view of the whole Earth.
    """
    crs = CRS.from_user_input(crs) if crs else None
    if crs is None or crs.geodetic_crs is None:
        return
    steps = np.linspace(0, 1, _BORDER_POINTS)
    columns = width * np.concatenate([steps, steps, np.zeros_like(steps), np.ones_like(steps)])
    rows = height * np.concatenate([np.zeros_like(steps), np.ones_like(steps), steps, steps])
    x, y = transform @ (columns, rows)
    if crs.is_geographic:
        degrees = math.degrees(float(crs.axis_info[0].unit_conversion_factor))
        beyond = abs(transform.d) + abs(transform.e)
        is_inside = bool((np.abs(y) <= 90 / degrees + beyond).all())
    else:
        try:
            found = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
            is_inside = bool(np.isfinite(found).all())
        except ProjError:
            is_inside = False
    if not is_inside:
        raise SourceError(
            f"A part of {name} is outside the area of its coordinate system.", "Choose the part inside with --extent."
        )


def _measure_length(crs: CRS, start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return metres on the ellipsoid between two points; for an engineering CRS, the distance times its unit."""
    geod, geodetic = crs.get_geod(), crs.geodetic_crs
    if geod is None or geodetic is None:
        factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
        return factor * math.hypot(end[0] - start[0], end[1] - start[1])
    if crs.is_geographic:
        # Converts axes in grads or radians, and accepts longitudes beyond 180.
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
