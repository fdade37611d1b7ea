"""Read the files to compare: vector layers in a common metric CRS, windows of rasters on the same grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...errors import SourceError, VectorError
from ...fs.pyogrio_path import pyogrio_path
from ...raster.dataset import open_raster
from ...raster.probability import PROBABILITY_SCALE, open_probability_raster
from ..arrays import Ints
from ..geodesy import transform_geometries

RasterPairs = Iterator[tuple[Ints, Ints]]

#: Rows of rasters that are compared at a time.
_ROWS = 512
#: Class id of pixels without a valid value.
NO_CLASS = -1


@dataclass(frozen=True)
class VectorLayer:
    """A vector layer.

    Attributes:
        geometry: Shapely geometries.
        columns: attributes by name.
        crs: its CRS, or None.
    """

    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: CRS | None


def is_vector(path: Path) -> bool:
    """Whether a file has vector layers; a file that is neither vector nor raster is refused when it is opened."""
    try:
        return len(pyogrio.list_layers(pyogrio_path(path))) > 0
    except pyogrio.errors.DataSourceError:
        return False


def read_layer(path: Path, layer: str | None = None, preferred: tuple[str, ...] = ()) -> VectorLayer:
    """Read a vector layer.

    Args:
        path: the file.
        layer: name of the layer; None for the first of ``preferred`` that exists, else the first of the file.
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
    return VectorLayer(
        np.asarray(shapely.from_wkb(geometry), np.object_),
        dict(zip(map(str, meta["fields"]), columns, strict=True)),
        crs,
    )


def choose_metric_crs(layer: VectorLayer) -> CRS | None:
    """Choose a CRS in metres for a layer: azimuthal equidistant around its middle; None where the layer has no CRS."""
    if layer.crs is None or not len(layer.geometry):
        return layer.crs
    west, south, east, north = shapely.total_bounds(layer.geometry)
    to_degrees = Transformer.from_crs(layer.crs, layer.crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform((west + east) / 2.0, (south + north) / 2.0)
    geod = layer.crs.get_geod()
    if geod is None:
        return layer.crs
    return CRS.from_user_input(f"+proj=aeqd +lat_0={lat:.6f} +lon_0={lon:.6f} +a={geod.a} +b={geod.b} +units=m")


def to_crs(layer: VectorLayer, crs: CRS | None) -> NDArray[np.object_]:
    """Transform the geometries of a layer to another CRS, in two dimensions."""
    flat = np.asarray(shapely.force_2d(layer.geometry), np.object_)
    if crs is None or layer.crs is None or crs == layer.crs:
        return flat
    return transform_geometries(flat, Transformer.from_crs(layer.crs, crs, always_xy=True))


def read_raster_pairs(result: Path, truth: Path, threshold: float | None) -> tuple[RasterPairs, tuple[int, ...]]:
    """Open two rasters of the same size for ``score_rasters``.

    Args:
        result: raster of classes or probabilities.
        truth: raster of classes or a mask.
        threshold: probability from which a pixel of the result is road, where both are masks; None for classes.

    Returns:
        Windows of both rasters, read as they are asked for (int64 class ids, -1 without a valid value; or 0 and 1);
        the class ids of the truth.

    Raises:
        SourceError: a raster cannot be read, or their sizes differ.
    """
    with open_raster(result) as a, open_raster(truth) as b:
        shape = b.shape
        if a.shape != shape:
            raise SourceError(
                f"{result.name} has {a.width} x {a.height} pixels, but {truth.name} has {b.width} x {b.height}.",
                "Give rasters of the same size.",
            )
    if threshold is not None:
        return _read_masks(result, truth, threshold), (0, 1)
    ids: set[int] = set()
    for _, classes in _read_class_pairs(result, truth):
        ids |= set(np.unique(classes).tolist())
    ids.discard(NO_CLASS)
    if not ids:
        raise SourceError(f"{truth.name} ({shape[1]} x {shape[0]} pixels) holds no class at all.")
    return _read_class_pairs(result, truth), tuple(sorted(ids))


def read_classes(dataset: Any, window: Window | None = None) -> Ints:
    """Read the class ids of band 1 of an opened raster, int64, ``NO_CLASS`` without a valid value.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        values = dataset.read(1, window=window, masked=True)
    except RasterioError as error:
        raise SourceError(f"{dataset.name} cannot be read: the file is damaged or cut short.") from error
    return np.asarray(values.astype(np.int64).filled(NO_CLASS))


def _read_class_pairs(result: Path, truth: Path) -> RasterPairs:
    with open_raster(result) as a, open_raster(truth) as b:
        for row in range(0, a.height, _ROWS):
            window = Window(0, row, a.width, min(_ROWS, a.height - row))
            yield read_classes(a, window), read_classes(b, window)


def _read_masks(result: Path, truth: Path, threshold: float) -> RasterPairs:
    with open_probability_raster(result) as a, open_probability_raster(truth) as b:
        rows, cols = a.shape
        for row in range(0, rows, _ROWS):
            height = min(_ROWS, rows - row)
            is_road = a.read(row, 0, height, cols) >= threshold * PROBABILITY_SCALE
            is_road_in_truth = b.read(row, 0, height, cols) >= 0.5 * PROBABILITY_SCALE
            yield is_road.astype(np.int64), is_road_in_truth.astype(np.int64)
