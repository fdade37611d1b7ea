"""Results in the project: styled, described and grouped in the layer tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsLayerTreeGroup,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QDateTime, Qt

from ...engine.protocol.layer_names import name_layer
from ..i18n import tr
from ..paths import STYLES
from .geopackage import parse_destination

#: Name of a class that is not shown: what a model of one class does not find.
BACKGROUND = "background"


@dataclass(frozen=True)
class LayerPresentation:
    """How a result layer is presented.

    Attributes:
        style: name of the QML in ``resources/styles``; empty to keep the one in the file.
        group: name of its group in the layer tree; empty for none.
        title: its name, and its title in the metadata.
        facts: what it was made with, by name; for the metadata.
        is_visible: whether it is shown at first.
        is_raster: whether it is a raster, which QGIS would else try to open as vectors first, and log errors.
    """

    style: str
    group: str
    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_visible: bool = True
    is_raster: bool = False


def style_layer(layer: QgsMapLayer, presentation: LayerPresentation) -> None:
    """Style and describe ``layer``. Call it in the GUI thread."""
    style = STYLES / f"{presentation.style}.qml"
    if presentation.style and style.is_file():
        layer.loadNamedStyle(str(style))
    elif isinstance(layer, QgsRasterLayer):
        hide_background(layer)
    metadata = layer.metadata()
    metadata.setTitle(presentation.title)
    metadata.setAbstract("\n".join(f"{name}: {value}" for name, value in presentation.facts.items()))
    made = f"TerraSpore, {QDateTime.currentDateTime().toString(Qt.DateFormat.ISODate)}"
    metadata.setHistory([*metadata.history(), made])
    metadata.setCrs(layer.crs())
    layer.setMetadata(metadata)
    layer.triggerRepaint()


def hide_background(layer: QgsRasterLayer) -> None:
    """Make the class ``background`` of a class raster transparent; other rasters stay as they are."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return
    classes = renderer.classes()
    for entry in classes:
        if entry.label.lower() == BACKGROUND:
            color = entry.color
            color.setAlpha(0)
            entry.color = color
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), renderer.band(), classes))


def group_layer(project: QgsProject, layer: QgsMapLayer, presentation: LayerPresentation) -> None:
    """Move ``layer`` into its group at the top of the layer tree. Call it in the GUI thread."""
    root = project.layerTreeRoot()
    node = root.findLayer(layer.id())
    if node is None:
        return
    node.setItemVisibilityChecked(presentation.is_visible)
    node.setExpanded(False)
    if not presentation.group:
        return
    groups = (child for child in root.children() if isinstance(child, QgsLayerTreeGroup))
    group = next((group for group in groups if group.name() == presentation.group), None)
    if group is None:
        group = root.insertGroup(0, presentation.group)
    if node.parent() != group:
        group.addChildNode(node.clone())
        node.parent().removeChildNode(node)


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles and groups a layer that Processing has loaded.

    Args:
        presentation: how the layer is presented.
    """

    #: Processing does not keep its post-processors alive, so each keeps itself until ``release``.
    _alive: set[LayerStyler] = set()  # noqa: RUF012

    def __init__(self, presentation: LayerPresentation) -> None:
        super().__init__()
        self.presentation = presentation
        self._alive.add(self)

    def postProcessLayer(  # noqa: N802
        self, layer: QgsMapLayer, context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> None:
        """Style ``layer``, and group it if it is in a project already."""
        style_layer(layer, self.presentation)
        project = context.project()
        if project is not None and not sip.isdeleted(project):
            group_layer(project, layer, self.presentation)
        self.release()

    def release(self) -> None:
        """Allow this to be deleted."""
        self._alive.discard(self)


def load_on_completion(
    context: QgsProcessingContext, destination: str, source: str, output: str, presentation: LayerPresentation
) -> None:
    """Load and style the layer ``source`` at the end of a run, if ``destination`` was to be loaded.

    Args:
        context: the run's context.
        destination: the destination for which Processing was asked to load the result.
        source: the layer in it, as QGIS opens it.
        output: the output's name.
        presentation: how it is presented.
    """
    layers = context.layersToLoadOnCompletion()
    wanted = layers.pop(destination, None)
    if wanted is not None:
        layers[source] = _make_details(wanted.project, output, presentation)
        context.setLayersToLoadOnCompletion(layers)


def load_additional_layer(
    context: QgsProcessingContext, source: str, output: str, presentation: LayerPresentation
) -> None:
    """Load and style ``source`` too, if any result of the run is loaded."""
    layers = context.layersToLoadOnCompletion()
    project = next((details.project for details in layers.values() if details.project is not None), None)
    if project is not None:
        layers[source] = _make_details(project, output, presentation)
        context.setLayersToLoadOnCompletion(layers)


def _make_details(
    project: QgsProject, output: str, presentation: LayerPresentation
) -> QgsProcessingContext.LayerDetails:
    hints = QgsProcessingUtils.LayerHint
    hint = hints.Raster if presentation.is_raster else hints.Vector
    details = QgsProcessingContext.LayerDetails(presentation.title, project, output, hint)
    details.forceName = True
    if hasattr(details, "groupName"):  # since 3.32
        details.groupName = presentation.group
    details.setPostProcessor(LayerStyler(presentation))
    return details


def load_vector_layers(
    context: QgsProcessingContext,
    target: str,
    layers: Mapping[str, tuple[str, str]],
    group: str,
    facts: Mapping[str, Any],
) -> dict[str, str]:
    """Load the layers of a run's GeoPackage into the project, where its main layer is to be loaded.

    Args:
        context: the run's context.
        target: the destination, as Processing gives it.
        layers: output's name -> (layer, which is also its style, and its English name): the main one first, and
            further ones, which are loaded but not shown if the run has written them.
        group: name of the layers' group.
        facts: what they were made with.

    Returns:
        The sources of the layers by the output's name.
    """
    destination = parse_destination(target)
    path = destination.path
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_READONLY)
    written = {dataset.GetLayer(index).GetName() for index in range(dataset.GetLayerCount())} if dataset else set()
    main = next(iter(layers))
    names = {name: name_layer(layer, destination.layer) for name, (layer, _) in layers.items()}
    sources = {name: f"{path}|layername={layer}" for name, layer in names.items() if name == main or layer in written}
    for name, source in reversed(list(sources.items())):  # the first comes out on top
        layer, title = layers[name]
        presentation = LayerPresentation(layer, group, tr(title), facts, is_visible=name == main)
        if name == main:
            load_on_completion(context, target, source, name, presentation)
        else:
            load_additional_layer(context, source, name, presentation)
    return sources
