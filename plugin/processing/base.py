"""What all algorithms share: resolving the layer, running the engine, handing over results."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsCoordinateTransform,
    QgsFeatureSource,
    QgsGeometry,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRectangle,
)
from qgis.PyQt.QtGui import QIcon

from ...engine.protocol.messages import Plan, Result
from ..context import PluginContext
from ..engine.environment import explain_missing_engine, get_cache_folder
from ..engine.errors import EngineCancelledError, EngineError
from ..engine.models import ModelInfo
from ..i18n import tr
from ..layers.sources import FetchRequest, LayerSource, fetch, resolve_layer, with_crs
from ..paths import icon_path
from .areas import area_geometry, keep_area
from .arguments import Options, plan_words
from .feedback import FeedbackListener

#: Share of the progress bar for fetching a layer that is no file.
FETCH_SHARE = 0.4


class EngineAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that the engine carries out.

    Args:
        plugin: the engine's processes and the settings.
    """

    ID = ""
    TITLE = ""
    ICON = ""
    TAGS = ""
    HELP = ""

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self.plugin = plugin

    def createInstance(self) -> EngineAlgorithm:  # noqa: N802
        """A new algorithm of the same kind: QGIS makes one for each run."""
        return type(self)(self.plugin)

    def name(self) -> str:
        """What scripts call the algorithm, behind ``terraspore:``."""
        return self.ID

    def displayName(self) -> str:  # noqa: N802
        """The name in the person's language."""
        return tr(self.TITLE)

    def shortHelpString(self) -> str:  # noqa: N802
        """The text beside the parameters."""
        return tr(self.HELP)

    def shortDescription(self) -> str:  # noqa: N802
        """The first sentence of it, for the toolbox's tool tip."""
        return tr(self.HELP).split(". ")[0]

    def tags(self) -> list[str]:
        """Words by which it is found, in English and in the person's language."""
        return [*self.TAGS.split(","), *tr(self.TAGS).split(",")]

    def icon(self) -> QIcon:
        """The algorithm's picture."""
        return QIcon(icon_path(self.ICON))

    def svgIconPath(self) -> str:  # noqa: N802
        """The same as a path."""
        return icon_path(self.ICON)

    def helpUrl(self) -> str:  # noqa: N802
        """The address behind the Help button."""
        return "https://github.com/terraspore/terraspore/blob/main/docs/plugin.md"

    def canExecute(self) -> tuple[bool, str]:  # noqa: N802
        """Whether there is an engine, and what to do where there is none."""
        missing = explain_missing_engine(self.plugin.load())
        return missing is None, missing or ""

    def processAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine in a private temporary folder; every failure becomes one sentence."""
        folder = Path(tempfile.mkdtemp(prefix="terraspore-", dir=QgsProcessingUtils.tempFolder()))
        try:
            return self.compute(parameters, context, feedback, folder)
        except EngineCancelledError:
            return {}
        except EngineError as error:
            for line in error.details.splitlines():
                feedback.pushConsoleInfo(line)
            raise QgsProcessingException(str(error)) from error
        except RuntimeError as error:  # GDAL's own, where another plugin has switched its exceptions on
            raise QgsProcessingException(
                tr("A raster could not be read or written: {why}").format(why=error)
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """The algorithm's own work, in a worker thread.

        Args:
            parameters: as Processing gives them.
            context: as Processing gives it.
            feedback: as Processing gives it.
            folder: a private folder that is removed afterwards.

        Raises:
            EngineError: the sentence for the person.
        """
        raise EngineError(f"{type(self).__name__} has no computation.")

    def source_of_input(self, parameters: dict[str, Any], context: QgsProcessingContext) -> LayerSource:
        """What is needed of the layer INPUT; to be called in the layer's own thread.

        Raises:
            QgsProcessingException: there is no such layer, or it cannot be used.
        """
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        try:
            return resolve_layer(layer)
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error

    def run_engine(self, words: list[str], feedback: QgsProcessingFeedback, start: float = 0.0) -> Result:
        """Run the engine's command ``words`` and pass on what it says.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        listener = FeedbackListener(feedback, start)
        result = self.plugin.run(words, listener.listener(), feedback.isCanceled)
        feedback.pushInfo(result.text)
        return result


class ImageAlgorithm(EngineAlgorithm):
    """An algorithm over a raster layer, which may be a service."""

    TASK = "segmentation"

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__(plugin)
        self.source: LayerSource | None = None

    def prepareAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> bool:
        """Take what is needed of the layer, in the layer's own thread."""
        self.source = self.source_of_input(parameters, context)
        return True

    def ask_plan(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        cancelled: Callable[[], bool],
    ) -> Plan:
        """What a run with ``parameters`` would be. Blocks; after ``prepareAlgorithm``, in a worker thread.

        Raises:
            EngineError: as ``EnginePool.run``; or the layer is no file, and would have to be fetched for it.
        """
        assert self.source is not None
        if self.source.path is None:
            raise EngineError(f"{self.source.name} is no file.", "Its plan is made when it has been fetched.")
        with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
            image, options, _ = self.image_and_options(parameters, context, feedback, Path(folder))
            listener = FeedbackListener(feedback)
            self.plugin.run(plan_words(self.TASK, image, options), listener.listener(), cancelled)
        if listener.plan is None:
            raise EngineError("The engine gave no plan.")
        return listener.plan

    def image_and_options(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> tuple[Path, Options, float]:
        """The image's file, the run's options, and the share of the progress bar that fetching took."""
        assert self.source is not None
        area = self._area(parameters, context)
        extent = self._extent(parameters, context)
        wanted = self.parameterAsString(parameters, "MODEL", context).strip()
        model = self.plugin.model_for(self.TASK, wanted)
        lost = "" if wanted else self.plugin.lost_choice(self.TASK)
        if lost and model is not None:
            text = tr("The model {lost} that the settings name is not there; {model} is used.")
            feedback.pushWarning(text.format(lost=lost, model=model.title))
        start = 0.0
        if self.source.path is not None:
            image = with_crs(self.source, folder)
        else:
            resolution = self.fetch_resolution(parameters, context) or (model.resolution if model else 0.0)
            request = FetchRequest(resolution, _common(extent, area), area, folder)
            image = self._fetch(request, feedback)
            start = FETCH_SHARE
        settings = self.plugin.load()
        options = Options(
            model=model.reference if model else wanted,
            extent=None if extent is None else _corners(extent),
            area=None
            if area is None
            else keep_area(area, self.source.crs, get_cache_folder(settings) / "areas", context.transformContext()),
            bands=self._bands(parameters, model, context),
            threshold=self.optional_number(parameters, "THRESHOLD", context),
            overlap=self._whole(parameters, "OVERLAP", context),
            tile=settings.tile,
            threads=settings.threads,
            device=self._choice(parameters, "DEVICE", settings.device, context),
            runtime=self._choice(parameters, "RUNTIME", settings.runtime, context),
            tta=self.parameterAsBool(parameters, "TTA", context),
            memory=settings.memory,
            resume=self.parameterAsBool(parameters, "RESUME", context),
        )
        return image, options, start

    def fetch_resolution(self, _parameters: dict[str, Any], _context: QgsProcessingContext) -> float:
        """Resolution in m per pixel for fetching, where the person gave one; 0 for the model's."""
        return 0.0

    def optional_number(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> float | None:
        """The number of the parameter ``name``, or None where it was left empty."""
        definition = self.parameterDefinition(name)
        if definition is None or parameters.get(name, definition.defaultValue()) in (None, ""):
            return None
        return self.parameterAsDouble(parameters, name, context)

    def _whole(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> int | None:
        value = self.optional_number(parameters, name, context)
        return None if value is None else int(value)

    def _fetch(self, request: FetchRequest, feedback: QgsProcessingFeedback) -> Path:
        assert self.source is not None
        if request.resolution <= 0:
            raise EngineError(
                f"At what resolution {self.source.name} shall be fetched is not known.",
                "Choose a model with a card, or give the resolution.",
            )
        feedback.setProgressText(
            tr("Fetching the image at {resolution} m").format(resolution=f"{request.resolution:g}")
        )
        image, came = fetch(
            self.source, request, feedback.isCanceled, lambda share: feedback.setProgress(100 * FETCH_SHARE * share)
        )
        feedback.pushInfo(tr("{n} tiles were fetched.").format(n=came.tiles))
        if came.empty:
            feedback.pushWarning(tr("{n} of {m} tiles came empty.").format(n=came.empty, m=came.tiles))
        for error in came.errors[:5]:
            feedback.pushWarning(error)
        return image

    def _extent(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsRectangle | None:
        assert self.source is not None
        if parameters.get("EXTENT") in (None, ""):
            return None
        box = self.parameterAsExtent(parameters, "EXTENT", context, self.source.crs)
        if box.isNull() or box.isEmpty():
            raise EngineError("The rectangle is empty.", "Draw it again.")
        return box

    def _area(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsGeometry | None:
        assert self.source is not None
        polygons: QgsFeatureSource | None = self.parameterAsSource(parameters, "AREA", context)
        if polygons is None:
            return None
        transform = QgsCoordinateTransform(polygons.sourceCrs(), self.source.crs, context.transformContext())
        return area_geometry(polygons.getFeatures(), transform)

    def _bands(
        self, parameters: dict[str, Any], model: ModelInfo | None, context: QgsProcessingContext
    ) -> tuple[int, ...]:
        """The bands that were chosen; else those that the layer's style shows, for a model of three."""
        assert self.source is not None
        if parameters.get("BANDS") not in (None, "", []):
            return tuple(self.parameterAsInts(parameters, "BANDS", context))
        return self.source.bands if model is not None and model.bands == 3 else ()

    def _choice(self, parameters: dict[str, Any], name: str, default: str, context: QgsProcessingContext) -> str:
        value = self.parameterAsEnumString(parameters, name, context)
        return default if value in ("", "auto") else value


def _corners(box: QgsRectangle) -> tuple[float, float, float, float]:
    return box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()


def _common(extent: QgsRectangle | None, area: QgsGeometry | None) -> QgsRectangle | None:
    """The rectangle around what both leave; None where both are None."""
    if area is None:
        return extent
    box = area.boundingBox()
    return box if extent is None else extent.intersect(box)
