"""Processing for ``qgis.core``: parameters, algorithms, their tasks and the registry."""

import enum
import tempfile
import threading
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from .base import QgsApplication, QgsCoordinateTransformContext, QgsProject, QgsRectangle, QgsTask, check_enum


class QgsProcessing:
    TEMPORARY_OUTPUT = "TEMPORARY_OUTPUT"
    SourceType = enum.Enum("SourceType", "TypeVectorAnyGeometry TypeVectorLine TypeVectorPolygon TypeRaster")


class QgsProcessingException(Exception):
    pass


class QgsProcessingFeedback(QObject):
    progressChanged = pyqtSignal(float)

    def __init__(self, logFeedback=True):
        super().__init__()
        self._cancelled = threading.Event()

    def isCanceled(self):
        return self._cancelled.is_set()

    def cancel(self):
        self._cancelled.set()

    def setProgress(self, percent):
        self.progressChanged.emit(percent)

    def setProgressText(self, text):
        pass

    pushInfo = pushWarning = pushConsoleInfo = setProgressText


class QgsProcessingContext:
    """Loads no layers: what a run writes is checked as a file."""

    def setProject(self, project):
        self._project = project

    def project(self):
        return self._project

    def setTransformContext(self, context):
        self._transforms = context

    def transformContext(self):
        return QgsCoordinateTransformContext()

    def setFeedback(self, feedback):
        self._feedback = feedback

    def layersToLoadOnCompletion(self):
        return {}


class QgsProcessingUtils:
    LayerHint = enum.Enum("LayerHint", "UnknownType Vector Raster")

    @staticmethod
    def tempFolder():
        return tempfile.gettempdir()


class QgsProcessingOutputLayerDefinition:
    def __init__(self, value, project):
        self.sink = QgsProperty(value)


class QgsProperty:
    def __init__(self, value):
        self._value = value

    def staticValue(self):
        return self._value


class QgsProcessingParameterDefinition:
    Flag = enum.Flag("Flag", "FlagAdvanced FlagHidden FlagOptional")

    def __init__(self, name, description, defaultValue=None, optional=False):
        self._name, self._description, self._default = name, description, defaultValue
        self._flags = self.Flag.FlagOptional if optional else self.Flag(0)

    def name(self):
        return self._name

    def description(self):
        return self._description

    def defaultValue(self):
        return self._default

    def flags(self):
        return self._flags

    def setFlags(self, flags):
        self._flags = check_enum(flags, QgsProcessingParameterDefinition.Flag)


class QgsProcessingParameterBoolean(QgsProcessingParameterDefinition):
    pass


class QgsProcessingParameterString(QgsProcessingParameterDefinition):
    pass


class QgsProcessingParameterRasterLayer(QgsProcessingParameterDefinition):
    pass


class QgsProcessingParameterExtent(QgsProcessingParameterDefinition):
    pass


class QgsProcessingParameterFolderDestination(QgsProcessingParameterDefinition):
    pass


class QgsProcessingParameterNumber(QgsProcessingParameterDefinition):
    Type = enum.Enum("Type", "Integer Double")

    def __init__(self, name, description, type, defaultValue, optional, minValue, maxValue):  # noqa: A002
        super().__init__(name, description, defaultValue, optional)
        check_enum(type, self.Type)
        self._minimum = minValue

    def minimum(self):
        return self._minimum

    def setMaximum(self, value):
        pass


class QgsProcessingParameterEnum(QgsProcessingParameterDefinition):
    def __init__(self, name, description, options, allowMultiple, defaultValue, optional, usesStaticStrings):
        super().__init__(name, description, defaultValue, optional)


class QgsProcessingParameterBand(QgsProcessingParameterDefinition):
    def __init__(self, name, description, defaultValue, parentLayer, optional, allowMultiple):
        super().__init__(name, description, defaultValue, optional)


class QgsProcessingParameterField(QgsProcessingParameterDefinition):
    def __init__(self, name, description, defaultValue, parentLayer, optional):
        super().__init__(name, description, defaultValue, optional)


class QgsProcessingParameterFeatureSource(QgsProcessingParameterDefinition):
    def __init__(self, name, description, types, optional=False):
        super().__init__(name, description, None, optional)
        for kind in types:
            check_enum(kind, QgsProcessing.SourceType)


class QgsProcessingParameterMultipleLayers(QgsProcessingParameterDefinition):
    def __init__(self, name, description, layerType, defaultValue=None, optional=False):
        super().__init__(name, description, defaultValue, optional)
        check_enum(layerType, QgsProcessing.SourceType)


class QgsProcessingParameterFile(QgsProcessingParameterDefinition):
    Behavior = enum.Enum("Behavior", "File Folder")

    def __init__(self, name, description, behavior, optional=False):
        super().__init__(name, description, None, optional)
        check_enum(behavior, self.Behavior)


class QgsProcessingParameterVectorDestination(QgsProcessingParameterDefinition):
    def __init__(self, name, description, type, defaultValue=None, optional=False, createByDefault=True):  # noqa: A002
        super().__init__(name, description, defaultValue, optional)
        check_enum(type, QgsProcessing.SourceType)


class QgsProcessingParameterRasterDestination(QgsProcessingParameterDefinition):
    def __init__(self, name, description, defaultValue=None, optional=False, createByDefault=True):
        super().__init__(name, description, defaultValue, optional)


class QgsProcessingOutputNumber:
    def __init__(self, name, description):
        pass


class QgsProcessingOutputVectorLayer(QgsProcessingOutputNumber):
    pass


class QgsProcessingAlgorithm:
    def __init__(self):
        self._parameters = {}

    def create(self):
        made = self.createInstance()
        made.initAlgorithm({})
        return made

    def addParameter(self, definition):
        self._parameters[definition.name()] = definition

    def addOutput(self, definition):
        pass

    def parameterDefinitions(self):
        return list(self._parameters.values())

    def parameterDefinition(self, name):
        return self._parameters.get(name)

    def destinationParameterDefinitions(self):
        kinds = QgsProcessingParameterVectorDestination, QgsProcessingParameterRasterDestination
        return [definition for definition in self._parameters.values() if isinstance(definition, kinds)]

    def checkParameterValues(self, parameters, context):
        unknown = set(parameters) - set(self._parameters)
        return not unknown, ", ".join(unknown)

    def _value(self, parameters, name):
        return parameters.get(name, self._parameters[name].defaultValue() if name in self._parameters else None)

    def parameterAsRasterLayer(self, parameters, name, context):
        return QgsProject.instance().mapLayer(parameters[name])

    def parameterAsString(self, parameters, name, context):
        return self._value(parameters, name) or ""

    parameterAsEnumString = parameterAsFile = parameterAsString

    def parameterAsLayerList(self, parameters, name, context):
        return [QgsProject.instance().mapLayer(identifier) for identifier in self._value(parameters, name) or []]

    def parameterAsBool(self, parameters, name, context):
        return bool(self._value(parameters, name))

    def parameterAsDouble(self, parameters, name, context):
        return float(self._value(parameters, name))

    def parameterAsInts(self, parameters, name, context):
        return list(self._value(parameters, name) or [])

    def parameterAsExtent(self, parameters, name, context, crs):
        return QgsRectangle(parameters[name])

    def parameterAsSource(self, parameters, name, context):
        return self._value(parameters, name)

    def parameterAsOutputLayer(self, parameters, name, context):
        value = parameters[name].sink.staticValue()
        folder = Path(tempfile.mkdtemp())
        return str(folder / "output.gpkg") if value == QgsProcessing.TEMPORARY_OUTPUT else value


class QgsProcessingAlgRunnerTask(QgsTask):
    executed = pyqtSignal(bool, dict)

    def __init__(self, algorithm, parameters, context, feedback):
        super().__init__(algorithm.displayName())
        self._run = algorithm, parameters, context, feedback
        algorithm.prepareAlgorithm(parameters, context, feedback)
        feedback.progressChanged.connect(self.setProgress)
        self._results = {}

    def run(self):
        algorithm, *values = self._run
        try:
            self._results = algorithm.processAlgorithm(*values)
        except QgsProcessingException as error:
            values[-1].reportError(str(error))
            return False
        return not values[-1].isCanceled()

    def finished(self, successful):
        self.executed.emit(successful, self._results)


class QgsProcessingProvider(QObject):
    def __init__(self):
        super().__init__()
        self.algorithms = {}

    def addAlgorithm(self, algorithm):
        self.algorithms[f"{self.id()}:{algorithm.name()}"] = algorithm


class QgsProcessingRegistry:
    def __init__(self):
        self._providers = {}

    def addProvider(self, provider):
        provider.loadAlgorithms()
        self._providers[provider.id()] = provider

    def removeProvider(self, provider):
        del self._providers[provider.id()]

    def providerById(self, identifier):
        return self._providers.get(identifier)

    def algorithmById(self, identifier):
        return self._providers[identifier.split(":")[0]].algorithms[identifier]


QgsApplication.registry = QgsProcessingRegistry()
