"""Write vector layers: all of them into one GeoPackage, one file per layer for other formats, or into a folder.

Features come in batches of Shapely geometries and columns. Files are written under temporary names and renamed when
all of them are complete (``fs.outputs``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from ...errors import OutputError
from ...fs.atomic import is_disk_full, make_disk_full_error, measure_with_sidecars
from ...fs.outputs import Outputs
from ...fs.pyogrio_path import pyogrio_path
from ..arrays import Geometries
from ..crs import Reference, find_antimeridian, unwrap_longitudes
from ..geodesy import transform_geometries
from .folder import LayerPart, keep_foreign_files, part_path, write_index
from .formats import VectorFormat, VectorTarget, check_file_sizes, check_vector_output, choose_format, layer_files
from .geopackage import GEOMETRY_COLUMN, ExistingGeoPackage, add_styles, has_content, verify_geopackage

Columns = Mapping[str, NDArray[Any]]
#: Features of a file of a folder: some 20 MB.
_PART_FEATURES = 50_000


@dataclass
class VectorWriter(ABC):
    """Write batches of features, layer by layer. Created by ``open_vector_writer``.

    Attributes:
        target: the file; ``source_crs``, ``place`` and ``warnings`` as in ``open_vector_writer``.
        outputs: receives the complete files.
        stack: completes the temporary files when it closes.
        styles: QML documents by layer, which a GeoPackage stores when it is closed.
        paths: final path of each layer written so far, by the layer's own name.
        counts: number of features of each layer written so far, by its name in the file.
    """

    target: VectorTarget
    outputs: Outputs
    stack: ExitStack
    source_crs: object | None
    place: Reference | None
    warnings: Sequence[str]
    styles: dict[str, str] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        target, source = self.target, CRS.from_user_input(self.source_crs) if self.source_crs else None
        self._format = check_vector_output(target.path)
        self._crs = target.choose_crs(source)
        self._transformer = None if self._crs == source else Transformer.from_crs(source, self._crs, always_xy=True)
        #: The middle longitude of a place across the antimeridian; None for other places.
        self._near = None if self._crs is None or self.place is None else find_antimeridian(self.place, self._crs)

    def write(self, layer: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        """Add features to a layer; the first call for a layer creates it, also with no features.

        Args:
            layer: the layer's own name; ``names`` of the target has its name in the file.
            kind: "Point", "LineString", "Polygon" or "MultiPolygon".
            geometry: Shapely geometries in the source CRS.
            columns: attributes by name: bool, integers, floats or str (object).

        Raises:
            OutputError: the features cannot be written.
        """
        if self._transformer is not None:
            geometry = transform_geometries(geometry, self._transformer)
            if self._crs is not None and self._near is not None:
                geometry = unwrap_longitudes(geometry, self._crs, self._near)
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            raise OutputError(
                f"A position in the layer {layer} of {self.target.path} is not a finite number.",
                "Choose a CRS for this part of the world.",
            )
        name = self.target.names.get(layer, layer)
        self.counts[name] = self.counts.get(name, 0) + len(geometry)
        if layer not in self.paths:
            self.paths[layer] = layer_files(self.target.path, [*self.paths, layer])[layer]
        self._add(layer, name, kind, geometry, columns)

    @abstractmethod
    def finish(self) -> None:
        """Complete the temporary files."""

    @abstractmethod
    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        """Write or collect features in the output's CRS; ``name`` is that of the layer in the file."""

    def _describe(self) -> dict[str, str]:
        """Return the metadata, with the warnings of the run up to now."""
        return {**self.target.metadata, **({"WARNINGS": "\n".join(self.warnings)} if self.warnings else {})}

    def _store(self, path: Path, name: str, kind: str, geometry: Geometries, columns: Columns, **options: Any) -> None:
        """Write features to ``path`` with pyogrio's ``options``; those of the format are added."""
        columns = columns if self._format.has_columns else {}
        layer_options = {**self._format.layer_options, **options.pop("layer_options", {})}
        # A layer that is appended to, and its file, have been made.
        made = {} if options.get("append") else {"dataset_options": dict(self._format.dataset_options)}
        if layer_options and not options.get("append"):
            made["layer_options"] = layer_options
        try:
            with catch_warnings():
                simplefilter("ignore", UserWarning)  # a missing CRS is reported when the raster is opened
                pyogrio.raw.write(
                    pyogrio_path(path),
                    geometry=np.asarray(shapely.to_wkb(geometry), np.object_),
                    field_data=[_widen_dtype(values) for values in columns.values()],
                    fields=np.array(list(columns)),
                    driver=self._format.driver,
                    geometry_type=kind,
                    crs=None if self._crs is None else self._crs.to_wkt(),
                    **made,
                    **options,
                )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
            target = self.target.path
            if is_disk_full(target.parent) or "No space" in str(error) or "disk is full" in str(error):
                raise make_disk_full_error(target, measure_with_sidecars(path)) from error
            raise OutputError(f"The layer {name} of {target} cannot be written: {error}") from error


@dataclass
class GeoPackageWriter(VectorWriter):
    """Append each batch to one GeoPackage; other layers of an existing file are kept."""

    _temporary: Path | None = None
    _written: set[str] = field(default_factory=set)
    _others: Mapping[str, int] = field(default_factory=dict)

    def finish(self) -> None:
        """Add the styles of the layers that were written."""
        if self._temporary is not None:
            names = {layer: self.target.names.get(layer, layer) for layer in self.paths}
            used = {names[layer]: qml for layer, qml in self.styles.items() if layer in names}
            add_styles(self._temporary, self.target.path, used)

    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        is_new = self._temporary is None
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
            dataset_metadata=self._describe() if is_new and not self._others else None,
            layer_metadata=None if append else self._describe(),
            # Without it GDAL writes an "undefined" CRS with an id of its own; -1 is GeoPackage's undefined plane.
            layer_options={"SRID": "-1"} if self._crs is None else {},
        )

    def _open(self, name: str) -> Path:
        """Open the temporary file, with the layers of the existing file that are kept."""
        path, replaced = self.target.path, {name, *self.target.names.values()}
        existing = self.outputs.enter(ExistingGeoPackage(path)) if has_content(path) else None
        self._others = {} if existing is None else existing.count_other_rows(replaced)
        guard = None if existing is None else existing.hold()

        def verify(written: Path) -> None:
            # A target need not name its later layers: those that were written are not among the others.
            layers = {*replaced, *self.counts}
            others = {} if existing is None or not self._others else existing.count_other_rows(layers)
            verify_geopackage(written, path, self.counts, others)

        temporary = self.stack.enter_context(self.outputs.write(path, verify, guard))
        if existing is not None and self._others:
            existing.copy(temporary)
        return temporary


@dataclass
class LayerFileWriter(VectorWriter):
    """Collect each layer in memory and write it to a file of its own.

    The first layer gets the path of the output; the others get their name appended to its stem.
    """

    _layers: dict[str, tuple[str, list[tuple[Geometries, Columns]]]] = field(default_factory=dict)

    def finish(self) -> None:
        """Write the collected layers."""
        file_format, metadata = self._format, self._describe()
        options: dict[str, Any] = {}
        if file_format.has_metadata:
            options["layer_metadata"] = metadata
        if file_format.has_description and metadata:
            options["layer_options"] = {"DESCRIPTION": "\n".join(f"{key}={value}" for key, value in metadata.items())}
        for layer, (kind, batches) in self._layers.items():
            path = self.paths[layer]
            geometry, columns = _join_batches(batches)
            temporary = self.stack.enter_context(self.outputs.write(path))
            self._store(temporary, layer, kind, geometry, columns, layer=path.stem, **options)
            check_file_sizes(temporary, file_format)
            if file_format.is_read_back:
                self._count(temporary, len(geometry))

    def _count(self, path: Path, expected: int) -> None:
        """Check that a file has all features; on a full disk some drivers of GDAL write a part of it without an error.

        Raises:
            OutputError: it has not.
        """
        try:
            found = pyogrio.read_info(pyogrio_path(path), force_feature_count=True)["features"]
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError):
            found = -1  # it cannot be opened
        if found not in (expected, *([] if expected else [-1])):  # some formats have no layer without features
            target = self.target.path
            if is_disk_full(target.parent):
                raise make_disk_full_error(target, measure_with_sidecars(path))
            raise OutputError(f"{target} could not be written: it has {found} of {expected} features.")

    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        self._layers.setdefault(layer, (kind, []))[1].append((geometry, columns))


@dataclass
class _OpenLayer:
    """A layer of a folder: what its files have, and the batches of the next one."""

    kind: str
    parts: list[LayerPart] = field(default_factory=list)
    batches: list[tuple[Geometries, Columns]] = field(default_factory=list)
    size: int = 0


@dataclass
class FolderWriter(VectorWriter):
    """Write each layer to files of some 50,000 features in a folder, see ``folder``."""

    _folder: Path | None = None
    _layers: dict[str, _OpenLayer] = field(default_factory=dict)

    def finish(self) -> None:
        """Write the features that are left, and the index and the style of each layer."""
        for name, layer in self._layers.items():
            if layer.batches:
                self._write_part(name, layer)
            assert self._folder is not None, "the first features open the folder"
            write_index(self._folder, name, layer.kind, layer.parts, self._describe(), style=self.styles.get(name))

    def _add(self, layer: str, name: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        if self._folder is None:
            path = self.target.path
            self._folder = self.stack.enter_context(self.outputs.write_folder(path, keep_foreign_files(path)))
        entry = self._layers.setdefault(layer, _OpenLayer(kind))
        if len(geometry) or not (entry.parts or entry.batches):  # a layer without features has a file without any
            entry.batches.append((geometry, columns))
            entry.size += len(geometry)
        if entry.size >= _PART_FEATURES:
            self._write_part(layer, entry)

    def _write_part(self, name: str, layer: _OpenLayer) -> None:
        assert self._folder is not None
        path = part_path(self._folder, name, len(layer.parts) + 1)
        path.parent.mkdir(exist_ok=True)
        geometry, columns = _join_batches(layer.batches)
        self._store(path, name, layer.kind, geometry, columns, layer=name, layer_metadata=self._describe())
        layer.parts.append(LayerPart(len(geometry), shapely.total_bounds(geometry).tolist() if len(geometry) else None))
        layer.batches, layer.size = [], 0


def _join_batches(batches: Sequence[tuple[Geometries, Columns]]) -> tuple[Geometries, Columns]:
    geometry = np.concatenate([batch[0] for batch in batches])
    return geometry, {name: np.concatenate([batch[1][name] for batch in batches]) for name in batches[0][1]}


@contextmanager
def open_vector_writer(
    target: VectorTarget, source_crs: object | None, *, warnings: Sequence[str] = (), place: Reference | None = None
) -> Iterator[VectorWriter]:
    """Open a vector file or a folder for writing; it is complete only if the block ends without an exception.

    Args:
        target: the file or the folder.
        source_crs: CRS of the geometries, or None.
        warnings: of the run, stored with the metadata; may grow until a layer is written.
        place: where the features are; across the antimeridian longitudes go on beyond 180.

    Yields:
        The writer.

    Raises:
        ParameterError: the format is unknown or cannot be written on this machine.
        OutputError: the file cannot be written.
    """
    writer_class = _choose_writer(choose_format(target.path))
    with Outputs() as own_outputs:
        with ExitStack() as stack:
            writer = writer_class(target, target.outputs or own_outputs, stack, source_crs, place, warnings)
            yield writer
            writer.finish()
        own_outputs.publish()


def _choose_writer(vector_format: VectorFormat) -> type[VectorWriter]:
    if vector_format.is_folder:
        return FolderWriter
    return GeoPackageWriter if vector_format.is_geopackage else LayerFileWriter


def _widen_dtype(values: NDArray[Any]) -> NDArray[Any]:
    """Convert a column to a dtype that every format can store."""
    if values.dtype.kind in "US":
        return values.astype(object)
    if values.dtype.kind == "u":
        return values.astype(np.int64 if values.dtype.itemsize > 2 else np.int32)
    return values
