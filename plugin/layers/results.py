"""Results in the project: styled, described and grouped in the layer tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qgis.core import (
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QDateTime, Qt

from ..paths import STYLES


@dataclass(frozen=True)
class Dress:
    """How a result layer is presented.

    Attributes:
        style: name of the QML in ``resources/styles``; empty to keep the one in the file.
        group: name of its group in the layer tree; empty for none.
        title: its title in the metadata.
        facts: what it was made with, by name.
        visible: whether it is shown at first.
    """

    style: str
    group: str
    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    visible: bool = True


def dress_layer(layer: QgsMapLayer, dress: Dress) -> None:
    """Style and describe ``layer``. Called in the GUI thread."""
    style = STYLES / f"{dress.style}.qml"
    if dress.style and style.is_file():
        layer.loadNamedStyle(str(style))
    metadata = layer.metadata()
    metadata.setTitle(dress.title)
    metadata.setAbstract("\n".join(f"{name}: {value}" for name, value in dress.facts.items()))
    metadata.setHistory([*metadata.history(), _made()])
    metadata.setCrs(layer.crs())
    layer.setMetadata(metadata)
    layer.triggerRepaint()


def group_layer(project: QgsProject, layer: QgsMapLayer, dress: Dress) -> None:
    """Move ``layer`` into its group at the top of the layer tree. Called in the GUI thread."""
    root = project.layerTreeRoot()
    node = root.findLayer(layer.id())
    if node is None:
        return
    node.setItemVisibilityChecked(dress.visible)
    node.setExpanded(False)
    if not dress.group:
        return
    group = find_group(root, dress.group)
    if node.parent() != group:
        moved = node.clone()
        group.addChildNode(moved)
        node.parent().removeChildNode(node)


def find_group(root: QgsLayerTreeGroup, name: str) -> QgsLayerTreeGroup:
    """The group ``name`` at the top of the tree; made where there is none."""
    for child in root.children():
        if isinstance(child, QgsLayerTreeGroup) and not isinstance(child, QgsLayerTreeLayer) and child.name() == name:
            return child
    return root.insertGroup(0, name)


class Dresser(QgsProcessingLayerPostProcessorInterface):
    """Dresses and groups a layer that Processing has loaded.

    Args:
        dress: how.
    """

    #: Processing does not keep its post-processors alive; each keeps itself until it has done its work.
    _alive: set[Dresser] = set()  # noqa: RUF012

    def __init__(self, dress: Dress) -> None:
        super().__init__()
        self.dress = dress
        self._alive.add(self)

    def postProcessLayer(  # noqa: N802
        self, layer: QgsMapLayer, context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> None:
        """Dress ``layer``, and group it where it is in a project already."""
        dress_layer(layer, self.dress)
        project = context.project()
        if project is not None and not sip.isdeleted(project):
            group_layer(project, layer, self.dress)
        self.forget()

    def forget(self) -> None:
        """Do not keep this alive any longer."""
        self._alive.discard(self)


def load_on_completion(context: QgsProcessingContext, path: str, source: str, output: str, dress: Dress) -> None:
    """Have the layer ``source`` loaded and dressed at the end of a run, where ``path`` was to be loaded.

    Args:
        context: the run's context.
        path: the destination for which Processing was asked to load the result.
        source: the layer in it, as QGIS opens it.
        output: the output's name.
        dress: how it is presented; its title is the layer's name.
    """
    layers = context.layersToLoadOnCompletion()
    wanted = layers.pop(path, None)
    if wanted is not None:
        layers[source] = _details(wanted.project, output, dress)
        context.setLayersToLoadOnCompletion(layers)


def load_beside(context: QgsProcessingContext, source: str, output: str, dress: Dress) -> None:
    """Have ``source`` loaded too, where any result of the run is loaded."""
    layers = context.layersToLoadOnCompletion()
    project = next((details.project for details in layers.values() if details.project is not None), None)
    if project is not None:
        layers[source] = _details(project, output, dress)
        context.setLayersToLoadOnCompletion(layers)


def _details(project: QgsProject, output: str, dress: Dress) -> QgsProcessingContext.LayerDetails:
    details = QgsProcessingContext.LayerDetails(dress.title, project, output)
    details.forceName = True
    if hasattr(details, "groupName"):  # since 3.32
        details.groupName = dress.group
    details.setPostProcessor(Dresser(dress))
    return details


def _made() -> str:
    return f"TerraSpore, {QDateTime.currentDateTime().toString(Qt.DateFormat.ISODate)}"
