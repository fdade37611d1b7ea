"""GeoPackages of results: the destinations that Processing names, the layers in their files, and new ones."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsDataSourceUri,
    QgsFields,
    QgsMapLayer,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsWkbTypes,
)

from ..engine.errors import EngineError
from ..i18n import tr


@dataclass(frozen=True)
class Destination:
    """Where Processing wants the layers of a run.

    Attributes:
        path: the file, for ``parse_destination`` the absolute path of the GeoPackage.
        layer: name of the main layer; None for its own name.
    """

    path: Path
    layer: str | None = None


def parse_destination(target: str) -> Destination:
    """Return the GeoPackage, and the layer in it, that ``target`` stands for.

    Args:
        target: a file, or a layer of a GeoPackage in the form ``ogr:dbname='FILE' table="LAYER"``.

    Raises:
        EngineError: it is another format.
    """
    found = _split_target(target.lstrip())
    path = found.path.absolute()
    if path.suffix.lower() != ".gpkg":
        text = tr("The output {name} is not a GeoPackage.")
        hint = tr("Choose a name that ends in .gpkg; it holds all layers.")
        raise EngineError(text.format(name=path.name), hint)
    return Destination(path, found.layer)


def get_destination_file(value: object) -> Path | None:
    """Return the file that the value of a destination parameter names; None for a temporary or no output."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    text = value.strip() if isinstance(value, str) else ""
    return _split_target(text).path if text and text != "TEMPORARY_OUTPUT" else None


def _split_target(target: str) -> Destination:
    if not target.startswith("ogr:"):
        return Destination(Path(target))
    uri = QgsDataSourceUri(target[len("ogr:") :])
    return Destination(Path(uri.database()), uri.table() or None)


def explain_open_output(project: QgsProject | None, destinations: Iterable[object]) -> str | None:
    """Explain which output cannot be replaced on Windows because a layer of ``project`` shows it; None if none.

    Args:
        project: the project of the run, if any.
        destinations: values of destination parameters.
    """
    if sys.platform != "win32" or project is None:
        return None
    files = [file for file in map(get_destination_file, destinations) if file is not None and file.exists()]
    for layer in project.mapLayers().values() if files else ():
        shown = Path(locate_layer(layer)[0] or layer.source())
        for file in files:
            if shown.exists() and shown.samefile(file):
                text = tr(
                    "Windows cannot replace {file} while the layer {layer} shows it. "
                    "Remove the layer from the project, or choose another file."
                )
                return text.format(layer=layer.name(), file=file)
    return None


def locate_layer(layer: QgsMapLayer) -> tuple[str, str]:
    """Return the file of ``layer``, and its name in the file; empty where it has none."""
    parts = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
    return str(parts.get("path") or ""), str(parts.get("layerName") or "")


def make_geopackage_writer(
    target: Path,
    layer: str,
    fields: QgsFields,
    geometry: QgsWkbTypes.Type,
    *,
    crs: QgsCoordinateReferenceSystem,
    transforms: QgsCoordinateTransformContext,
    keep_others: bool = False,
) -> QgsVectorFileWriter:
    """Make a writer of one layer into the GeoPackage ``target``; it is complete when the writer is deleted.

    Args:
        target: the file; it is replaced, or extended with ``keep_others``.
        layer: name of the layer.
        fields: of the layer.
        geometry: of the layer.
        crs: of the layer.
        transforms: the project's transformations.
        keep_others: whether other layers of an existing file stay.
    """
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = layer
    if keep_others:
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    return QgsVectorFileWriter.create(str(target), fields, geometry, crs, transforms, options)
