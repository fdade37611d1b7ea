"""Write layers that are too large for one file as folders of FlatGeobuf files, with an index that opens each as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree as ET

from ...fs.atomic import atomic_folder
from ..arrays import Geometries
from ..crs import Reference
from ..io.formats import VectorTarget
from ..io.writer import Columns, open_vector_writer

#: OGR's names of geometry types.
_TYPES = {"Point": "wkbPoint", "LineString": "wkbLineString", "Polygon": "wkbPolygon"}


@dataclass
class FolderWriter:
    """Write each batch of a layer to a file of its own.

    A layer ``roads`` becomes ``roads/000001.fgb`` and so on, each with a spatial index; ``roads.vrt``, which QGIS and
    GDAL open as one layer; and ``roads.qml``, its style.

    Attributes:
        folder: the folder, which is being written.
        target: final folder, CRS and metadata.
        source_crs: CRS of the geometries, or None; ``warnings`` and ``place`` as in ``open_vector_writer``.
        styles: QML documents by layer.
        paths: final path of the index of each layer.
    """

    folder: Path
    target: VectorTarget
    source_crs: object | None
    warnings: Sequence[str]
    place: Reference | None
    styles: dict[str, str] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    _indices: dict[str, ET.Element] = field(default_factory=dict)

    def write(self, layer: str, kind: str, geometry: Geometries, columns: Columns) -> None:
        """Write features to the next file of a layer; no file for no features, unless it would be the first.

        Raises:
            OutputError: the file cannot be written.
        """
        index = self._indices.setdefault(layer, ET.Element("OGRVRTUnionLayer", name=layer))
        if len(geometry) == 0 and len(index):
            return
        name = f"{len(index) + 1:06}"
        path = self.folder / layer / f"{name}.fgb"
        path.parent.mkdir(exist_ok=True)
        target = replace(self.target, path=path, names={}, outputs=None)
        with open_vector_writer(target, self.source_crs, warnings=self.warnings, place=self.place) as writer:
            writer.write(layer, kind, geometry, columns)
        part = ET.SubElement(index, "OGRVRTLayer", name=name)
        ET.SubElement(part, "SrcDataSource", relativeToVRT="1").text = f"{layer}/{name}.fgb"
        ET.SubElement(part, "GeometryType").text = _TYPES[kind]
        self.paths[layer] = self.target.path / f"{layer}.vrt"

    def finish(self) -> None:
        """Write the index and the style of each layer."""
        for layer, index in self._indices.items():
            strategy = ET.SubElement(index, "FieldStrategy")
            strategy.text = "FirstLayer"
            root = ET.Element("OGRVRTDataSource")
            root.append(index)
            ET.indent(root)
            ET.ElementTree(root).write(self.folder / f"{layer}.vrt", encoding="utf-8")
            if layer in self.styles:
                (self.folder / f"{layer}.qml").write_text(self.styles[layer], encoding="utf-8")


@contextmanager
def open_folder_writer(
    target: VectorTarget, source_crs: object | None, *, warnings: Sequence[str] = (), place: Reference | None = None
) -> Iterator[FolderWriter]:
    """Open a folder for writing, which appears only if the block ends without an exception.

    Args:
        target: the folder as ``path``; it must not have files of the same names.
        source_crs: CRS of the geometries, or None.
        warnings: see ``open_vector_writer``.
        place: likewise.

    Raises:
        OutputError: the folder cannot be written.
    """
    with atomic_folder(target.path) as folder:
        writer = FolderWriter(folder, target, source_crs, warnings, place)
        yield writer
        writer.finish()
