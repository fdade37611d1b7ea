"""The georeferencing of an image (geotransform, ground control points, RPCs, or a given pixel size) and its metres."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.vrt import WarpedVRT

from ..errors import SourceError
from .gdal_errors import translate_gdal_errors


class Georeferencing(NamedTuple):
    """The dataset or warped view to read from, its georeference, and remarks for the person."""

    view: Any
    crs: CRS | None
    transform: Affine
    remarks: tuple[str, ...]


#: Coordinates and sizes of pixels beyond this, in whatever unit, come from damaged files.
_LARGEST_COORDINATE = 1e60


def check_georeferencing(dataset: DatasetReader, path: Path) -> None:
    """Raise ``SourceError`` if the transform of an opened raster is no place, or its CRS none of positions on a map."""
    if not all(map(math.isfinite, dataset.transform)):
        raise SourceError(f"The georeference of {path} holds values that are not finite numbers.")
    if max(map(abs, dataset.transform)) > _LARGEST_COORDINATE:
        raise SourceError(f"The georeference of {path} holds values that are not a place on a map.")
    if dataset.transform.is_degenerate:
        raise SourceError(f"The georeference of {path} is degenerate: its pixels have no area.")
    if dataset.crs and not dataset.transform.is_identity:
        try:
            crs = pyproj.CRS.from_user_input(dataset.crs)
        except CRSError as error:
            raise SourceError(f"The coordinate system of {path} cannot be parsed.") from error
        if crs.is_geocentric or (crs.is_vertical and not crs.is_compound):
            raise SourceError(
                f"The coordinate system of {path} ({crs.type_name}) is not one of positions on a map.",
                "Assign the right one to it.",
            )
        # Raises for a position outside of the coordinate system, such as metres that are declared as degrees.
        measure_ground_resolution(crs, dataset.transform, dataset.width, dataset.height, str(path))


def has_same_pixels(a: Affine, b: Affine, shape: tuple[int, int], tolerance: float = 0.05) -> bool:
    """Whether two rasters of a ``shape`` in the same CRS have their corners within ``tolerance`` pixels."""
    corners = np.array([[0, shape[1], 0, shape[1]], [0, 0, shape[0], shape[0]]], float)
    return bool((np.abs(np.array((~b @ a) @ tuple(corners)) - corners) < tolerance).all())


def read_georeferencing(
    dataset: DatasetReader, path: Path, pixel_size: float | None, stack: ExitStack
) -> Georeferencing:
    """Read the georeferencing of ``dataset``.

    Args:
        dataset: the opened image, with a transform that was checked.
        path: its file, for messages.
        pixel_size: metres per pixel, used if the image has no georeferencing.
        stack: closes a warped view.

    Raises:
        SourceError: the georeferencing cannot be used, or there is none and no ``pixel_size``.
    """
    transform = dataset.transform
    if not transform.is_identity:
        remarks = [] if dataset.crs else [f"{path.name} has no coordinate system; its units are taken as metres."]
        if pixel_size is not None:
            remarks.append(f"{path.name} has a georeference, so --pixel-size is not used.")
        return Georeferencing(dataset, dataset.crs, transform, tuple(remarks))
    points, crs = dataset.gcps
    if points and crs:
        remark = f"{path.name} was georeferenced by its {len(points)} ground control points."
        return _warp(dataset, f"ground control points of {path}", {"src_crs": crs, "crs": crs}, remark, stack)
    with translate_gdal_errors(f"The RPCs of {path} cannot be parsed"):
        rpcs = dataset.rpcs
    if rpcs is not None:
        return _warp_by_rpcs(dataset, path, rpcs, stack)
    if pixel_size is not None:
        scaled = Affine(pixel_size, 0, 0, 0, -pixel_size, 0)
        remark = f"{path.name} has no georeference; {pixel_size:g} m per pixel is assumed."
        return Georeferencing(dataset, None, scaled, (remark,))
    missing = "has ground control points without a coordinate system" if points else "has no georeference"
    raise SourceError(
        f"The image {path} {missing}, so its location and scale are not known.",
        "Give the size of its pixels in metres with --pixel-size, or georeference it first.",
    )


def _warp_by_rpcs(dataset: DatasetReader, path: Path, rpcs: RPC, stack: ExitStack) -> Georeferencing:
    """Warp the image to longitude and latitude, on flat ground at the mean height of the RPCs."""
    values = (entry for value in rpcs.to_dict().values() for entry in (value if isinstance(value, list) else [value]))
    scales = (rpcs.height_scale, rpcs.lat_scale, rpcs.long_scale, rpcs.line_scale, rpcs.samp_scale)
    if not all(math.isfinite(float(value)) for value in values if value is not None) or not all(scales):
        raise SourceError(f"The RPCs of {path} cannot be used: a scale is zero or a value is not a finite number.")
    remark = (
        f"{path.name} has only RPCs: it was georeferenced on flat ground at {rpcs.height_off:.0f} m, so hills and "
        "valleys are shifted. Orthorectify it for exact positions."
    )
    wgs84 = CRS.from_epsg(4326)
    options = {"src_crs": wgs84, "crs": wgs84, "SRC_METHOD": "RPC", "RPC_HEIGHT": repr(float(rpcs.height_off))}
    return _warp(dataset, f"RPCs of {path}", options, remark, stack)


def _warp(
    dataset: DatasetReader, method: str, options: dict[str, Any], remark: str, stack: ExitStack
) -> Georeferencing:
    """Open a warped view of ``dataset``; pixels outside of the image are not valid in it."""
    has_mask = dataset.nodata is not None or ColorInterp.alpha in dataset.colorinterp
    with translate_gdal_errors(f"The {method} cannot be used"):
        view = stack.enter_context(WarpedVRT(dataset, add_alpha=not has_mask, **options))
    if view.crs is None or not all(map(math.isfinite, view.transform)) or view.transform.is_degenerate:
        raise SourceError(f"The {method} cannot be used: they do not define a location.")
    return Georeferencing(view, view.crs, view.transform, (remark,))


#: Points along each side of an image at which its position is checked.
_BORDER_POINTS = 17


def measure_ground_resolution(
    crs: object | None, transform: Affine, width: int, height: int, name: str
) -> tuple[float, float]:
    """Measure one column step and one row step at the image's center.

    Args:
        crs: anything that pyproj understands as a pyproj.CRS; None if there is none, then units are taken as metres.
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
    if not crs:
        lengths = [math.hypot(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in steps]
    else:
        try:
            parsed = pyproj.CRS.from_user_input(crs)
        except CRSError as error:
            raise SourceError(f"The coordinate system of {name} cannot be parsed.") from error
        lengths = [_measure_length(parsed, start, end) for start, end in steps]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise SourceError(f"The image {name} is outside the area of its coordinate system.")
    return lengths[0], lengths[1]


def border_points(width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns and rows of points along the border of a raster."""
    steps = np.linspace(0, 1, _BORDER_POINTS)
    columns = width * np.concatenate([steps, steps, np.zeros_like(steps), np.ones_like(steps)])
    return columns, height * np.concatenate([np.zeros_like(steps), np.ones_like(steps), steps, steps])


def check_positions(crs: object | None, transform: Affine, width: int, height: int, name: str) -> None:
    """Check that the whole border of a raster lies within the area of its coordinate system.

    Latitudes may be a pixel beyond the poles, as those of grids whose first row is centred on a pole.

    Args:
        crs: anything that pyproj understands as a pyproj.CRS, or None.
        transform: from pixels to coordinates of the pyproj.CRS.
        width: columns.
        height: rows.
        name: of the raster, for the sentence.

    Raises:
        SourceError: a part of it lies outside, as the corners of a satellite's view of the whole Earth.
    """
    crs = pyproj.CRS.from_user_input(crs) if crs else None
    if crs is None or crs.geodetic_crs is None:
        return
    x, y = transform @ border_points(width, height)
    if crs.is_geographic:
        degrees = math.degrees(float(crs.axis_info[0].unit_conversion_factor))
        beyond = abs(transform.d) + abs(transform.e)
        is_inside = bool((np.abs(y) <= 90 / degrees + beyond).all())
    else:
        try:
            found = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
            is_inside = bool(np.isfinite(found).all())
        except ProjError:
            is_inside = False
    if not is_inside:
        raise SourceError(
            f"A part of {name} is outside the area of its coordinate system.", "Choose the part inside with --extent."
        )


def _measure_length(crs: pyproj.CRS, start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return metres on the ellipsoid between two points; for an engineering pyproj.CRS, the distance times its unit."""
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
            longitudes, latitudes = pyproj.Transformer.from_crs(crs, geodetic, always_xy=True).transform(
                [start[0], end[0]], [start[1], end[1]], errcheck=True
            )
        except ProjError:
            return math.nan
    _, _, distance = geod.inv(longitudes[0], latitudes[0], longitudes[1], latitudes[1])
    return float(distance)
