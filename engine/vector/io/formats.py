"""Formats of vector files (to add one, add a row to ``FORMATS``), and the target that layers are written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import OutputError, ParameterError, VectorError, shorten
from ...fs.atomic import temp_path
from ...fs.outputs import Outputs
from ...fs.paths import find_address
from ...protocol.layer_names import ROADS, name_road_layers
from .folder import check_vector_folder, index_path
from .geopackage import ExistingGeoPackage, check_geopackage, has_content

if TYPE_CHECKING:
    from pyproj import CRS


@dataclass(frozen=True)
class VectorFormat:
    """A vector format that GDAL writes.

    Attributes:
        driver: GDAL's short name.
        suffixes: lower-case file suffixes.
        is_geopackage: whether it is a GeoPackage, which holds all layers and styles (written by ``GeoPackageWriter``);
            otherwise each layer gets a file of its own, written in one call (``LayerFileWriter``).
        is_folder: whether each layer becomes files in a folder, with an index (written by ``FolderWriter``).
        has_columns: whether features have attributes.
        crs: the only CRS of the format, into which features are transformed; None for any.
        has_metadata: whether GDAL stores metadata items with a layer.
        has_description: whether a layer has one free text instead.
        dataset_options: GDAL's dataset creation options.
        layer_options: GDAL's layer creation options.
        is_read_back: whether features are counted in the file, because GDAL does not report every error of writing it.
        limits: what the format loses of every layer, as a sentence that a run warns with; empty for nothing.
        max_file_bytes: size from which a file of the format is refused; None if unlimited.
    """

    driver: str
    suffixes: tuple[str, ...]
    is_geopackage: bool = False
    is_folder: bool = False
    has_columns: bool = True
    crs: str | None = None
    has_metadata: bool = False
    has_description: bool = False
    dataset_options: Mapping[str, str] = field(default_factory=dict)
    layer_options: Mapping[str, str] = field(default_factory=dict)
    is_read_back: bool = False
    limits: str = ""
    max_file_bytes: int | None = None


FORMATS = (
    # QGIS 3.22 with GDAL 3.6 warns about newer versions of GeoPackage.
    VectorFormat("GPKG", (".gpkg",), is_geopackage=True, has_metadata=True, dataset_options={"VERSION": "1.2"}),
    VectorFormat("FlatGeobuf", (".fgb",), has_metadata=True),
    VectorFormat("GeoJSON", (".geojson", ".json"), has_description=True),
    VectorFormat("ESRI Shapefile", (".shp",), max_file_bytes=2**31 - 1),
    VectorFormat("Parquet", (".parquet",)),
    VectorFormat("KML", (".kml",), crs="EPSG:4326", is_read_back=True),
    VectorFormat(
        "CSV",
        (".csv",),
        layer_options={"GEOMETRY": "AS_WKT"},
        is_read_back=True,
        limits="A CSV file names no CRS: remember that of the coordinates.",
    ),
    VectorFormat(
        "DXF",
        (".dxf",),
        has_columns=False,
        is_read_back=True,
        limits="A DXF file has no attributes and names no CRS.",
    ),
)

#: Of a name without a suffix, for layers that are too large for one file.
_FOLDER = VectorFormat("FlatGeobuf", (), is_folder=True, has_metadata=True)


def choose_format(path: Path) -> VectorFormat:
    """Return the format for the suffix of ``path``, which is a folder without one; needs no library.

    Raises:
        ParameterError: no format has the suffix.
    """
    if not path.suffix:
        return _FOLDER
    by_suffix = {suffix: entry for entry in FORMATS for suffix in entry.suffixes}
    chosen = by_suffix.get(path.suffix.lower())
    if chosen is None:
        raise ParameterError(
            f"{path.name} has no suffix of a vector format.",
            f"Use one of {', '.join(sorted(by_suffix))}, or a name without a dot for a folder of FlatGeobuf files.",
        )
    return chosen


def check_vector_output(path: Path) -> VectorFormat:
    """Check that the libraries on this machine can write vectors to ``path``, and return their format.

    Raises:
        ParameterError: no format has the suffix, or GDAL on this machine cannot write the format.
        VectorError: pyogrio cannot write into a folder of this name.
    """
    import pyogrio  # loaded in the background while a model is opened

    from ...fs.pyogrio_path import pyogrio_path

    chosen = choose_format(path)
    if "w" not in pyogrio.list_drivers().get(chosen.driver, ""):
        raise ParameterError(
            f"GDAL on this machine cannot write {chosen.driver}, so {path.name} cannot be written.",
            "Use .gpkg instead.",
        )
    pyogrio_path(temp_path(path))
    return chosen


def check_vector_file(path: Path) -> None:
    """Raise ``VectorError`` if there is no file ``path`` to read vectors from."""
    if address := find_address(path):
        raise VectorError(f"The vector file {address} is an address on the network.", "Download it and give the file.")
    if not path.is_file() and path.suffix.lower() != ".gdb":
        raise VectorError(f"The vector file {path} does not exist or is not a regular file.")


def check_file_sizes(path: Path, file_format: VectorFormat) -> None:
    """Raise ``OutputError`` if ``path`` or a sidecar file of it (.dbf, .shx) exceeds the format's limit."""
    limit = file_format.max_file_bytes
    if limit is not None and any(file.stat().st_size >= limit for file in path.parent.glob(f"{path.stem}.*")):
        raise OutputError(
            f"A file of the format {file_format.driver} cannot be larger than {limit / 2**30:.0f} GB.",
            "Write a GeoPackage (.gpkg) instead.",
        )


#: What SQLite and GeoPackage use for their own tables.
_RESERVED = ("gpkg_", "rtree_", "sqlite_", "layer_styles")
_MAX_NAME_BYTES = 200


@dataclass(frozen=True)
class VectorTarget:
    """The file or the folder of vector layers that a run writes.

    Attributes:
        path: the file; its suffix selects the format. A name without a suffix is a folder.
        names: the name of each layer in a GeoPackage, by the layer's own name, the main layer first; layers of a person
            that are named here are replaced. A layer that is missing here keeps its own name.
        crs: CRS of the file; None for that of the geometries.
        metadata: provenance (model, hash, parameters). Stored with the layers of a GeoPackage or FlatGeobuf and as the
            description of a GeoJSON; other formats cannot store it.
        outputs: receives the complete files and publishes them with the others of the run; None publishes them as soon
            as they are written.
    """

    path: Path
    names: Mapping[str, str] = field(default_factory=dict)
    crs: object | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    outputs: Outputs | None = None

    def choose_crs(self, source: object | None) -> CRS | None:
        """Return the CRS of the file: that of its format, the one asked for, or that of the geometries.

        Args:
            source: CRS of the geometries, or None.

        Raises:
            ParameterError: the geometries have no CRS to transform them from, or the format has another CRS.
        """
        from pyproj import CRS

        from ..crs import parse_crs

        only = choose_format(self.path).crs
        if only is not None and self.crs is not None and CRS.from_user_input(self.crs) != CRS.from_user_input(only):
            raise ParameterError(
                f"{self.path.name} cannot be in {shorten(self.crs)}: its format has no other CRS than {only}.",
                "Leave out --crs, or write another format.",
            )
        wanted = only or self.crs
        if wanted is None:
            return None if source is None else CRS.from_user_input(source)
        if parse_crs(source, "the raster") is None:
            why = f"be written as {self.path.suffix}, which is in {only}" if only else "be transformed to another"
            raise ParameterError(f"The raster has no CRS, so its vectors cannot {why}.")
        return CRS.from_user_input(wanted)

    def check_crs(self, source: object | None) -> None:
        """Check that the format can express vectors in the CRS ``source``; raises as ``choose_crs``."""
        if choose_format(self.path).crs is not None:
            self.choose_crs(source)

    @property
    def files(self) -> dict[str, Path]:
        """The file of each layer, by the layer's own name."""
        return layer_files(self.path, self.names)

    @property
    def written(self) -> list[Path]:
        """The files that are written, or the folder."""
        return self.folders or list(dict.fromkeys(self.files.values()))

    @property
    def folders(self) -> list[Path]:
        """The output, if it is a folder."""
        return [self.path] if choose_format(self.path).is_folder else []

    @property
    def extended(self) -> list[Path]:
        """The file, if it may hold further layers, which are kept."""
        return [self.path] if choose_format(self.path).is_geopackage else []

    def list_leftovers(self) -> list[str]:
        """List the layers, or their files, of an earlier road network in this place that this one does not replace."""
        if ROADS not in self.names or self.folders:
            return []
        main = self.names[ROADS]
        layers = name_road_layers(main, areas=True, changes=True)
        others = {layer: name for layer, name in layers.items() if layer not in self.names}
        if not self.extended:
            files = layer_files(self.path, layers)
            return [files[layer].name for layer in others if files[layer].exists()] if self.path.exists() else []
        if not has_content(self.path):
            return []
        with ExistingGeoPackage(self.path) as existing:
            tables = existing.list_tables()
        return [name for name in others.values() if name.lower() in tables] if main.lower() in tables else []

    def check(self, *, overwrite: bool) -> None:
        """Check, before any work, that the layers can be written.

        Args:
            overwrite: whether layers that exist in the file may be replaced.

        Raises:
            ParameterError: no format has the suffix, or a name cannot be that of a layer.
            OutputError: the file is not a GeoPackage, has such layers already, or is being changed; the folder has
                other files than layers of an earlier run, or these and ``overwrite`` is False.
        """
        for layer, name in self.names.items():
            if name != layer and not self.extended:
                raise ParameterError(
                    f"The option --layer names layers of a GeoPackage, but {self.path.name} is none.",
                    "Its layer is named after the file.",
                )
            if not name.strip() or not name.isprintable() or '"' in name or name.lower().startswith(_RESERVED):
                raise ParameterError(f"A layer cannot have the name '{shorten(name)}'.", "Choose another --layer.")
            if len(name.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
                raise ParameterError(f"The name of the layer '{shorten(name)}' is too long.", "Choose another --layer.")
        if self.extended:
            check_geopackage(self.path, list(self.names.values()), overwrite=overwrite)
        if self.folders:
            check_vector_folder(self.path, overwrite=overwrite)


def layer_files(path: Path, layers: Iterable[str]) -> dict[str, Path]:
    """Return the file of each of ``layers``: ``path``, or only for the first one where a file holds one layer."""
    names = list(layers)
    if choose_format(path).is_folder:
        return {name: index_path(path, name) for name in names}
    if choose_format(path).is_geopackage:
        return dict.fromkeys(names, path)
    return {
        name: path if index == 0 else path.with_name(f"{path.stem}_{name}{path.suffix}")
        for index, name in enumerate(names)
    }
