"""Read a layer of a person's vector file: with the ids of its features, and in a CRS that its coordinates fit."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from ...context import RunContext
from ...errors import ParameterError, VectorError, shorten
from ...fs.pyogrio_path import pyogrio_path
from ...protocol.messages import Message
from ...raster.area import Area, make_area
from ...raster.grid import Grid
from ..arrays import Ints
from ..crs import (
    Bounds,
    Reference,
    explain_distance,
    make_metric_crs,
    measure_bounds,
    parse_crs,
    resolve_crs,
    transform,
    transform_near,
)
from .formats import check_vector_file

#: What geometries of each dimension are called.
_NAMES = {0: "points", 1: "lines", 2: "polygons"}
#: Coordinates from here on, far beyond the Earth in every unit, are damaged like those that are not finite.
_MAX_COORDINATE = 1e9


@dataclass(frozen=True)
class VectorLayer:
    """A layer of a vector file.

    Attributes:
        name: the file and, if it has several layers, the layer; for messages.
        ids: int64 (n,), the feature ids (FID of GDAL, ``$id`` of QGIS).
        geometry: Shapely geometries (n,) in two dimensions; None for features without one.
        columns: attributes by name, (n,) each.
        crs: its CRS, or None.
    """

    name: str
    ids: Ints
    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: CRS | None

    @property
    def bounds(self) -> Bounds:
        """West, south, east and north of all coordinates; NaN without any."""
        return measure_bounds(self.geometry)

    @property
    def reference(self) -> Reference:
        """The layer as far as its place matters."""
        return Reference(self.name, self.crs, self.bounds)

    def choose_metric_crs(self) -> CRS | None:
        """Choose a CRS in metres around the middle of the layer, even if it is cut at 180 degrees; None without one."""
        if self.crs is None or self.crs.geodetic_crs is None or not len(self.ids):
            return self.crs
        lon, lat = Transformer.from_crs(self.crs, self.crs.geodetic_crs, always_xy=True).transform(
            *shapely.get_coordinates(self.geometry).T
        )
        if np.ptp(lon) <= 180:
            return make_metric_crs(self.crs, self.bounds)
        lon = lon % 360
        return make_metric_crs(self.crs.geodetic_crs, (lon.min(), lat.min(), lon.max(), lat.max()))

    def resolve(self, reference: Reference, context: RunContext) -> VectorLayer:
        """Return the layer with the CRS that its coordinates are in; see ``resolve_crs``."""
        return replace(self, crs=resolve_crs(self.reference, reference, context))

    def to_reference(self, reference: Reference) -> NDArray[np.object_]:
        """Return what lies around a reference, in its CRS; see ``transform_near``."""
        return transform_near(self.geometry, self.crs, reference, self.name)

    def to_crs(self, crs: CRS | None) -> NDArray[np.object_]:
        """Return the geometries in another CRS; None for unchanged ones."""
        return transform(self.geometry, self.crs, crs, self.name)

    def keep_polygons(self, context: RunContext) -> VectorLayer:
        """Return the features that are polygons or multi-part polygons, with a warning about others.

        Raises:
            VectorError: there is none.
        """
        is_polygon = shapely.get_dimensions(self.geometry) == 2
        if not is_polygon.any():
            raise VectorError(f"{self.name} holds no polygons.")
        if not is_polygon.all():
            context.warn(f"{(~is_polygon).sum()} features of {self.name} are no polygons; they are left out.")
        columns = {name: values[is_polygon] for name, values in self.columns.items()}
        return replace(self, ids=self.ids[is_polygon], geometry=self.geometry[is_polygon], columns=columns)

    def select(self, dimensions: tuple[int, ...], context: RunContext) -> VectorLayer:
        """Return single geometries of some dimensions: the parts of multi-part geometries, with their feature's id.

        Args:
            dimensions: 1 for lines, 2 for polygons.
            context: receives a warning about geometries of other dimensions, which are left out.

        Raises:
            VectorError: there are only geometries of other dimensions.
        """
        parts, index = shapely.get_parts(self.geometry, return_index=True)
        while (shapely.get_type_id(parts) > 3).any():  # collections in collections
            parts, inner = shapely.get_parts(parts, return_index=True)
            index = index[inner]
        dimension = shapely.get_dimensions(parts)
        is_wanted = np.isin(dimension, dimensions) & ~shapely.is_empty(parts)
        wanted = _join_names(dimensions)
        others = ", ".join(
            f"{(dimension == key).sum()} {name}"
            for key, name in _NAMES.items()
            if key not in dimensions and (dimension == key).any()
        )
        if others and not is_wanted.any():
            raise VectorError(f"{self.name} holds {others}, but {wanted} are needed.")
        if others:
            context.warn(f"{others} of {self.name} are left out: only {wanted} count.")
        chosen = index[is_wanted]
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return VectorLayer(self.name, self.ids[chosen], parts[is_wanted], columns, self.crs)


def read_vector_layer(
    path: Path,
    layer: str | None = None,
    *,
    context: RunContext,
    dimensions: tuple[int, ...] = (1, 2),
    preferred: tuple[str, ...] = (),
    columns: Sequence[str] = (),
    option: str = "",
) -> VectorLayer:
    """Read a layer of a vector file.

    Args:
        path: GeoPackage, GeoJSON, shapefile, ... in any CRS.
        layer: name of the layer; None for the first of ``preferred`` that the file has, else its first layer that has
            features and can have geometries of the right dimension.
        context: receives messages: which of several layers was taken, features that cannot be read.
        dimensions: 1 for lines, 2 for polygons; of the layer that is chosen.
        preferred: names of layers.
        columns: the attributes to read.
        option: the option that selects a layer, for messages; empty if there is none.

    Raises:
        VectorError: the file or the layer cannot be read.
        ParameterError: an attribute does not exist.
    """
    check_vector_file(path)
    with _without_side_files(), warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        try:
            chosen, name = _choose_layer(path, layer, dimensions, preferred, option=option, context=context)
            meta, ids, encoded, fields = pyogrio.raw.read(
                pyogrio_path(path), layer=chosen, columns=list(columns), return_fids=True
            )
            known = pyogrio.read_info(pyogrio_path(path), layer=chosen)["fields"] if columns else ()
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
            reason = str(error).splitlines()[0].split("; It might")[0].rstrip(".")
            raise VectorError(f"The vector file {path} cannot be read: {reason}.") from error
    for remark in remarks:
        context.report(Message(f"{name}: {remark.message}"))
    found = dict(zip(map(str, meta["fields"]), fields, strict=True))
    for column in columns:
        if column not in found:
            raise ParameterError(
                f"{name} has no attribute {shorten(column)}.", f"It has: {', '.join(known) or 'none'}."
            )
    if encoded is None:
        raise VectorError(f"The layer {chosen} of {path} has no geometry.")
    geometry = np.asarray(shapely.force_2d(shapely.from_wkb(encoded, on_invalid="ignore")), np.object_)
    is_broken = shapely.is_missing(geometry) & np.array([item is not None for item in encoded], np.bool_)
    coordinates, feature = shapely.get_coordinates(geometry, return_index=True)
    is_broken[feature[~(np.abs(coordinates) < _MAX_COORDINATE).all(axis=1)]] = True
    if is_broken.any():
        context.warn(f"{is_broken.sum()} features of {name} have geometries that cannot be read; they are left out.")
        geometry[is_broken] = None
    return VectorLayer(name, ids.astype(np.int64), geometry, found, parse_crs(meta["crs"], name))


def is_vector(path: Path) -> bool:
    """Whether a file has, or should have, vector layers: what its reader says is wrong is told when it is read."""
    with _without_side_files():
        try:
            return len(pyogrio.list_layers(pyogrio_path(path))) > 0
        except pyogrio.errors.DataSourceError as error:
            return "not recognized" not in str(error)


@contextmanager
def _without_side_files() -> Iterator[None]:
    """Keep GDAL from writing a GeoPackage's metadata to a file ``.aux.xml`` beside it when it is only read."""
    name = "GDAL_PAM_ENABLED"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: False})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})


def read_area(path: Path, grid: Grid, layer: str | None = None, *, name: str, context: RunContext) -> Area:
    """Read the polygons that restrict a grid.

    Args:
        path: GeoPackage, GeoJSON, shapefile, ... in any CRS.
        grid: the grid.
        layer: the layer to read; see ``read_vector_layer``.
        name: of the grid's raster, for messages.
        context: receives messages.

    Raises:
        VectorError: the file cannot be read or has no polygons.
        ParameterError: no polygon intersects the grid.
    """
    polygons = read_vector_layer(path, layer, context=context, dimensions=(2,), option="--area-layer")
    polygons = polygons.select((2,), context)
    if not len(polygons.geometry):
        raise VectorError(f"The area {path} has no polygons.")
    reference = make_reference(name, grid.crs, grid.transform, (grid.height, grid.width))
    polygons = polygons.resolve(reference, context)
    area = make_area(polygons.to_reference(reference), grid)
    if not len(area.polygons):
        hint = explain_distance(polygons.reference, reference)
        raise ParameterError(f"The polygons of {path} do not touch the image or its extent.", hint)
    return area


def make_reference(name: str, crs: object | None, affine: Affine, shape: tuple[int, int]) -> Reference:
    """Return a raster of ``shape`` (rows, columns) as the reference of vector files."""
    x, y = affine @ (np.array([0, shape[1], 0, shape[1]]), np.array([0, 0, shape[0], shape[0]]))
    return Reference(name, parse_crs(crs, name), (float(x.min()), float(y.min()), float(x.max()), float(y.max())))


def _choose_layer(
    path: Path,
    layer: str | None,
    dimensions: tuple[int, ...],
    preferred: tuple[str, ...],
    *,
    option: str,
    context: RunContext,
) -> tuple[str, str]:
    """Return the name of the layer to read, and the file's and its name for messages."""
    listed = [(str(name), kind) for name, kind in pyogrio.list_layers(pyogrio_path(path))]
    names = [name for name, _ in listed]
    if layer is not None and layer not in names:
        raise VectorError(f"{path} has no layer {shorten(layer)}.", f"It has {', '.join(names) or 'none'}.")
    spatial = {name: _dimension(kind) for name, kind in listed if kind is not None}
    candidates = list(spatial) if layer is None else [name for name in spatial if name == layer]
    fitting = [name for name in candidates if spatial[name] in (*dimensions, None)]
    if not fitting:
        held = _join_names({spatial[name] for name in candidates}) or "no geometries"
        raise VectorError(f"{path.name} holds {held}, but {_join_names(dimensions)} are needed.")
    chosen = layer or next((name for name in preferred if name in fitting), None)
    if chosen is None:
        # Some formats (GPX, OSM) have to be read to count their features.
        counts = [
            pyogrio.read_info(pyogrio_path(path), layer=name, force_feature_count=True)["features"]
            for name in fitting[:-1]
        ]
        chosen = next((name for name, count in zip(fitting, counts, strict=False) if count), fitting[-1])
        if len(fitting) > 1:
            advice = f"; {option} selects another." if option else "."
            context.report(Message(f"{path.name} has the layers {', '.join(fitting)}: {chosen} is used{advice}"))
    return chosen, path.name if len(spatial) < 2 else f"{path.name} (layer {chosen})"


def _join_names(dimensions: Collection[int | None]) -> str:
    """What geometries of some dimensions are called."""
    return " or ".join(name for dimension, name in _NAMES.items() if dimension in dimensions)


def _dimension(kind: str) -> int | None:
    """Dimension of a layer's geometry type as GDAL names it; None where it may hold any geometries."""
    words = ((2, ("Polygon", "Surface", "TIN", "Triangle")), (1, ("Line", "Curve", "CircularString")), (0, ("Point",)))
    return next((dimension for dimension, parts in words if any(part in kind for part in parts)), None)
