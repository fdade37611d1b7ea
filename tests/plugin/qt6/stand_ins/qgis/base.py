"""Application, tasks, settings, geometry, layers and the project, for ``qgis.core``."""

import enum
import threading

from osgeo import gdal, osr
from PyQt6.QtCore import QObject, QSettings, pyqtSignal
from PyQt6.QtWidgets import QApplication


def check_enum(value, kind):
    """Refuse a number or another enum where a member of ``kind`` is needed."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not a {kind.__qualname__}")
    return value


class Qgis:
    MessageLevel = enum.Enum("MessageLevel", "Info Warning Critical Success NoLevel")
    DataType = enum.Enum(
        "DataType", "Byte UInt16 Int16 UInt32 Int32 Float32 Float64 ARGB32 ARGB32_Premultiplied UnknownDataType"
    )


class QgsMessageLog:
    lines = []

    @classmethod
    def logMessage(cls, text, tag, level, notifyUser=True):
        check_enum(level, Qgis.MessageLevel)
        cls.lines.append(text)


class QgsSettings(QSettings):
    pass


class QgsApplication(QApplication):
    registry = None  # set in processing.py

    def __init__(self, arguments, has_window):
        super().__init__(arguments)
        self.setOrganizationName("QGIS")
        self.setApplicationName("QGIS4")
        self._translation = ""
        self.tasks = QgsTaskManager()

    def translation(self):
        return self._translation

    @staticmethod
    def setTranslation(name):
        QgsApplication.instance()._translation = name

    @staticmethod
    def prefixPath():
        return "/usr"

    @staticmethod
    def taskManager():
        return QgsApplication.instance().tasks

    @staticmethod
    def processingRegistry():
        return QgsApplication.registry


# ---- Tasks


class QgsTask(QObject):
    Flag = enum.Flag("Flag", "CancelWithoutPrompt CanCancel Hidden Silent")

    progressChanged = pyqtSignal(float)
    _ended = pyqtSignal(bool)

    def __init__(self, description, flags=Flag.CanCancel):
        super().__init__()
        check_enum(flags, QgsTask.Flag)
        self._cancelled, self._progress, self.thread = threading.Event(), 0.0, None
        self._ended.connect(self.finished)

    def progress(self):
        return self._progress

    def setProgress(self, percent):
        self._progress = percent
        self.progressChanged.emit(percent)

    def cancel(self):
        self._cancelled.set()

    def isCanceled(self):
        return self._cancelled.is_set()

    def waitForFinished(self, milliseconds):
        self.thread.join(milliseconds / 1000)
        return not self.thread.is_alive()


class QgsTaskManager(QObject):
    """Runs each task in a thread of its own; ``finished`` is called in the thread of the task manager."""

    def addTask(self, task):
        task.thread = threading.Thread(target=lambda: task._ended.emit(task.run()), daemon=True)
        task.thread.start()


# ---- Geometry, layers, project


class QgsCoordinateReferenceSystem:
    def __init__(self, wkt=""):
        self._wkt = wkt

    def __eq__(self, other):
        return self._wkt == other._wkt

    def __hash__(self):
        return hash(self._wkt)

    def isValid(self):
        return bool(self._wkt)

    def toWkt(self):
        return self._wkt


class QgsRectangle:
    def __init__(self, *edges):
        if len(edges) == 1:  # of another rectangle
            edges = edges[0]._edges
        self._edges = edges or (0.0, 0.0, 0.0, 0.0)

    def xMinimum(self):
        return self._edges[0]

    def yMinimum(self):
        return self._edges[1]

    def xMaximum(self):
        return self._edges[2]

    def yMaximum(self):
        return self._edges[3]

    def width(self):
        return self._edges[2] - self._edges[0]

    def height(self):
        return self._edges[3] - self._edges[1]

    def center(self):
        return QgsPointXY((self._edges[0] + self._edges[2]) / 2, (self._edges[1] + self._edges[3]) / 2)

    def isEmpty(self):
        return self.width() <= 0 or self.height() <= 0

    isNull = isEmpty

    def intersect(self, other):
        (left, bottom, right, top), others = self._edges, other._edges
        return QgsRectangle(max(left, others[0]), max(bottom, others[1]), min(right, others[2]), min(top, others[3]))


class QgsPointXY:
    def __init__(self, x, y):
        self.x, self.y = lambda: x, lambda: y


class QgsReferencedRectangle(QgsRectangle):
    def __init__(self, rectangle, crs):
        super().__init__(rectangle)
        self._crs = crs

    def crs(self):
        return self._crs


class QgsCsException(Exception):
    pass


class QgsCoordinateTransform:
    """Between equal systems only."""

    def __init__(self, source, target, project):
        if source != target:
            raise QgsCsException

    def transformBoundingBox(self, box):
        return box


class QgsMapLayer(QObject):
    LayerType = enum.Enum("LayerType", "VectorLayer RasterLayer")


class QgsRasterLayer(QgsMapLayer):
    """A file that GDAL reads."""

    def __init__(self, path, name):
        super().__init__()
        dataset = gdal.Open(path)
        left, width, _, top, _, height = dataset.GetGeoTransform()
        self._extent = QgsRectangle(left, top + height * dataset.RasterYSize, left + width * dataset.RasterXSize, top)
        reference = osr.SpatialReference(wkt=dataset.GetProjection())
        self._crs = QgsCoordinateReferenceSystem(reference.ExportToWkt())
        self._path, self._name = path, name
        self.rasterUnitsPerPixelX, self.rasterUnitsPerPixelY = (lambda: width), (lambda: -height)

    def id(self):
        return f"id of {self._name}"

    def name(self):
        return self._name

    def source(self):
        return self._path

    def extent(self):
        return self._extent

    def crs(self):
        return self._crs

    def isValid(self):
        return True

    def renderer(self):
        return None

    def dataProvider(self):
        return QgsRasterDataProvider(self._crs)


class QgsRasterDataProvider:
    def __init__(self, crs):
        self._crs = crs

    def name(self):
        return "gdal"

    def crs(self):
        return self._crs


class QgsMapLayerProxyModel:
    Filter = enum.Flag("Filter", "RasterLayer PolygonLayer LineLayer")


class QgsProject(QObject):
    layersChanged = pyqtSignal()
    _instance = None

    def __init__(self):
        super().__init__()
        self._layers = {}

    @classmethod
    def instance(cls):
        cls._instance = cls._instance or cls()
        return cls._instance

    def addMapLayer(self, layer):
        self._layers[layer.id()] = layer
        self.layersChanged.emit()
        return layer

    def removeAllMapLayers(self):
        self._layers.clear()
        self.layersChanged.emit()

    def mapLayers(self):
        return dict(self._layers)

    def mapLayer(self, identifier):
        return self._layers.get(identifier)

    def transformContext(self):
        return QgsCoordinateTransformContext()

    def layerTreeRoot(self):
        return QgsLayerTree(list(self._layers.values()))


class QgsLayerTree:
    def __init__(self, layers):
        self._layers = layers

    def layerOrder(self):
        return self._layers

    def findLayer(self, identifier):
        return None


class QgsCoordinateTransformContext:
    pass


class QgsVectorLayer(QgsMapLayer):
    """Cannot be made: the review of a layer is tested in QGIS."""

    def __init__(self, *_arguments):
        raise NotImplementedError
