"""Write vector layers to a file: all layers into one GeoPackage, or one file per layer for the other formats.

Features come in batches of Shapely geometries and columns. Files are written under temporary names and renamed when
all of them are complete (``fs.outputs``).
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from ...fs.atomic import is_disk_full, make_disk_full_error, measure_with_sidecars
from ...fs.outputs import Outputs
from ...fs.pyogrio_path import pyogrio_path
from ..crs import Reference, find_antimeridian, unwrap_longitudes
from ..geodesy import transform_geometries
from .formats import VectorFormat, check_file_sizes, check_vector_output
from .geopackage import GEOMETRY_COLUMN, ExistingGeoPackage, add_styles, has_content, verify_geopackage
from .target import layer_files

Geometries = NDArray[np.object_]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class VectorOutput:
    """What is to be written; attributes as the arguments of ``open_vector_writer``.

    Attributes:
        near: the middle longitude of a ``place`` across the antimeridian; None for other places.
    """

    path: Path
    file_format: VectorFormat
    source_crs: CRS | None
    crs: CRS | None
    metadata: dict[str, str]
    styles: Mapping[str, str]
    names: Mapping[str, str]
    outputs: Outputs
    warnings: Sequence[str]
    near: float | None

    def describe(self) -> dict[str, str]:
        """Return the metadata, with the warnings of the run up to now."""
        return {**self.metadata, **({"WARNINGS": "\n".join(self.warnings)} if self.warnings else {})}


class VectorWriter(ABC):
    """Write batches of features, layer by layer. Created by ``open_vector_writer``.

    Args:
        output: what is to be written.
        stack: completes the temporary files when it closes.

    Attributes:
        paths: final path of each layer written so far, by the layer's own name.
        counts: number of features of each layer written so far, by its name in the file.
    """

    def __init__(self, output: VectorOutput, stack: ExitStack) -> None:
        self.paths: dict[str, Path] = {}
        self.counts: dict[str, int] = {}
        self._output, self._stack = output, stack
        crs, source_crs = output.crs, output.source_crs
        self._wkt = crs.to_wkt() if crs is not None else None
        reproject = crs is not None and source_crs is not None and crs != source_crs
        self._transformer = Transformer.from_crs(source_crs, crs, always_xy=True) if reproject else None

    def write(self, layer: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        """Add features to a layer; the first call for a layer creates it, also with no features.

        Args:
            layer: the layer's own name; ``names`` of the output has its name in the file.
            kind: "Point", "LineString", "Polygon" or "MultiPolygon".
            geometry: Shapely geometries in the source CRS.
            columns: attributes by name: bool, integers, floats or str (object).

        Raises:
            OutputError: the features cannot be written.
        """
        if self._transformer is not None:
            geometry = transform_geometries(geometry, self._transformer)
            if self._output.crs is not None and self._output.near is not None:
                geometry = unwrap_longitudes(geometry, self._output.crs, self._output.near)
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            raise OutputError(
                f"A position in the layer {layer} of {self._output.path} is not a finite number.",
                "Choose a CRS for this part of the world.",
            )
        name = self._output.names.get(layer, layer)
        self.counts[name] = self.counts.get(name, 0) + len(geometry)
        if layer not in self.paths:
            self.paths[layer] = layer_files(self._output.path, [*self.paths, layer])[layer]
        self._add(layer, name, kind, geometry, columns)

    @abstractmethod
    def finish(self) -> None:
        """Complete the temporary files."""

    @abstractmethod
    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        """Write or collect features in the output's CRS; ``name`` is that of the layer in the file."""

    def _store(self, path: Path, name: str, kind: str, geometry: Geometries, columns: Columns, **options: Any) -> None:
        """Write features to ``path`` with pyogrio's ``options``."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a missing CRS is reported when the raster is opened
                pyogrio.raw.write(
                    pyogrio_path(path),
                    geometry=np.asarray(shapely.to_wkb(geometry), np.object_),
                    field_data=[_widen_dtype(values) for values in columns.values()],
                    fields=np.array(list(columns)),
                    driver=self._output.file_format.driver,
                    geometry_type=kind,
                    crs=self._wkt,
                    **options,
                )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
            target = self._output.path
            if is_disk_full(target.parent) or "No space" in str(error) or "disk is full" in str(error):
                raise make_disk_full_error(target, measure_with_sidecars(path)) from error
            raise OutputError(f"The layer {name} of {target} cannot be written: {error}") from error


class GeoPackageWriter(VectorWriter):
    """Append each batch to one GeoPackage; other layers of an existing file are kept. Arguments as ``VectorWriter``."""

    def __init__(self, output: VectorOutput, stack: ExitStack) -> None:
        super().__init__(output, stack)
        self._temporary: Path | None = None
        self._written: set[str] = set()
        self._others: Mapping[str, int] = {}

    def finish(self) -> None:
        """Add the styles of the layers that were written."""
        if self._temporary is not None:
            names = {layer: self._output.names.get(layer, layer) for layer in self.paths}
            used = {names[layer]: qml for layer, qml in self._output.styles.items() if layer in names}
            add_styles(self._temporary, self._output.path, used)

    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        output, is_new = self._output, self._temporary is None
        if self._temporary is None:
            self._temporary = self._open(name)
        append = name in self._written
        self._written.add(name)
        self._store(
            self._temporary,
            name,
            kind,
            geometry,
            columns,
            layer=name,
            append=append,
            geometry_name=GEOMETRY_COLUMN,
            dataset_metadata=output.describe() if is_new and not self._others else None,
            layer_metadata=None if append else output.describe(),
            dataset_options=None if append else dict(output.file_format.dataset_options),
        )

    def _open(self, name: str) -> Path:
        """Open the temporary file, with the layers of the existing file that are kept."""
        output = self._output
        replaced = {name, *output.names.values()}
        existing = output.outputs.enter(ExistingGeoPackage(output.path)) if has_content(output.path) else None
        self._others = {} if existing is None else existing.count_other_rows(replaced)
        verify = partial(verify_geopackage, final=output.path, counts=self.counts, others=self._others)
        guard = None if existing is None else existing.hold()
        temporary = self._stack.enter_context(output.outputs.write(output.path, verify, guard))
        if existing is not None and self._others:
            existing.copy(temporary)
        return temporary


class LayerFileWriter(VectorWriter):
    """Collect each layer in memory and write it to a file of its own. Arguments as ``VectorWriter``.

    The first layer gets the path of the output; the others get their name appended to its stem.
    """

    def __init__(self, output: VectorOutput, stack: ExitStack) -> None:
        super().__init__(output, stack)
        self._layers: dict[str, tuple[str, list[tuple[Geometries, Columns]]]] = {}

    def finish(self) -> None:
        """Write the collected layers."""
        file_format, metadata = self._output.file_format, self._output.describe()
        options: dict[str, Any] = {}
        if file_format.has_metadata:
            options["layer_metadata"] = metadata
        if file_format.has_description and metadata:
            options["layer_options"] = {"DESCRIPTION": "\n".join(f"{key}={value}" for key, value in metadata.items())}
        for layer, (kind, batches) in self._layers.items():
            path = self.paths[layer]
            geometry = np.concatenate([batch[0] for batch in batches])
            columns = {name: np.concatenate([batch[1][name] for batch in batches]) for name in batches[0][1]}
            temporary = self._stack.enter_context(self._output.outputs.write(path))
            self._store(temporary, layer, kind, geometry, columns, layer=path.stem, **options)
            check_file_sizes(temporary, file_format)

    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        self._layers.setdefault(layer, (kind, []))[1].append((geometry, columns))


@contextmanager
def open_vector_writer(
    final: Path,
    *,
    source_crs: object | None,
    crs: object | None = None,
    metadata: Mapping[str, str] | None = None,
    styles: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    outputs: Outputs | None = None,
    warnings: Sequence[str] = (),
    place: Reference | None = None,
) -> Iterator[VectorWriter]:
    """Open a vector file for writing; it is complete only if the block ends without an exception.

    Args:
        final: path of the file; its suffix selects the format.
        source_crs: CRS of the geometries, or None.
        crs: CRS of the file; None for that of the geometries.
        metadata: provenance (model, hash, parameters). Stored with the layers of a GeoPackage or FlatGeobuf and as the
            description of a GeoJSON; other formats cannot store it.
        styles: QML documents by layer, stored in a GeoPackage only.
        names: names of the layers in a GeoPackage, by their own; those of a person that are named here are replaced.
        outputs: receives the complete files and publishes them with the others of the run; None publishes them at the
            end of the block.
        warnings: of the run, stored with the metadata; may grow until a layer is written.
        place: where the features are; across the antimeridian longitudes go on beyond 180.

    Yields:
        The writer.

    Raises:
        ParameterError: the format is unknown or cannot be written on this machine.
        OutputError: the file cannot be written.
    """
    source = None if not source_crs else CRS.from_user_input(source_crs)
    target = source if crs is None else CRS.from_user_input(crs)
    if target is not None and source is None:
        raise ParameterError("The raster has no CRS, so its vectors cannot be transformed to another.")
    with Outputs() as own_outputs:
        output = VectorOutput(
            final,
            check_vector_output(final),
            source,
            target,
            dict(metadata or {}),
            {} if styles is None else styles,
            names or {},
            outputs or own_outputs,
            warnings,
            None if target is None or place is None else find_antimeridian(place, target),
        )
        writer_class = GeoPackageWriter if output.file_format.is_multi_layer else LayerFileWriter
        with ExitStack() as stack:
            writer = writer_class(output, stack)
            yield writer
            writer.finish()
        own_outputs.publish()


def _widen_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Convert a column to a dtype that every format can store."""
    if values.dtype.kind in "US":
        return values.astype(object)
    if values.dtype.kind == "u":
        return values.astype(np.int64 if values.dtype.itemsize > 2 else np.int32)
    return values
