"""Formats of vector files: drivers and their limits. To add a format, add a row to ``FORMATS``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import OutputError, ParameterError, VectorError
from ...fs.atomic import temp_path
from ...fs.paths import find_address


@dataclass(frozen=True)
class VectorFormat:
    """A vector format that GDAL writes.

    Attributes:
        driver: GDAL's short name.
        suffixes: lower-case file suffixes.
        is_multi_layer: whether a file holds several layers (written by ``GeoPackageWriter``); otherwise each layer gets
            a file of its own, written in one call.
        has_metadata: whether GDAL stores metadata items with a layer.
        has_description: whether a layer has one free text instead.
        dataset_options: GDAL's dataset creation options.
        max_file_bytes: size from which a file of the format is refused; None if unlimited.
    """

    driver: str
    suffixes: tuple[str, ...]
    is_multi_layer: bool = False
    has_metadata: bool = False
    has_description: bool = False
    dataset_options: Mapping[str, str] = field(default_factory=dict)
    max_file_bytes: int | None = None


FORMATS = (
    # QGIS 3.22 with GDAL 3.6 warns about newer versions of GeoPackage.
    VectorFormat("GPKG", (".gpkg",), is_multi_layer=True, has_metadata=True, dataset_options={"VERSION": "1.2"}),
    VectorFormat("FlatGeobuf", (".fgb",), has_metadata=True),
    VectorFormat("GeoJSON", (".geojson", ".json"), has_description=True),
    VectorFormat("ESRI Shapefile", (".shp",), max_file_bytes=2**31 - 1),
    VectorFormat("Parquet", (".parquet",)),
)


def choose_format(path: Path) -> VectorFormat:
    """Return the format for the suffix of ``path``; needs no library.

    Raises:
        ParameterError: no format has the suffix.
    """
    by_suffix = {suffix: entry for entry in FORMATS for suffix in entry.suffixes}
    chosen = by_suffix.get(path.suffix.lower())
    if chosen is None:
        raise ParameterError(
            f"{path.name} has no suffix of a vector format.", f"Use one of {', '.join(sorted(by_suffix))}."
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
