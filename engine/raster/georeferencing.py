"""Where an image lies: by its geotransform, its ground control points, its RPCs, or by what a person says."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.vrt import WarpedVRT

from ..errors import SourceError
from .gdal_errors import GDAL_ERRORS, format_gdal_error

#: The view to read from, its coordinate system and transform, and remarks for the person.
Placed = tuple[Any, CRS | None, Affine, tuple[str, ...]]


def read_georeferencing(dataset: DatasetReader, path: Path, pixel_size: float | None, stack: ExitStack) -> Placed:
    """Find out where ``dataset`` lies.

    Args:
        dataset: the opened image.
        path: its file, for sentences.
        pixel_size: metres per pixel, for an image that says nothing itself.
        stack: closes a warped view at its end.

    Raises:
        SourceError: what the image says of its place cannot be used, or it says nothing and neither does the person.
    """
    if not dataset.transform.is_identity:
        return _by_transform(dataset, path)
    points, crs = dataset.gcps
    if points and crs:
        remark = f"{path.name} was placed by its {len(points)} ground control points."
        return _warped(dataset, f"ground control points of {path}", {"src_crs": crs, "crs": crs}, remark, stack)
    rpcs = _rpcs(dataset, path)
    if rpcs is not None:
        return _by_rpcs(dataset, path, rpcs, stack)
    if pixel_size is not None:
        scaled = Affine(pixel_size, 0, 0, 0, -pixel_size, 0)
        return dataset, None, scaled, (f"{path.name} has no georeference; {pixel_size:g} m per pixel is assumed.",)
    only = "has ground control points without a coordinate system" if points else "has no georeference"
    raise SourceError(
        f"The image {path} {only}, so its place and scale are not known.",
        "Give the size of its pixels in metres with --pixel-size, or georeference it first for a result in its place.",
    )


def _by_transform(dataset: DatasetReader, path: Path) -> Placed:
    transform = dataset.transform
    if not all(map(math.isfinite, transform)):
        raise SourceError(f"The georeference of {path} holds values that are no numbers.")
    if transform.is_degenerate:
        raise SourceError(f"The georeference of {path} is degenerate: its pixels have no area.")
    if dataset.crs is None:
        return dataset, None, transform, (f"{path.name} has no coordinate system; its units are taken as metres.",)
    return dataset, dataset.crs, transform, ()


def _rpcs(dataset: DatasetReader, path: Path) -> RPC | None:
    try:
        return dataset.rpcs
    except GDAL_ERRORS as error:
        raise SourceError(f"The RPCs of {path} cannot be understood: {format_gdal_error(error)}.") from error


def _by_rpcs(dataset: DatasetReader, path: Path, rpcs: RPC, stack: ExitStack) -> Placed:
    """The image in longitude and latitude, on flat ground at the mean height that the RPCs were made for."""
    numbers = [float(value) for value in _flat(rpcs.to_dict()) if value is not None]
    scales = (rpcs.height_scale, rpcs.lat_scale, rpcs.long_scale, rpcs.line_scale, rpcs.samp_scale)
    if not all(map(math.isfinite, numbers)) or not all(scales):
        raise SourceError(f"The RPCs of {path} cannot be used: a number in them is zero or none at all.")
    remark = (
        f"{path.name} has only RPCs: it was placed on flat ground at {rpcs.height_off:.0f} m, so hills and valleys are "
        "shifted. Orthorectify it for true places."
    )
    degrees = CRS.from_epsg(4326)
    options = {"src_crs": degrees, "crs": degrees, "SRC_METHOD": "RPC", "RPC_HEIGHT": repr(float(rpcs.height_off))}
    return _warped(dataset, f"RPCs of {path}", options, remark, stack)


def _flat(values: dict[str, Any]) -> list[Any]:
    return [entry for value in values.values() for entry in (value if isinstance(value, list) else [value])]


def _warped(dataset: DatasetReader, what: str, options: dict[str, Any], remark: str, stack: ExitStack) -> Placed:
    """A warped view of ``dataset``; what lies beside the image in it is not valid."""
    masked = dataset.nodata is not None or ColorInterp.alpha in dataset.colorinterp
    try:
        view = stack.enter_context(WarpedVRT(dataset, add_alpha=not masked, **options))
    except GDAL_ERRORS as error:
        raise SourceError(f"The {what} cannot be used: {format_gdal_error(error)}.") from error
    if view.crs is None or not all(map(math.isfinite, view.transform)) or view.transform.is_degenerate:
        raise SourceError(f"The {what} cannot be used: they give the image no place.")
    return view, view.crs, view.transform, (remark,)
