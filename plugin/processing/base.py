"""Base class of the algorithms: reads their layers and parameters, runs the engine, turns failures into sentences."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
)
from qgis.PyQt.QtGui import QIcon

from ...engine.protocol.messages import Result
from ...engine.protocol.options import ImageOptions, RuntimeOptions
from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from ..layers.geopackage import explain_open_output
from ..layers.sources import LayerSource, require_local_file, resolve_layer
from ..paths import icon_path
from .feedback import FeedbackReporter
from .inputs import RunInputs
from .option_titles import list_titles, name_options_of_error, name_options_of_result


class EngineAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that runs a command of the engine.

    Args:
        plugin: the engine's processes and the settings.
    """

    ID = ""
    TITLE = ""
    ICON = ""
    TAGS = ""
    HELP = ""
    #: Whether INPUT must be a file; other layers are fetched.
    NEEDS_FILE = False
    #: The layer INPUT, since ``prepareAlgorithm``, and the layers below it in a mosaic.
    source: LayerSource
    further: Sequence[LayerSource] = ()

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self.plugin = plugin

    def createInstance(self) -> EngineAlgorithm:  # noqa: N802
        """Make a new algorithm of the same kind: QGIS does so for each run."""
        return type(self)(self.plugin)

    def name(self) -> str:
        """Return the identifier for scripts, without ``terraspore:``."""
        return self.ID

    def displayName(self) -> str:  # noqa: N802
        """Return the name in the user's language."""
        return tr(self.TITLE)

    def shortHelpString(self) -> str:  # noqa: N802
        """Return the text beside the parameters."""
        return tr(self.HELP)

    def shortDescription(self) -> str:  # noqa: N802
        """Return the first sentence of the help, for the toolbox's tool tip."""
        return tr(self.HELP).split(". ")[0]

    def tags(self) -> list[str]:
        """Return search terms in English and in the user's language."""
        return [*self.TAGS.split(","), *tr(self.TAGS).split(",")]

    def icon(self) -> QIcon:
        """Return the algorithm's icon."""
        return QIcon(icon_path(self.ICON))

    def svgIconPath(self) -> str:  # noqa: N802
        """Return the icon's path."""
        return icon_path(self.ICON)

    def helpUrl(self) -> str:  # noqa: N802
        """Return the address of the Help button."""
        return "https://github.com/terraspore/terraspore/blob/main/docs/plugin.md"

    def canExecute(self) -> tuple[bool, str]:  # noqa: N802
        """Return whether there is an engine, and what to do where there is none."""
        missing = explain_missing_engine(self.plugin.get_settings())
        return missing is None, missing or ""

    def prepareAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Call ``prepare``, in the thread of the layers; a failure becomes one sentence."""
        try:
            self.prepare(RunInputs(self, parameters, context, feedback))
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def prepare(self, inputs: RunInputs) -> None:
        """Read the properties of the layers INPUT and MORE that a run needs.

        Raises:
            EngineError: there is no such layer, or it cannot be used; an output cannot be replaced.
        """
        outputs = [inputs.parameters.get(definition.name()) for definition in self.destinationParameterDefinitions()]
        if (problem := explain_open_output(inputs.context.project(), outputs)) is not None:
            raise EngineError(problem)
        layer = inputs.get_raster_layer("INPUT")
        self.source = resolve_layer(layer)
        if self.parameterDefinition("MORE") is not None:
            self.further = [resolve_layer(each) for each in inputs.get_layers("MORE") if each.id() != layer.id()]
        if self.NEEDS_FILE:
            require_local_file(layer)

    def processAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Call ``compute`` with a private temporary folder; every failure becomes one sentence."""
        folder = Path(tempfile.mkdtemp(prefix="terraspore-", dir=QgsProcessingUtils.tempFolder()))
        try:
            return self.compute(RunInputs(self, parameters, context, feedback), folder)
        except EngineCancelledError:
            return {}
        except EngineError as error:
            for line in error.details.splitlines():
                feedback.pushConsoleInfo(line)
            raise QgsProcessingException(str(error)) from error
        except RuntimeError as error:  # of GDAL, where another plugin has enabled its exceptions
            raise QgsProcessingException(
                tr("A raster could not be read or written: {why}").format(why=error)
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Run the algorithm, in a worker thread.

        Args:
            inputs: the parameters.
            folder: a private folder that is removed afterwards.

        Returns:
            The outputs by name.

        Raises:
            EngineError: the run failed.
        """
        raise NotImplementedError

    def make_default_options(self) -> tuple[ImageOptions, RuntimeOptions]:
        """Make the options of a run as the settings have them; None and ``auto`` leave the choice to the engine."""
        settings = self.plugin.get_settings()
        return (
            ImageOptions(tile=settings.tile or None, memory=settings.memory or None),
            RuntimeOptions(
                device=settings.device or "auto", runtime=settings.runtime or "auto", threads=settings.threads or None
            ),
        )

    def run_engine(self, arguments: list[str], feedback: QgsProcessingFeedback, start: float = 0.0) -> Result:
        """Run the engine with ``arguments``, and report its events to ``feedback``.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        result = self.call_engine(arguments, FeedbackReporter(feedback, start), feedback.isCanceled)
        feedback.pushInfo(result.text)
        return result

    def call_engine(self, arguments: list[str], reporter: FeedbackReporter, is_cancelled: Callable[[], bool]) -> Result:
        """Run the engine; its sentences name the options by the titles of this algorithm's parameters.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        titles = list_titles(self)
        try:
            result = self.plugin.run_engine(arguments, reporter.make_listener(titles), is_cancelled)
        except EngineError as error:
            name_options_of_error(error, titles)
            raise
        return name_options_of_result(result, titles)

    def describe_result(self, result: Result, model: str | None = None) -> dict[str, Any]:
        """Return what the metadata of the result's layers say: the layer, the model, the figures and the warnings."""
        facts: dict[str, Any] = {tr("Image"): self.source.name}
        if model is not None:
            facts[tr("Model")] = model
        if result.warnings:
            facts[tr("Warnings")] = " ".join(result.warnings)
        return {**facts, **result.summary}
