"""The algorithm Process Many Images: a result for each image of a folder or of a list of layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
)

from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.sources import name_images, resolve_layer
from ..settings import MODEL_SETTINGS
from .arguments import RunOptions, make_batch_arguments
from .base import EngineAlgorithm
from .inputs import RunInputs
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
            *(mark_advanced(make_option_parameter(IMAGE_OPTIONS[name])) for name in ("allow_remote", "keep_contrast")),
            mark_advanced(QgsProcessingParameterBoolean("RESUME", tr("Skip images whose results exist"), False)),
            QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder of results")),
        ):
            self.addParameter(parameter)
        for state, title in zip(_STATES, (tr("Images that are done"), tr("Images skipped"), tr("Images that failed"))):
            self.addOutput(QgsProcessingOutputNumber(state.upper(), title))

    def prepare(self, inputs: RunInputs) -> None:
        """Read the properties of the layers.

        Raises:
            EngineError: there are no images, or a layer cannot be used.
        """
        layers = inputs.get_layers("LAYERS")
        if not layers and inputs.get_path("FOLDER") is None:
            raise EngineError(tr("There are no images: choose layers or a folder."))
        self.further = [resolve_layer(layer) for layer in layers]

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Run the engine's command with --separate, and log what each image came to."""
        task = _TASKS[self.parameterAsEnum(inputs.parameters, "TASK", inputs.context)]
        target, allow_remote = Path(inputs.get_text("OUTPUT")).absolute(), inputs.get_bool("ALLOW_REMOTE")
        images = name_images(self.further, inputs.get_path("FOLDER"), folder, allow_remote=allow_remote)
        reference = inputs.get_text("MODEL").strip()
        # Without a choice of the user the engine chooses for each image, by its resolution.
        wanted = reference or getattr(self.plugin.get_settings(), MODEL_SETTINGS[task])
        model = self.plugin.choose_model(task, wanted).model if wanted else None
        image, runtime = self.make_default_options()
        named = (model.reference if model is not None else reference) or None
        keep_contrast = inputs.get_bool("KEEP_CONTRAST")
        image = replace(image, model=named, allow_remote=allow_remote, keep_contrast=keep_contrast)
        options = RunOptions(image, runtime, resume=inputs.get_bool("RESUME"))
        result = self.run_engine(make_batch_arguments(task, images, target, options), inputs.feedback)
        for entry in result.images:
            if entry.state == "failed":
                inputs.feedback.pushWarning(f"{Path(entry.image).name}: {entry.text}")
        return {"OUTPUT": str(target), **{state.upper(): result.summary.get(state) for state in _STATES}}
