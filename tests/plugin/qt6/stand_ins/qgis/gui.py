"""Stand-ins for ``qgis.gui``: the widgets of the dialogs, the message bar, the map and the options page."""

import enum

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .core import Qgis, QgsCoordinateReferenceSystem, QgsMapLayerProxyModel, QgsProject, QgsRectangle, check_enum


class QgsFileWidget(QWidget):
    StorageMode = enum.Enum("StorageMode", "GetFile GetDirectory GetMultipleFiles SaveFile")

    fileChanged = pyqtSignal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._line, button = QLineEdit(self), QToolButton(self)
        row.addWidget(self._line)
        row.addWidget(button)
        self._line.textChanged.connect(self.fileChanged)

    def setStorageMode(self, mode):
        check_enum(mode, self.StorageMode)

    def setFilter(self, text):
        self._filter = text

    def lineEdit(self):
        return self._line

    def filePath(self):
        return self._line.text()

    def setFilePath(self, path):
        self._line.setText(path)


class QgsMapLayerComboBox(QComboBox):
    """Lists the raster layers of the project; a filter for polygons lists none."""

    layerChanged = pyqtSignal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._filter = QgsMapLayerProxyModel.Filter.RasterLayer
        self.currentIndexChanged.connect(lambda _index: self.layerChanged.emit(self.currentLayer()))

    def setFilters(self, filters):
        self._filter = check_enum(filters, QgsMapLayerProxyModel.Filter)
        self.clear()
        if filters is QgsMapLayerProxyModel.Filter.RasterLayer:
            for layer in QgsProject.instance().mapLayers().values():
                self.addItem(layer.name(), layer)

    def setAllowEmptyLayer(self, allow):
        self._allows_none = allow

    def currentLayer(self):
        return self.currentData()

    def setLayer(self, layer):
        self.setCurrentIndex(-1 if layer is None else self.findText(layer.name()))


class QgsCollapsibleGroupBox(QGroupBox):
    collapsedStateChanged = pyqtSignal(bool)

    def setCollapsed(self, collapsed):
        for child in self.findChildren(QWidget):
            child.setVisible(not collapsed)
        self.collapsedStateChanged.emit(collapsed)


class QgsDockWidget(QDockWidget):
    def setUserVisible(self, visible):
        self.setVisible(visible)


class QgsRubberBand:
    """Marks nothing."""

    def __init__(self, canvas):
        self.shown = None

    def setColor(self, color):
        self._color = color

    def setWidth(self, width):
        self._width = width

    def setVisible(self, visible):
        self._visible = visible

    def setToGeometry(self, geometry, layer):
        self.shown = geometry


class QgsScrollArea(QScrollArea):
    pass


class QgsOptionsPageWidget(QWidget):
    pass


class QgsOptionsWidgetFactory(QObject):
    def setTitle(self, title):
        self._title = title

    def setIcon(self, icon):
        self._icon = icon


# ---- Map


class QgsMapSettings:
    def destinationCrs(self):
        return QgsCoordinateReferenceSystem()


class QgsMapCanvas(QWidget):
    _tool = None

    def setExtent(self, extent):
        self._extent = extent

    def refresh(self):
        pass

    def scene(self):
        return self

    def removeItem(self, item):
        pass

    def extent(self):
        return QgsRectangle(0.0, 0.0, 10.0, 10.0)

    def mapSettings(self):
        return QgsMapSettings()

    def mapTool(self):
        return self._tool

    def setMapTool(self, tool):
        self._tool = tool

    def unsetMapTool(self, tool):
        self._tool = None


class QgsMapToolExtent(QObject):
    extentChanged = pyqtSignal(QgsRectangle)


# ---- Message bar


class QgsMessageBarItem(QWidget):
    def __init__(self, content, text=""):
        super().__init__()
        self._text, self._duration, self._level = text, 0, None
        row = QHBoxLayout(self)
        row.addWidget(content)

    def text(self):
        return self._text

    def setText(self, text):
        self._text = text

    def level(self):
        return self._level


class QgsMessageBar(QFrame):
    def __init__(self, parent=None):
        super().__init__(parent)
        QVBoxLayout(self)
        self._items = []

    @staticmethod
    def createMessage(*content):
        if len(content) == 1:
            return QgsMessageBarItem(content[0])
        title, text = content
        return QgsMessageBarItem(QLabel(f"<b>{title}</b> {text}"), text)

    def pushWidget(self, item, level):
        item._level = check_enum(level, Qgis.MessageLevel)
        self._items.append(item)
        self.layout().addWidget(item)

    def pushMessage(self, title, text, level, duration=-1):
        self.pushWidget(self.createMessage(title, text), level)

    def popWidget(self, item=None):
        item = item or self._items[-1]
        self._items.remove(item)
        item.deleteLater()

    def currentItem(self):
        return self._items[-1] if self._items else None
