"""Vector layers to files: GeoPackage first, and FlatGeobuf, GeoJSON, Shapefile and GeoParquet for exchange.

Features come in batches of Shapely geometries and columns. A GeoPackage holds all layers in one file; the other
formats hold one layer each, so the first layer gets the name that was asked for and the others get theirs added.
Everything is written under temporary names and renamed when it is complete (``atomic``).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from ...errors import OutputError, ParameterError
from ...fs.atomic import atomic_output, check_output_path, is_disk_full, make_disk_full_error, measure_with_sidecars
from ...fs.paths import hidden_stem
from ...fs.pyogrio_path import pyogrio_path
from .geopackage import GEOMETRY_COLUMN, add_styles, verify_geopackage

Columns = Mapping[str, NDArray[Any]]

#: GDAL driver by file suffix.
DRIVERS = {
    ".gpkg": "GPKG",
    ".fgb": "FlatGeobuf",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".shp": "ESRI Shapefile",
    ".parquet": "Parquet",
}
#: The older version of the format opens without a warning in QGIS 3.22 with GDAL 3.6, too.
_DATASET_OPTIONS = {"GPKG": {"VERSION": "1.2"}}
#: Formats that keep entries of metadata with a layer.
_WITH_METADATA = ("GPKG", "FlatGeobuf")
#: SQLite would wait for the disk at every step. Nobody sees the file before it is complete, and it is flushed then.
_SETTINGS = {"OGR_SQLITE_SYNCHRONOUS": "OFF"}
#: The largest .shp or .dbf file, bytes.
_SHAPEFILE_LIMIT = 2**31 - 1


def choose_driver(path: Path) -> str:
    """The GDAL driver for the suffix of ``path``.

    Raises:
        ParameterError: the suffix is of no format, or GDAL here cannot write it.
    """
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise ParameterError(
            f"{path.name} has no suffix of a vector format.", f"Use one of {', '.join(sorted(DRIVERS))}."
        )
    if "w" not in pyogrio.list_drivers().get(driver, ""):
        raise ParameterError(
            f"GDAL on this machine cannot write {driver}, so {path.name} cannot be written.", "Use .gpkg instead."
        )
    return driver


def check_vector_output(path: Path) -> None:
    """Raise, before any work, where vectors could not be written to ``path`` at the end.

    Raises:
        ParameterError: the suffix is of no format, or GDAL here cannot write it.
        OutputError: the place cannot be written to.
        VectorError: the folder has a name that cannot be written to.
    """
    choose_driver(path)
    pyogrio_path(path.with_name(hidden_stem(path)))
    check_output_path(path)


@dataclass
class VectorWriter:
    """Takes batches of features and writes them layer by layer.

    Attributes:
        main: the path of the first layer (of all layers, in a GeoPackage).
        counts: features written so far, by layer.
    """

    main: Path
    driver: str
    source_crs: CRS | None
    crs: CRS | None
    metadata: Mapping[str, str]
    stack: ExitStack
    counts: dict[str, int] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    _temporary: dict[str, Path] = field(default_factory=dict)
    _kept: dict[str, list[tuple[NDArray[np.object_], Columns]]] = field(default_factory=dict)

    def write(self, layer: str, kind: str, geometry: NDArray[np.object_], columns: Columns) -> None:
        """Add features to a layer.

        Args:
            layer: its name; the first call creates it, also with no features.
            kind: "Point", "LineString", "Polygon" or "MultiPolygon".
            geometry: Shapely geometries in the CRS of the source.
            columns: attributes by name; bool, integers, floats or str (object).
        """
        geometry = self._project(geometry)
        self.counts[layer] = self.counts.get(layer, 0) + len(geometry)
        if self.driver == "GPKG":
            self._append(layer, kind, geometry, columns)
            return
        self._kept.setdefault(layer, []).append((geometry, columns))
        if len(self._kept[layer]) == 1:
            self.paths[layer] = self._path_of(layer)
        self._kinds[layer] = kind

    def finish(self) -> None:
        """Write the layers of formats that take a layer only as a whole."""
        for layer, batches in self._kept.items():
            geometry = np.concatenate([batch[0] for batch in batches])
            columns = {name: np.concatenate([batch[1][name] for batch in batches]) for name in batches[0][1]}
            temporary = self.stack.enter_context(atomic_output(self.paths[layer]))
            self._store(temporary, layer, self._kinds[layer], geometry, columns, append=False)
            if self.driver == "ESRI Shapefile":
                _check_shapefile(temporary)

    _kinds: dict[str, str] = field(default_factory=dict)

    def _path_of(self, layer: str) -> Path:
        first = not self.paths
        return self.main if first else self.main.with_name(f"{self.main.stem}_{layer}{self.main.suffix}")

    def _append(self, layer: str, kind: str, geometry: NDArray[np.object_], columns: Columns) -> None:
        if not self._temporary:
            verify = partial(verify_geopackage, final=self.main, counts=self.counts)
            self._temporary[""] = self.stack.enter_context(atomic_output(self.main, verify))
        known = layer in self.paths
        self.paths[layer] = self.main
        self._store(self._temporary[""], layer, kind, geometry, columns, append=known)

    def _project(self, geometry: NDArray[np.object_]) -> NDArray[np.object_]:
        if self.crs is None or self.source_crs is None or self.crs == self.source_crs:
            return geometry
        transformer = Transformer.from_crs(self.source_crs, self.crs, always_xy=True)

        def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

        return np.asarray(shapely.transform(geometry, project), np.object_)

    def _store(
        self, path: Path, layer: str, kind: str, geometry: NDArray[np.object_], columns: Columns, *, append: bool
    ) -> None:
        crs = self.crs or self.source_crs
        options = {"geometry_name": GEOMETRY_COLUMN} if self.driver == "GPKG" else {}
        metadata = None if append else dict(self.metadata)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a raster without a CRS has been reported before
                pyogrio.raw.write(
                    pyogrio_path(path),
                    geometry=np.asarray(shapely.to_wkb(geometry), np.object_),
                    field_data=[_plain(values) for values in columns.values()],
                    fields=np.array(list(columns)),
                    layer=layer if self.driver == "GPKG" else None,
                    driver=self.driver,
                    geometry_type=kind,
                    crs=crs.to_wkt() if crs is not None else None,
                    append=append,
                    dataset_metadata=metadata if self.driver == "GPKG" and len(self.paths) == 1 else None,
                    layer_metadata=metadata if self.driver in _WITH_METADATA else None,
                    layer_options=_described(metadata) if self.driver == "GeoJSON" and metadata else None,
                    dataset_options=_DATASET_OPTIONS.get(self.driver) if not append else None,
                    **options,
                )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
            if is_disk_full(self.main.parent) or "No space" in str(error) or "disk is full" in str(error):
                raise make_disk_full_error(self.main, measure_with_sidecars(path)) from error
            raise OutputError(f"The layer {layer} of {self.main} cannot be written: {error}") from error


@contextmanager
def open_vector_writer(
    final: Path,
    *,
    source_crs: object | None,
    crs: object | None = None,
    metadata: Mapping[str, str] | None = None,
    styles: Mapping[str, str] | None = None,
) -> Iterator[VectorWriter]:
    """Open a vector file for writing; it appears under its name when the block has ended well, and only then.

    Args:
        final: the file; its suffix says the format.
        source_crs: CRS of the geometries that will come, or None.
        crs: CRS of the file; that of the geometries where None.
        metadata: what made the layers: model, hash, parameters. Stored with the layers of a GeoPackage or FlatGeobuf,
            and as the description of a GeoJSON; other formats have no place for it.
        styles: QML documents by layer, stored in a GeoPackage.

    Raises:
        ParameterError: the format is not known or cannot be written here.
        OutputError: the file cannot be written.
    """
    source = None if not source_crs else CRS.from_user_input(source_crs)
    target = source if crs is None else CRS.from_user_input(crs)
    if target is not None and source is None:
        raise ParameterError("The raster has no CRS, so its vectors cannot be transformed to another.")
    pyogrio.set_gdal_config_options(_SETTINGS)
    with ExitStack() as stack:
        writer = VectorWriter(final, choose_driver(final), source, target, dict(metadata or {}), stack)
        yield writer
        writer.finish()
        if writer.driver == "GPKG" and writer.counts:
            used = {layer: qml for layer, qml in (styles or {}).items() if layer in writer.counts}
            add_styles(writer._temporary[""], final, used)


def _described(metadata: Mapping[str, str]) -> dict[str, str]:
    """The option with which GeoJSON takes its one text about a layer: a line for each entry."""
    return {"DESCRIPTION": "\n".join(f"{name}={value}" for name, value in metadata.items())}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Columns in types that every format has."""
    if values.dtype.kind in "US":
        return values.astype(object)
    if values.dtype.kind == "u":
        return values.astype(np.int64 if values.dtype.itemsize > 2 else np.int32)
    return values


def _check_shapefile(path: Path) -> None:
    for member in path.parent.glob(f"{path.stem}.*"):
        if member.stat().st_size > _SHAPEFILE_LIMIT * (1 - math.ulp(1.0)):
            raise OutputError("A shapefile cannot be larger than 2 GB.", "Write a GeoPackage (.gpkg) instead.")
