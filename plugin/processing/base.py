"""Base classes of the algorithms: resolving the layer, running the engine, options of a run over an image."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
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

from ...engine.protocol.declaration import Option
from ...engine.protocol.messages import Plan, Result
from ...engine.protocol.options import ImageOptions, RuntimeOptions
from ..context import PluginContext
from ..engine.environment import explain_missing_engine, get_cache_folder
from ..engine.errors import EngineCancelledError, EngineError
from ..engine.models import ModelInfo
from ..i18n import tr
from ..layers.results import explain_open_output
from ..layers.sources import FetchRequest, LayerSource, fetch_layer, resolve_layer
from ..paths import icon_path
from .areas import merge_polygons, store_area
from .arguments import RunOptions, make_plan_arguments
from .feedback import FeedbackReporter
from .images import name_images

#: Vector files that the engine reads as they are; the first of them is what other layers are saved as.
VECTOR_SUFFIXES = ["gpkg", "shp", "geojson", "fgb"]
#: Share of the progress bar for fetching a layer that is not a file.
FETCH_SHARE = 0.4


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
        self, parameters: dict[str, Any], context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the properties of the layer INPUT that a run needs, in the layer's own thread.

        Raises:
            QgsProcessingException: there is no such layer, or it cannot be used; an output cannot be replaced.
        """
        outputs = [parameters.get(definition.name()) for definition in self.destinationParameterDefinitions()]
        if (problem := explain_open_output(context.project(), outputs)) is not None:
            raise QgsProcessingException(problem)
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        try:
            self.source = resolve_layer(layer)
            if self.parameterDefinition("MORE") is not None:
                more = self.parameterAsLayerList(parameters, "MORE", context)
                self.further = [resolve_layer(each) for each in more if each.id() != layer.id()]
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error
        if self.NEEDS_FILE and self.source.path is None:
            text = tr("{layer} is not a raster file; save it as one first.")
            raise QgsProcessingException(text.format(layer=self.source.name))
        return True

    def processAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Call ``compute`` with a private temporary folder; every failure becomes one sentence."""
        folder = Path(tempfile.mkdtemp(prefix="terraspore-", dir=QgsProcessingUtils.tempFolder()))
        try:
            return self.compute(parameters, context, feedback, folder)
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

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Run the algorithm, in a worker thread.

        Args:
            parameters: as Processing gives them.
            context: as Processing gives it.
            feedback: as Processing gives it.
            folder: a private folder that is removed afterwards.

        Raises:
            EngineError: the run failed.
        """
        raise NotImplementedError

    def run_engine(self, arguments: list[str], feedback: QgsProcessingFeedback, start: float = 0.0) -> Result:
        """Run the engine with ``arguments``, and report its events to ``feedback``.

        Raises:
            EngineError: as ``EnginePool.run``.
        """
        reporter = FeedbackReporter(feedback, start)
        result = self.plugin.run_engine(arguments, reporter.make_listener(), feedback.isCanceled)
        feedback.pushInfo(result.text)
        return result

    def describe_result(self, result: Result, model: str | None = None) -> dict[str, Any]:
        """Return what the metadata of the result's layers say: the layer, the model, the figures and the warnings."""
        facts: dict[str, Any] = {tr("Image"): self.source.name}
        if model is not None:
            facts[tr("Model")] = model
        if result.warnings:
            facts[tr("Warnings")] = " ".join(result.warnings)
        return {**facts, **result.summary}

    def get_option(
        self, option: Option, parameters: dict[str, Any], context: QgsProcessingContext, name: str = ""
    ) -> Any:
        """Return the value of a declared option from the parameter ``name``; None leaves it to the engine."""
        name = name or option.name.upper()
        if option.kind == "bool":
            return self.parameterAsBool(parameters, name, context)
        if option.info.choices:
            return self.parameterAsEnumString(parameters, name, context) or None
        if option.info.items:  # words with commas between them
            words = (word.strip() for word in self.parameterAsString(parameters, name, context).split(","))
            return tuple(filter(None, words))
        if option.kind == "str":
            return self.parameterAsString(parameters, name, context).strip() or None
        return self.get_optional_number(parameters, name, context)

    def get_vector_file(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> tuple[Path, str]:
        """Return the file and the layer in it of vectors; others than those of a file are saved to one first.

        Raises:
            EngineError: they cannot be read.
        """
        path, layer = self.parameterAsCompatibleSourceLayerPathAndLayerName(
            parameters, name, context, VECTOR_SUFFIXES, VECTOR_SUFFIXES[0], feedback
        )
        if not path:
            raise EngineError(tr("The vectors of {name} cannot be read.").format(name=name))
        return Path(path).absolute(), layer

    def get_single_layer_file(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Path:
        """Return a file of vectors that has no other layer; see ``get_vector_file``."""
        path = self.parameterAsCompatibleSourceLayerPath(
            parameters, name, context, VECTOR_SUFFIXES, VECTOR_SUFFIXES[0], feedback
        )
        if not path:
            raise EngineError(tr("The vectors of {name} cannot be read.").format(name=name))
        return Path(path).absolute()

    def get_optional_number(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> float | None:
        """Return the number of the parameter ``name``; None where it was left empty.

        Raises:
            EngineError: it is below the smallest value.
        """
        definition = self.parameterDefinition(name)
        if definition is None or parameters.get(name, definition.defaultValue()) in (None, ""):
            return None
        value = self.parameterAsDouble(parameters, name, context)
        if value < definition.minimum():
            raise EngineError(
                tr("{name} must be at least {limit}.").format(name=name, limit=f"{definition.minimum():g}")
            )
        return value


class ImageAlgorithm(EngineAlgorithm):
    """An algorithm that runs a model over a raster layer, which may be an online service."""

    TASK = "segmentation"

    def request_plan(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        is_cancelled: Callable[[], bool],
    ) -> Plan:
        """Ask the engine for the plan of a run. Blocks; call it after ``prepareAlgorithm``, in a worker thread.

        Raises:
            EngineError: as ``EnginePool.run``, or the layer is not a file and would have to be fetched first.
        """
        allow_remote = self.parameterAsBool(parameters, "ALLOW_REMOTE", context)
        if self.source.path is None and not (self.source.remote and allow_remote):
            text, hint = tr("{layer} is not a file."), tr("Its plan is made when it has been fetched.")
            raise EngineError(text.format(layer=self.source.name), hint)
        with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
            images, options, _ = self.prepare_run(parameters, context, feedback, Path(folder))
            reporter = FeedbackReporter(feedback)
            arguments = make_plan_arguments(self.TASK, images, options)
            self.plugin.run_engine(arguments, reporter.make_listener(), is_cancelled)
        if reporter.plan is None:
            raise EngineError(tr("The engine gave no plan."))
        return reporter.plan

    def prepare_run(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> tuple[list[str], RunOptions, float]:
        """Fetch the image where it is not a file, and gather the options of the run.

        Returns:
            The images for the engine, the options, and the share of the progress bar that fetching took.

        Raises:
            EngineError: the area is empty, or the image could not be fetched.
        """
        area, extent = self._get_area(parameters, context), self._get_extent(parameters, context)
        reference = self.parameterAsString(parameters, "MODEL", context).strip()
        model, reason, missing = self.plugin.choose_model(self.TASK, reference, self.source.pixel)
        if reason:
            feedback.pushInfo(reason)
        if missing and model is not None:
            text = tr("The model {lost} that the settings name is not there; {model} is used.")
            feedback.pushWarning(text.format(lost=missing, model=model.get_title()))
        more = self.parameterAsFile(parameters, "FOLDER", context)
        allow_remote = self.parameterAsBool(parameters, "ALLOW_REMOTE", context)
        resolution = self.get_optional_number(parameters, "RESOLUTION", context) or None
        is_readable = self.source.path is not None or (bool(self.source.remote) and allow_remote)
        if is_readable or self.further or more:
            images = name_images([self.source, *self.further], more, folder, allow_remote=allow_remote)
            start = 0.0
        else:
            box = extent if area is None else area.boundingBox()
            if extent is not None and area is not None:
                box = extent.intersect(area.boundingBox())
            request = FetchRequest(resolution or (model.resolution if model else 0.0), box, area, folder)
            images, start = [str(self._fetch(request, feedback))], FETCH_SHARE
        settings = self.plugin.get_settings()
        area_file = None
        if area is not None:
            areas = get_cache_folder(settings) / "areas"
            area_file = store_area(area, self.source.crs, areas, context.transformContext())
        overlap = self.get_optional_number(parameters, "OVERLAP", context)
        image_options = ImageOptions(
            model=(model.reference if model else reference) or None,
            bands=self._get_bands(parameters, model, context) or None,
            extent=_get_corners(extent),
            area=area_file,
            resolution=resolution,
            tile=settings.tile or None,
            overlap=None if overlap is None else int(overlap),
            memory=settings.memory or None,
            nodata=self.get_optional_number(parameters, "NODATA", context),
            ignore_alpha=self.parameterAsBool(parameters, "IGNORE_ALPHA", context),
            allow_remote=allow_remote,
            tta=self.parameterAsBool(parameters, "TTA", context),
        )
        runtime_options = RuntimeOptions(
            device=self._get_choice(parameters, "DEVICE", settings.device, context),
            runtime=self._get_choice(parameters, "RUNTIME", settings.runtime, context),
            threads=settings.threads or None,
        )
        threshold = self.get_optional_number(parameters, "THRESHOLD", context)
        resume = self.parameterAsBool(parameters, "RESUME", context)
        return images, RunOptions(image_options, runtime_options, threshold, resume), start

    def _fetch(self, request: FetchRequest, feedback: QgsProcessingFeedback) -> Path:
        if request.resolution <= 0:
            text = tr("The resolution at which to fetch {layer} is not known.")
            hint = tr("Choose a model with a card, or give the resolution.")
            raise EngineError(text.format(layer=self.source.name), hint)
        feedback.setProgressText(
            tr("Fetching the image at {resolution} m").format(resolution=f"{request.resolution:g}")
        )
        image, summary = fetch_layer(
            self.source, request, feedback.isCanceled, lambda share: feedback.setProgress(100 * FETCH_SHARE * share)
        )
        feedback.pushInfo(tr("{n} tiles were fetched.").format(n=summary.tiles))
        if summary.empty:
            feedback.pushWarning(tr("{n} of {m} tiles came empty.").format(n=summary.empty, m=summary.tiles))
        for error in summary.errors[:5]:
            feedback.pushWarning(error)
        return image

    def _get_extent(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsRectangle | None:
        if parameters.get("EXTENT") in (None, ""):
            return None
        box = self.parameterAsExtent(parameters, "EXTENT", context, self.source.crs)
        if box.isNull() or box.isEmpty():
            raise EngineError(tr("The rectangle is empty."), tr("Draw it again."))
        return box

    def _get_area(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsGeometry | None:
        polygons: QgsFeatureSource | None = self.parameterAsSource(parameters, "AREA", context)
        if polygons is None:
            return None
        transform = QgsCoordinateTransform(polygons.sourceCrs(), self.source.crs, context.transformContext())
        return merge_polygons(polygons.getFeatures(), transform)

    def _get_bands(
        self, parameters: dict[str, Any], model: ModelInfo | None, context: QgsProcessingContext
    ) -> tuple[int, ...]:
        """Return the chosen bands; else, for a model of three bands, those that the layer's style shows."""
        if parameters.get("BANDS") not in (None, "", []):
            return tuple(self.parameterAsInts(parameters, "BANDS", context))
        shown = {each.bands for each in (self.source, *self.further)}
        return self.source.bands if model is not None and model.bands == 3 and len(shown) == 1 else ()

    def _get_choice(self, parameters: dict[str, Any], name: str, default: str, context: QgsProcessingContext) -> str:
        value = self.parameterAsEnumString(parameters, name, context)
        return (default if value in ("", "auto") else value) or "auto"


def _get_corners(box: QgsRectangle | None) -> tuple[float, float, float, float] | None:
    return None if box is None else (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
