"""Files to compare: what they hold, and both in the same metres or the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...errors import SourceError, VectorError
from ...fs.pyogrio_path import pyogrio_path

#: Rows of rasters that are compared at a time.
_ROWS = 512


@dataclass(frozen=True)
class Layer:
    """A vector layer.

    Attributes:
        geometry: Shapely geometries.
        columns: attributes by name.
        crs: its CRS, or None.
    """

    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: CRS | None


def is_raster(path: Path) -> bool:
    """Whether a file is a raster with bands."""
    try:
        with rasterio.open(path) as dataset:
            return int(dataset.count) > 0
    except RasterioError:
        return False


def read_layer(path: Path, layer: str | None = None, preferred: tuple[str, ...] = ()) -> Layer:
    """Read a vector layer.

    Args:
        path: the file.
        layer: its layer; the first of ``preferred`` that is there, or the first of all, where None.
        preferred: names of layers.

    Raises:
        VectorError: the file or the layer cannot be read.
    """
    try:
        names = [str(name) for name in pyogrio.list_layers(pyogrio_path(path))[:, 0]]
        chosen = layer or next((name for name in preferred if name in names), names[0] if names else None)
        if chosen not in names:
            raise VectorError(f"{path} has no layer {chosen}.", f"It has {', '.join(names) or 'none'}.")
        meta, _, geometry, columns = pyogrio.raw.read(pyogrio_path(path), layer=chosen)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise VectorError(f"{path} is not a vector file that can be read.") from error
    if geometry is None:
        raise VectorError(f"The layer {chosen} of {path} has no geometry.")
    crs = CRS.from_user_input(meta["crs"]) if meta["crs"] else None
    return Layer(
        np.asarray(shapely.from_wkb(geometry), np.object_),
        dict(zip(map(str, meta["fields"]), columns, strict=True)),
        crs,
    )


def metric_crs(layer: Layer) -> CRS | None:
    """A CRS in metres that is true around the layer: equidistant from its middle; None where the layer has none."""
    if layer.crs is None or not len(layer.geometry):
        return layer.crs
    west, south, east, north = shapely.total_bounds(layer.geometry)
    to_degrees = Transformer.from_crs(layer.crs, layer.crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform((west + east) / 2.0, (south + north) / 2.0)
    geod = layer.crs.get_geod()
    if geod is None:
        return layer.crs
    return CRS.from_user_input(f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +a={geod.a} +b={geod.b} +units=m")


def to_crs(layer: Layer, crs: CRS | None) -> NDArray[np.object_]:
    """The geometries of a layer in another CRS, without the third dimension."""
    flat = shapely.force_2d(layer.geometry)
    if crs is None or layer.crs is None or crs == layer.crs:
        return np.asarray(flat, np.object_)
    transformer = Transformer.from_crs(layer.crs, crs, always_xy=True)
    return np.asarray(
        shapely.transform(flat, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))), np.object_
    )


def raster_pairs(
    result: Path, truth: Path, threshold: float | None
) -> tuple[Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]], tuple[int, ...]]:
    """Windows of two rasters of the same size, and the classes of the truth.

    Args:
        result: raster of classes or probabilities.
        truth: raster of classes or a mask.
        threshold: where given, both are masks: road where the probability reaches it.

    Raises:
        SourceError: they cannot be read or are not of the same size.
    """
    from ...raster.probability import open_raster

    with open_raster(result) as one, open_raster(truth) as other:
        if one.shape != other.shape:
            raise SourceError(
                f"{result.name} has {one.width} x {one.height} pixels, but {truth.name} has "
                f"{other.width} x {other.height}.",
                "Give rasters of the same size.",
            )
        shape = one.shape
    pairs = _masks(result, truth, threshold) if threshold is not None else _classes(result, truth)
    if threshold is not None:
        return pairs, (0, 1)
    found: set[int] = set()
    for _, wanted in _classes(result, truth):
        found |= set(np.unique(wanted).tolist())
    found.discard(_NO_CLASS)
    if not found:
        raise SourceError(f"{truth.name} ({shape[1]} x {shape[0]} pixels) holds no class at all.")
    return pairs, tuple(sorted(found))


_NO_CLASS = -1


def _classes(result: Path, truth: Path) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from ...raster.probability import open_raster

    with open_raster(result) as one, open_raster(truth) as other:
        for row in range(0, one.height, _ROWS):
            window = Window(0, row, one.width, min(_ROWS, one.height - row))
            yield tuple(_known(dataset, window) for dataset in (one, other))  # type: ignore[misc]


def _known(dataset: Any, window: Window) -> NDArray[np.int64]:
    try:
        values = dataset.read(1, window=window, masked=True)
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    return np.asarray(values.astype(np.int64).filled(_NO_CLASS))


def _masks(result: Path, truth: Path, threshold: float) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from ...raster.probability import PROBABILITY_SCALE, open_probability_raster

    with open_probability_raster(result) as one, open_probability_raster(truth) as other:
        rows, cols = one.shape
        for row in range(0, rows, _ROWS):
            height = min(_ROWS, rows - row)
            found = one.read(row, 0, height, cols) >= threshold * PROBABILITY_SCALE
            wanted = other.read(row, 0, height, cols) >= 0.5 * PROBABILITY_SCALE
            yield found.astype(np.int64), wanted.astype(np.int64)
