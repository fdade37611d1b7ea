"""Base class of the algorithms that run a model over an image, which may be an online service."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsCoordinateTransform,
    QgsGeometry,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsRectangle,
)

from ...engine.fs.journal import remove_unfinished_run
from ...engine.protocol.declaration import Option
from ...engine.protocol.messages import Plan
from ..engine.environment import get_cache_folder
from ..engine.errors import EngineCancelledError, EngineError
from ..engine.models import ModelInfo
from ..i18n import tr
from ..layers.fetch import FetchRequest, fetch_layer
from ..layers.geopackage import parse_destination
from ..layers.probability import check_mask_output, write_mask
from ..layers.results import LayerPresentation, load_on_completion, load_vector_layers
from ..layers.sources import name_images
from .areas import merge_polygons, store_area
from .arguments import RunOptions, make_option_arguments, make_plan_arguments, make_run_arguments
from .base import EngineAlgorithm
from .feedback import FeedbackReporter
from .inputs import RunInputs
from .parameters import make_option_parameter, mark_advanced

#: Share of the progress bar for fetching a layer that is not a file.
FETCH_SHARE = 0.4


class ModelAlgorithm(EngineAlgorithm):
    """Run a model over an image; writes a GeoPackage and rasters."""

    TASK = "segmentation"
    #: Name of the output that is the GeoPackage.
    VECTORS = "OUTPUT"
    #: Layer of the GeoPackage that is this output, and its English name.
    MAIN = ("", "")
    #: Further layers: output's name -> (layer, English name).
    FURTHER: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    #: Raster outputs, the lowest layer first: output's name -> (engine's option, style or empty for the file's own,
    #: English name).
    RASTERS: dict[str, tuple[str, str, str]] = {}  # noqa: RUF012
    #: Numbers of the engine's summary: output's name -> (key, English name).
    NUMBERS: dict[str, tuple[str, str]] = {}  # noqa: RUF012
    #: English name of the results' group in the layer tree.
    GROUP = ""
    #: The engine's options of this task alone, by the parameter's name.
    OPTIONS: dict[str, Option] = {}  # noqa: RUF012

    def make_task_parameters(self) -> list[QgsProcessingParameterDefinition]:
        """Make the parameters of ``OPTIONS``, all under "Advanced"."""
        return [mark_advanced(make_option_parameter(option, name=name)) for name, option in self.OPTIONS.items()]

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Run the engine's command ``extract`` or ``segment``, and load its outputs."""
        targets = {
            name: inputs.get_output_layer(name)
            for name in ("OUTPUT", self.VECTORS, *self.RASTERS)
            if name == "OUTPUT" or inputs.has(name)
        }
        vectors = targets.pop(self.VECTORS, None)
        paths = {self.RASTERS[name][0]: Path(target).absolute() for name, target in targets.items()}
        layer = None
        if vectors is not None:
            destination = parse_destination(vectors)
            paths[self.VECTORS.lower()], layer = destination.path, destination.layer
        output = paths.pop("output")
        images, options, start = self._prepare_run(inputs, folder)
        mask = paths.pop("mask", None)
        if mask is not None:
            self._check_mask(mask)
            paths.setdefault("probability", folder / "probability.tif")
        arguments = make_run_arguments(self.TASK, images, output, options, paths, layer=layer)
        arguments += make_option_arguments(
            (option, inputs.get_option(option, name)) for name, option in self.OPTIONS.items()
        )
        try:
            result = self.run_engine(arguments, inputs.feedback, start)
        except EngineCancelledError:
            remove_unfinished_run(output)  # an engine that was ended by force has not removed it
            raise
        if mask is not None:
            threshold = options.threshold
            if threshold is None:
                model = self.plugin.choose_model(self.TASK, options.image.model or "").model
                threshold = model.threshold if model else 0.5
            write_mask(paths["probability"], mask, threshold, inputs.feedback.isCanceled)
        group = f"{tr(self.GROUP or self.TITLE)} – {self.source.name}"
        facts = self.describe_result(result, options.image.model or "")
        for name, (_, style, title) in self.RASTERS.items():
            if name in targets:
                is_visible = name == "OUTPUT"
                presentation = LayerPresentation(style, group, tr(title), facts, is_visible, is_raster=True)
                load_on_completion(inputs.context, targets[name], targets[name], name, presentation)
        layers = {self.VECTORS: self.MAIN, **self.FURTHER}
        return {
            **targets,
            **(load_vector_layers(inputs.context, vectors, layers, group, facts) if vectors is not None else {}),
            **{name: result.summary.get(key) for name, (key, _) in self.NUMBERS.items()},
        }

    def request_plan(self, inputs: RunInputs, is_cancelled: Callable[[], bool]) -> Plan:
        """Ask the engine for the plan of a run. Blocks; call it after ``prepare``, in a worker thread.

        Raises:
            EngineError: as ``EnginePool.run``, or the layer is not a file and would have to be fetched first.
        """
        if self.source.path is None and not (self.source.remote and inputs.get_bool("ALLOW_REMOTE")):
            text, hint = tr("{layer} is not a file."), tr("Its plan is made when it has been fetched.")
            raise EngineError(text.format(layer=self.source.name), hint)
        with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
            images, options, _ = self._prepare_run(inputs, Path(folder))
            reporter = FeedbackReporter(inputs.feedback)
            arguments = make_plan_arguments(self.TASK, images, options)
            self.call_engine(arguments, reporter, is_cancelled)
        if reporter.plan is None:
            raise EngineError(tr("The engine gave no plan."))
        return reporter.plan

    def _check_mask(self, mask: Path) -> None:
        """Raise ``EngineError`` if the file ``mask`` must not be replaced, or cannot be."""
        if self.source.path is not None and mask.exists() and mask.samefile(self.source.path):
            text = tr("The mask {path} would replace the image.")
            raise EngineError(text.format(path=mask), tr("Choose another name."))
        check_mask_output(mask)

    def _prepare_run(self, inputs: RunInputs, folder: Path) -> tuple[list[str], RunOptions, float]:
        """Fetch the image where it is not a file, and gather the options of the run.

        Returns:
            The images for the engine, the options, and the share of the progress bar that fetching took.

        Raises:
            EngineError: the area is empty, or the image could not be fetched.
        """
        area, extent = self._get_area(inputs), self._get_extent(inputs)
        reference = inputs.get_text("MODEL").strip()
        model, reason, missing = self.plugin.choose_model(self.TASK, reference, self.source.pixel)
        if reason:
            inputs.feedback.pushInfo(reason)
        if missing and model is not None:
            text = tr("The model {lost} that the settings name is not there; {model} is used.")
            inputs.feedback.pushWarning(text.format(lost=missing, model=model.get_title()))
        more, allow_remote = inputs.get_path("FOLDER"), inputs.get_bool("ALLOW_REMOTE")
        resolution = inputs.get_number("RESOLUTION") or None
        is_readable = self.source.path is not None or (bool(self.source.remote) and allow_remote)
        if is_readable or self.further or more:
            images = name_images([self.source, *self.further], more, folder, allow_remote=allow_remote)
            start = 0.0
        else:
            box = extent if area is None else area.boundingBox()
            if extent is not None and area is not None:
                box = extent.intersect(area.boundingBox())
            request = FetchRequest(resolution or (model.resolution if model else 0.0), box, area, folder)
            images, start = [str(self._fetch(request, inputs.feedback))], FETCH_SHARE
        area_file = None
        if area is not None:
            areas = get_cache_folder(self.plugin.get_settings()) / "areas"
            area_file = store_area(area, self.source.crs, areas, inputs.context.transformContext())
        overlap = inputs.get_number("OVERLAP")
        image_options, runtime_options = self.make_default_options()
        chosen = {name: inputs.get_choice(name.upper()) for name in ("device", "runtime")}
        options = RunOptions(
            replace(
                image_options,
                model=(model.reference if model else reference) or None,
                bands=self._choose_bands(inputs, model) or None,
                extent=_get_corners(extent),
                area=area_file,
                resolution=resolution,
                overlap=None if overlap is None else int(overlap),
                nodata=inputs.get_number("NODATA"),
                ignore_alpha=inputs.get_bool("IGNORE_ALPHA"),
                allow_remote=allow_remote,
                tta=inputs.get_bool("TTA"),
                keep_contrast=inputs.get_bool("KEEP_CONTRAST"),
            ),
            replace(runtime_options, **{name: value for name, value in chosen.items() if value not in ("", "auto")}),
            inputs.get_number("THRESHOLD"),
            inputs.get_bool("RESUME"),
        )
        return images, options, start

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

    def _get_extent(self, inputs: RunInputs) -> QgsRectangle | None:
        if not inputs.has("EXTENT"):
            return None
        box = self.parameterAsExtent(inputs.parameters, "EXTENT", inputs.context, self.source.crs)
        if box.isNull() or box.isEmpty():
            raise EngineError(tr("The rectangle is empty."), tr("Draw it again."))
        return box

    def _get_area(self, inputs: RunInputs) -> QgsGeometry | None:
        polygons = inputs.get_source("AREA")
        if polygons is None:
            return None
        transform = QgsCoordinateTransform(polygons.sourceCrs(), self.source.crs, inputs.context.transformContext())
        return merge_polygons(polygons.getFeatures(), transform)

    def _choose_bands(self, inputs: RunInputs, model: ModelInfo | None) -> tuple[int, ...]:
        """Return the chosen bands; else, for a model of three bands, those that the layer's style shows."""
        if inputs.has("BANDS"):
            return inputs.get_bands()
        shown = {each.bands for each in (self.source, *self.further)}
        return self.source.bands if model is not None and model.bands == 3 and len(shown) == 1 else ()


def _get_corners(box: QgsRectangle | None) -> tuple[float, float, float, float] | None:
    return None if box is None else (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
