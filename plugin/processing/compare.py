"""The algorithm Compare with Surveyed Data: how well roads, masks or classes agree with the truth."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMapLayer,
    QgsRasterLayer,
)

from ...engine.protocol.compare_options import CompareOptions
from ...engine.protocol.declaration import options_of
from ..engine.errors import EngineError
from ..i18n import tr
from ..layers.sources import require_local_file
from .arguments import make_compare_arguments
from .base import EngineAlgorithm
from .inputs import RunInputs
from .parameters import make_option_parameter, mark_advanced

OPTIONS = options_of(CompareOptions)
#: The engine's options that are parameters; those behind the first two are shown under "Advanced".
SHOWN = ("buffer", "threshold", "mask", "definition", "field")
#: Both layers, and the options that name them within their files.
LAYERS = {"RESULT": "layer", "TRUTH": "truth_layer"}
#: Numbers that models of Processing may use; further ones are in the log and in the table.
NUMBERS = (
    "apls",
    "topo_f1",
    "line_f1",
    "completeness",
    "correctness",
    "quality",
    "junction_f1",
    "accuracy",
    "mean_iou",
    "kappa",
    "agreement",
)


class CompareAlgorithm(EngineAlgorithm):
    """Compare a result with the truth."""

    ID = "compare"
    TITLE = "Compare with Surveyed Data"
    ICON = "compare"
    TAGS = "accuracy,evaluation,validation,quality,completeness,correctness,APLS,IoU,confusion matrix,ground truth"
    HELP = (
        "Measures how well a result agrees with surveyed data. "
        "Road lines against lines: completeness, correctness, APLS, TOPO and junctions. "
        "Rasters of classes against each other: accuracy, IoU and kappa; with a threshold, masks of roads. "
        "Polygons of land cover against a raster of classes: gaps, overlaps and agreement. "
        "The metrics are in the log, and in a table where a file is given."
    )

    def initAlgorithm(self, _configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        """Declare parameters and outputs."""
        sources = QgsProcessing.SourceType
        kinds = [sources.TypeVectorLine, sources.TypeVectorPolygon, sources.TypeRaster]
        titles = {"RESULT": tr("Result"), "TRUTH": tr("Surveyed data")}
        for name, title in titles.items():
            self.addParameter(QgsProcessingParameterMapLayer(name, title, None, False, kinds))
        for name in SHOWN:
            parameter = make_option_parameter(OPTIONS[name])
            self.addParameter(parameter if name in SHOWN[:2] else mark_advanced(parameter))
        table = QgsProcessingParameterFileDestination("OUTPUT", tr("Table of the metrics"), "CSV (*.csv)", None, True)
        table.setCreateByDefault(False)
        self.addParameter(table)
        self.addOutput(QgsProcessingOutputString("TEXT", tr("Result in one sentence")))
        for name in NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name.upper(), name))

    def prepare(self, inputs: RunInputs) -> None:
        """Find the files of rasters.

        Raises:
            EngineError: a layer cannot be read, or is a raster that is not a file.
        """
        self._rasters: dict[str, Path] = {}
        for name in LAYERS:
            layer = self.parameterAsLayer(inputs.parameters, name, inputs.context)
            if layer is None or not layer.isValid():
                raise EngineError(self.invalidSourceError(inputs.parameters, name))
            if isinstance(layer, QgsRasterLayer):
                self._rasters[name] = require_local_file(layer)

    def compute(self, inputs: RunInputs, folder: Path) -> dict[str, Any]:
        """Run the engine's command ``compare``."""
        paths, values = [], []
        for name, option in LAYERS.items():
            path, layer = self._rasters.get(name), ""
            if path is None:
                path, layer = inputs.get_vector_layer(name)
            paths.append(path)
            values.append((OPTIONS[option], layer or None))
        values += [(OPTIONS[name], inputs.get_option(OPTIONS[name])) for name in SHOWN if name != "mask"]
        if inputs.has("MASK"):
            values.append((OPTIONS["mask"], inputs.get_vector_file("MASK")))
        result = self.run_engine(make_compare_arguments(paths[0], paths[1], values), inputs.feedback)
        for name, value in result.summary.items():
            inputs.feedback.pushInfo(f"{name}: {value}")
        metrics = {name.upper(): result.summary[name] for name in NUMBERS if name in result.summary}
        if not inputs.has("OUTPUT"):
            return {"TEXT": result.text, **metrics}
        target = self.parameterAsFileOutput(inputs.parameters, "OUTPUT", inputs.context)
        self._write_table(Path(target), result.summary)
        return {"TEXT": result.text, "OUTPUT": target, **metrics}

    @staticmethod
    def _write_table(path: Path, metrics: dict[str, Any]) -> None:
        """Write metrics as rows of a name and a value."""
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("metric", "value"), *metrics.items()])
        except OSError as error:
            text = tr("The table {path} could not be written: {reason}.")
            raise EngineError(text.format(path=path, reason=error.strerror or error)) from error
