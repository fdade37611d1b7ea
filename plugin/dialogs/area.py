"""The choice of the area: whole layer, visible part, a drawn rectangle, selected polygons."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsMapLayerProxyModel,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
)
from qgis.gui import QgsMapCanvas, QgsMapLayerComboBox, QgsMapToolExtent
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from ..i18n import tr

WHOLE, VISIBLE, RECTANGLE, POLYGONS = range(4)


class AreaWidget(QWidget):
    """Choice of the area; provides it as parameters of the algorithms.

    Args:
        canvas: the map, for its visible part and for drawing.
        parent: the dialog; it is hidden while a rectangle is drawn.
    """

    changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: QWidget) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._rectangle: QgsReferencedRectangle | None = None
        self._tool: QgsMapToolExtent | None = None
        self._tool_before: Any = None
        self.kind = QComboBox(self)
        self.kind.addItems(
            [tr("Whole layer"), tr("Visible part of the map"), tr("Rectangle"), tr("Polygons of a layer")]
        )
        self.polygons = QgsMapLayerComboBox(self)
        self.polygons.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer)
        self._draw = QPushButton(tr("Draw on the map"), self)
        self._drawn = QLabel(tr("not drawn yet"), self)
        self._stack = QStackedWidget(self)
        self._lay_out()
        self.kind.currentIndexChanged.connect(self._kind_changed)
        self.polygons.layerChanged.connect(self.changed)
        self._draw.clicked.connect(self._start_drawing)

    def _lay_out(self) -> None:
        drawing = QWidget(self)
        row = QHBoxLayout(drawing)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._draw)
        row.addWidget(self._drawn, 1)
        for page in (drawing, self.polygons):
            self._stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.kind)
        column.addWidget(self._stack)
        self._stack.hide()

    def _kind_changed(self, kind: int) -> None:
        self._stack.setVisible(kind in (RECTANGLE, POLYGONS))
        self._stack.setCurrentIndex(int(kind == POLYGONS))
        if kind == RECTANGLE and self._rectangle is None:
            self._start_drawing()
        self.changed.emit()

    def parameters(self) -> dict[str, Any]:
        """Return ``EXTENT`` or ``AREA`` for the algorithms; neither for the whole layer."""
        kind = self.kind.currentIndex()
        if kind == VISIBLE:
            return {"EXTENT": QgsReferencedRectangle(self._canvas.extent(), self._canvas_crs())}
        if kind == RECTANGLE and self._rectangle is not None:
            return {"EXTENT": self._rectangle}
        layer = self.polygons.currentLayer()
        if kind == POLYGONS and layer is not None:
            selected = layer.selectedFeatureCount() > 0
            return {"AREA": QgsProcessingFeatureSourceDefinition(layer.id(), selected)}
        return {}

    def explain_problem(self) -> str:
        """Return why the choice is incomplete; empty where it is complete."""
        kind = self.kind.currentIndex()
        if kind == RECTANGLE and self._rectangle is None:
            return tr("Draw a rectangle on the map.")
        if kind == POLYGONS and self.polygons.currentLayer() is None:
            return tr("There is no polygon layer in the project.")
        return ""

    def get_extent_in(self, layer: QgsRasterLayer) -> QgsRectangle:
        """Return the part of the area's extent within ``layer``, in its CRS; empty where they do not intersect."""
        parameters = self.parameters()
        box, crs = layer.extent(), layer.crs()
        if "EXTENT" in parameters:
            box, crs = parameters["EXTENT"], parameters["EXTENT"].crs()
        elif "AREA" in parameters:
            polygons = self.polygons.currentLayer()
            selected = polygons.selectedFeatureCount() > 0
            box = polygons.boundingBoxOfSelected() if selected else polygons.extent()
            crs = polygons.crs()
        try:
            transform = QgsCoordinateTransform(crs, layer.crs(), QgsProject.instance())
            return transform.transformBoundingBox(QgsRectangle(box)).intersect(layer.extent())
        except QgsCsException:
            return QgsRectangle()

    def stop_drawing(self) -> None:
        """Restore the map's former tool."""
        if self._tool is not None:
            tool, self._tool = self._tool, None
            self._canvas.setMapTool(self._tool_before) if self._tool_before else self._canvas.unsetMapTool(tool)

    def _canvas_crs(self) -> Any:
        return self._canvas.mapSettings().destinationCrs()

    def _start_drawing(self) -> None:
        self._tool_before = self._canvas.mapTool()
        self._tool = QgsMapToolExtent(self._canvas)
        self._tool.extentChanged.connect(self._set_rectangle)
        self._canvas.setMapTool(self._tool)
        self.window().hide()

    def _set_rectangle(self, extent: QgsRectangle) -> None:
        self.stop_drawing()
        self.window().show()
        if extent.isEmpty():
            return
        self._rectangle = QgsReferencedRectangle(extent, self._canvas_crs())
        self._drawn.setText(f"{extent.width():.6g} × {extent.height():.6g}")
        self.changed.emit()
