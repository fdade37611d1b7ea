"""The georeferencing of an image: a geotransform, ground control points, RPCs, or a pixel size given by the person."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.vrt import WarpedVRT

from ..errors import SourceError
from .gdal_errors import GDAL_ERRORS, format_gdal_error
from .ground_resolution import measure_ground_resolution


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
        except pyproj.exceptions.CRSError as error:
            raise SourceError(f"The coordinate system of {path} cannot be parsed.") from error
        if crs.is_geocentric or (crs.is_vertical and not crs.is_compound):
            raise SourceError(
                f"The coordinate system of {path} ({crs.type_name}) is not one of positions on a map.",
                "Assign the right one to it.",
            )
        # Raises for a position outside of the coordinate system, such as metres that are declared as degrees.
        measure_ground_resolution(crs.to_wkt(), dataset.transform, dataset.width, dataset.height, str(path))


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
    try:
        rpcs = dataset.rpcs
    except GDAL_ERRORS as error:
        raise SourceError(f"The RPCs of {path} cannot be parsed: {format_gdal_error(error)}.") from error
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
    try:
        view = stack.enter_context(WarpedVRT(dataset, add_alpha=not has_mask, **options))
    except GDAL_ERRORS as error:
        raise SourceError(f"The {method} cannot be used: {format_gdal_error(error)}.") from error
    if view.crs is None or not all(map(math.isfinite, view.transform)) or view.transform.is_degenerate:
        raise SourceError(f"The {method} cannot be used: they do not define a location.")
    return Georeferencing(view, view.crs, view.transform, (remark,))
