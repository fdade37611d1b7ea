"""The algorithm Process Many Images: a result for each image of a folder or of a list of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
)

from ...engine.protocol.options import ImageOptions, RuntimeOptions
from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.sources import LayerSource, resolve_layer
from ..settings import MODEL_SETTINGS
from .arguments import RunOptions, make_batch_arguments
from .base import EngineAlgorithm
from .images import name_images
from .parameters import IMAGE_OPTIONS, make_model_parameter, make_option_parameter, mark_advanced

_TASKS = ("roads", "landcover", "segmentation")
_STATES = ("done", "skipped", "failed")


class BatchAlgorithm(EngineAlgorithm):
    """Give each of many images a result of its own; go on after an image that fails."""

    ID = "manyimages"
    TITLE = "Process Many Images One by One"
    ICON = "segment"
    TAGS = "batch,folder,many,separate,roads,land cover,deep learning"
    HELP = (
        "Extracts roads or land cover of each image of a folder or of a list of layers, and writes a result for each "
        "into a folder: a GeoPackage, or a raster of classes for other models. Goes on after an image that fails, and "
        "says at the end which did and why. Results that exist are skipped if the batch is continued. For one result "
        "of all images use Extract Roads or Extract Land Cover with further images."
    )

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        titles = [tr("Roads"), tr("Land cover"), tr("Classes of another model")]
        rasters = QgsProcessing.SourceType.TypeRaster
        folder = QgsProcessingParameterFile.Behavior.Folder
        for parameter in (
            QgsProcessingParameterMultipleLayers("LAYERS", tr("Images"), rasters, optional=True),
            QgsProcessingParameterFile("FOLDER", tr("Folder of images"), folder, optional=True),
            QgsProcessingParameterEnum("TASK", tr("What to extract"), titles, False, 0),
            make_model_parameter(tr("Model (empty: the default)")),
            mark_advanced(make_option_parameter(IMAGE_OPTIONS["allow_remote"])),
            mark_advanced(QgsProcessingParameterBoolean("RESUME", tr("Skip images whose results exist"), False)),
            QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder of results")),
        ):
            self.addParameter(parameter)
        for state, title in zip(_STATES, (tr("Images that are done"), tr("Images skipped"), tr("Images that failed"))):
            self.addOutput(QgsProcessingOutputNumber(state.upper(), title))

    def prepareAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, _feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the properties of the layers in their own thread.

        Raises:
            QgsProcessingException: there are no images, or a layer cannot be used.
        """
        layers = self.parameterAsLayerList(parameters, "LAYERS", context)
        if not layers and not self.parameterAsFile(parameters, "FOLDER", context):
            raise QgsProcessingException(tr("There are no images: choose layers or a folder."))
        try:
            self.further: list[LayerSource] = [resolve_layer(layer) for layer in layers]
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error
        return True

    def compute(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, folder: Path
    ) -> dict[str, Any]:
        """Run the engine's command with --separate, and log what each image came to."""
        task = _TASKS[self.parameterAsEnum(parameters, "TASK", context)]
        allow_remote = self.parameterAsBool(parameters, "ALLOW_REMOTE", context)
        target = Path(self.parameterAsString(parameters, "OUTPUT", context)).absolute()
        given = self.parameterAsFile(parameters, "FOLDER", context)
        images = name_images(self.further, given, folder, allow_remote=allow_remote)
        reference, settings = self.parameterAsString(parameters, "MODEL", context).strip(), self.plugin.get_settings()
        # Without a choice of the user the engine chooses for each image, by its resolution.
        wanted = reference or getattr(settings, MODEL_SETTINGS[task])
        model = self.plugin.choose_model(task, wanted).model if wanted else None
        image = ImageOptions(
            model=(model.reference if model is not None else reference) or None,
            tile=settings.tile or None,
            memory=settings.memory or None,
            allow_remote=allow_remote,
        )
        runtime = RuntimeOptions(
            device=settings.device or "auto", runtime=settings.runtime or "auto", threads=settings.threads or None
        )
        options = RunOptions(image, runtime, None, self.parameterAsBool(parameters, "RESUME", context))
        result = self.run_engine(make_batch_arguments(task, images, target, options), feedback)
        for entry in result.images:
            if entry.state == "failed":
                feedback.pushWarning(f"{Path(entry.image).name}: {entry.text}")
        return {"OUTPUT": str(target), **{state.upper(): result.summary.get(state) for state in _STATES}}
