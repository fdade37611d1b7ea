"""Folders of FlatGeobuf files, for layers that are too large for one file, with an index that opens each as one.

A layer ``roads`` is ``roads/000001.fgb`` and so on, each with a spatial index; ``roads.vrt``, which QGIS and GDAL open
as one layer; and ``roads.qml``, its style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from ...errors import OutputError
from ...fs.atomic import translate_os_errors
from ...fs.paths import resolve_links

_INDEX, _STYLE = ".vrt", ".qml"
#: In an index that TerraSpore has written, by which it knows a folder of an earlier run.
_MARK = "Written by TerraSpore"
_PART = re.compile(r"[0-9]{6,}\.fgb")
#: Bytes of a file in which the mark is looked for.
_HEAD = 1000


@dataclass(frozen=True)
class LayerPart:
    """One file of a layer.

    Attributes:
        features: how many it has.
        bounds: west, south, east, north; None without features.
    """

    features: int
    bounds: Sequence[float] | None


def index_path(folder: Path, layer: str) -> Path:
    """Return the file that opens all files of a layer as one."""
    return folder / f"{layer}{_INDEX}"


def part_path(folder: Path, layer: str, number: int) -> Path:
    """Return the file number ``number`` of a layer, from 1."""
    return folder / layer / f"{number:06}.fgb"


def write_index(
    folder: Path, layer: str, kind: str, parts: Sequence[LayerPart], metadata: Mapping[str, str], *, style: str | None
) -> None:
    """Write the index of a layer, and its style if it has one.

    Args:
        folder: the folder with the files of the layer.
        layer: its name.
        kind: "Point", "LineString" or "Polygon".
        parts: what its files have, in the order of their numbers.
        metadata: how the layer was made.
        style: a QML document.
    """
    root = ET.Element("OGRVRTDataSource")
    root.append(ET.Comment(f" {_MARK}. "))
    if metadata:
        items = ET.SubElement(root, "Metadata")
        for key, value in metadata.items():
            ET.SubElement(items, "MDI", key=key).text = value
    union = ET.SubElement(root, "OGRVRTUnionLayer", name=layer)
    for number, part in enumerate(parts, 1):
        path = part_path(folder, layer, number)
        source = ET.SubElement(union, "OGRVRTLayer", name=path.stem)
        name = path.relative_to(folder).as_posix()
        ET.SubElement(source, "SrcDataSource", relativeToVRT="1").text = name
        ET.SubElement(source, "SrcLayer").text = layer
        _describe(source, kind, [part])
    ET.SubElement(union, "FieldStrategy").text = "FirstLayer"
    _describe(union, kind, parts)
    ET.indent(root)
    ET.ElementTree(root).write(index_path(folder, layer), encoding="utf-8")
    if style is not None:
        (folder / f"{layer}{_STYLE}").write_text(style, encoding="utf-8")


def _describe(element: ET.Element, kind: str, parts: Sequence[LayerPart]) -> None:
    """Add what GDAL would otherwise open all files for: type, number of features and extent."""
    ET.SubElement(element, "GeometryType").text = f"wkb{kind}"
    ET.SubElement(element, "FeatureCount").text = str(sum(part.features for part in parts))
    bounds = [part.bounds for part in parts if part.bounds is not None]
    if bounds:
        west, south, east, north = zip(*bounds, strict=True)
        extent = {"XMin": min(west), "YMin": min(south), "XMax": max(east), "YMax": max(north)}
        for name, value in extent.items():
            ET.SubElement(element, f"Extent{name}").text = repr(float(value))


def check_vector_folder(path: Path, *, overwrite: bool) -> None:
    """Check what a folder has that is about to be replaced.

    Args:
        path: the folder; need not exist.
        overwrite: whether layers of an earlier run may be replaced.

    Raises:
        OutputError: it has layers that may not be replaced, or anything else.
    """
    with translate_os_errors(path):
        real = resolve_links(path)
        entries = sorted(real.iterdir()) if real.is_dir() else []
        foreign = next(_find_foreign(entries), None)
    if foreign is not None:
        raise OutputError(
            f"The folder {path} has files of its own: {foreign.relative_to(real)}.",
            "Choose a folder that does not exist or is empty, or a name with .gpkg for one file.",
        )
    if entries and not overwrite:
        raise OutputError(
            f"The folder {path} has layers of an earlier run.", "Choose another name, or add --overwrite to replace it."
        )


@contextmanager
def keep_foreign_files(path: Path) -> Iterator[None]:
    """Guard a folder that is being replaced: a person may have put files there during the run.

    Raises:
        OutputError: it has more than layers.
    """
    check_vector_folder(path, overwrite=True)
    yield


def _find_foreign(entries: Sequence[Path]) -> Iterator[Path]:
    """Yield what is not a part of a layer that TerraSpore has written."""
    layers = {entry.stem for entry in entries if entry.suffix == _INDEX and _has_mark(entry)}
    for entry in entries:
        if entry.is_symlink() or entry.name.removesuffix(entry.suffix) not in layers:
            yield entry
        elif entry.is_dir():
            yield from (file for file in entry.iterdir() if not _PART.fullmatch(file.name) or not file.is_file())
        elif entry.suffix not in (_INDEX, _STYLE):
            yield entry


def _has_mark(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return _MARK.encode() in file.read(_HEAD)
