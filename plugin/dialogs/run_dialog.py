"""The dialog of Extract Roads, Extract Land Cover and Segment with Another Model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsMapLayerProxyModel,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget, QgsMapCanvas, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...engine.protocol.options import DEVICE_NAMES, RUNTIME_NAMES
from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..engine.models import ModelInfo, list_models_for_task
from ..i18n import tr
from ..layers.sources import local_file
from ..layers.tile_grid import Box
from ..layers.units import units_per_metre
from ..paths import icon_path
from ..processing.base import ImageAlgorithm
from ..processing.feedback import device_text, plan_text
from ..processing.provider import make_algorithm
from ..tasks import BackgroundTask
from ..unfinished import ResumeDialog, find_resumable_run
from .area import AreaWidget
from .estimate import estimate_work
from .fitting import Fitting
from .forms import Form

DEFAULT_TILE = 1024
DEFAULT_OVERLAP = 128


class RunDialog(QDialog):
    """Asks for what a run needs; OK at once does the expected.

    Args:
        form: which algorithm.
        plugin: settings and models.
        canvas: the map.
        start: called with the algorithm's id and its parameters when the person clicks OK.
        show_options: opens the plugin's options.
        parent: QGIS's window.
    """

    def __init__(
        self,
        form: Form,
        plugin: PluginContext,
        canvas: QgsMapCanvas,
        *,
        start: Callable[[str, dict[str, Any]], None],
        show_options: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._form, self._plugin, self._start, self._show_options = form, plugin, start, show_options
        self.setObjectName(f"terraspore-{form.algorithm}")
        self.setWindowTitle(tr(form.title))
        self.setWindowIcon(QIcon(icon_path(form.icon)))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.layer = QgsMapLayerComboBox(self)
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.model = QComboBox(self)
        self.area = AreaWidget(canvas, self)
        self.threshold = _optional_spin(QDoubleSpinBox(self), 1.0, tr("the model's"))
        self.outputs = {output.name: QCheckBox(tr(output.title), self) for output in form.outputs}
        for output in form.outputs:
            self.outputs[output.name].setChecked(not output.suffix)
        self.target = QgsFileWidget(self)
        self._make_advanced()
        self._note = QLabel(self)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        self.plan = self.buttons.addButton(tr("Plan"), QDialogButtonBox.ButtonRole.ActionRole)
        self.plan.setToolTip(tr("Load the model, and say how long the run takes and how much memory it needs"))
        self._asking: BackgroundTask | None = None
        self._fill()
        self._lay_out()
        self._connect()
        self._refresh()

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Choose ``layer`` where it is a raster layer."""
        if isinstance(layer, QgsRasterLayer):
            self.layer.setLayer(layer)

    def parameters(self) -> dict[str, Any]:
        """What the dialog says, as the algorithm takes it."""
        layer = self.layer.currentLayer()
        values: dict[str, Any] = {
            "INPUT": layer.id() if layer else None,
            "MODEL": self.model.currentData() or "",
            "TTA": self.tta.isChecked(),
            "DEVICE": self.device.currentText(),
            "RUNTIME": self.runtime.currentText(),
            "OUTPUT": self._output(self._form.suffix, ""),
            **self.area.parameters(),
        }
        if self._form.threshold and self.threshold.value() > 0:
            values["THRESHOLD"] = self.threshold.value()
        if self.overlap.value() > 0:
            values["OVERLAP"] = self.overlap.value()
        if self.bands.text().strip():
            values["BANDS"] = [int(band) for band in self.bands.text().replace(" ", "").split(",") if band]
        for output in self._form.outputs:
            if not output.suffix:
                values[output.name] = self.outputs[output.name].isChecked()
            elif self.outputs[output.name].isChecked():
                values[output.name] = self._output(output.suffix, "_" + output.name.lower())
        return values

    def accept(self) -> None:
        """Start the run and close; where the output has an unfinished run, ask first."""
        parameters = self.parameters()
        image = local_file(self.layer.currentLayer())  # what is fetched for a run is another file each time
        unfinished = find_resumable_run(parameters["OUTPUT"], image) if image is not None else None
        if unfinished is not None:
            resume = ResumeDialog(unfinished, self).ask()
            if resume is None:
                return
            parameters["RESUME"] = resume
        self._start(f"terraspore:{self._form.algorithm}", parameters)
        super().accept()

    def ask_plan(self) -> None:
        """Have the engine say what the run would be; the note shows it."""
        algorithm, parameters = make_algorithm(self._form.algorithm, self._plugin), self.parameters()
        context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
        assert isinstance(algorithm, ImageAlgorithm)
        context.setProject(QgsProject.instance())
        try:
            algorithm.prepareAlgorithm(parameters, context, feedback)
        except QgsProcessingException as error:
            self._note.setText(str(error))
            return

        def make_plan(task: BackgroundTask) -> str:
            plan = algorithm.ask_plan(parameters, context, feedback, task.isCanceled)
            return f"{plan_text(plan)}. {device_text(plan)}"

        self.plan.setEnabled(False)
        self._note.setText(tr("Loading the model…"))
        self._asking = BackgroundTask(tr("Planning"), make_plan)
        self._asking.succeeded.connect(self._planned)
        self._asking.failed.connect(self._planned)
        self._asking.start()

    def _planned(self, text: str) -> None:
        self._asking = None
        self._refresh()
        self._note.setText(text)
        self._fitting.soon()

    def done(self, code: int) -> None:
        """Leave the map as it was, and ask for no plan any more."""
        if self._asking is not None:
            self._asking.cancel()
        self.area.stop_drawing()
        super().done(code)

    def _output(self, suffix: str, ending: str) -> str:
        chosen = self.target.filePath().strip()
        if not chosen:
            return QgsProcessing.TEMPORARY_OUTPUT
        path = Path(chosen)
        stem = path.stem if path.suffix.lower() in (".gpkg", ".tif", ".tiff") else path.name
        return str(path.with_name(stem + ending + suffix))

    def _make_advanced(self) -> None:
        self._advanced = QgsCollapsibleGroupBox(tr("More"), self)
        self.bands = QLineEdit(self)
        self.bands.setPlaceholderText(tr("those of the layer's style"))
        self.overlap = _optional_spin(QSpinBox(self), 4096, tr("the model's"))
        self.tta = QCheckBox(tr("Average over eight flips and rotations (slower)"), self)
        self.device = QComboBox(self)
        self.device.addItems(DEVICE_NAMES)
        self.runtime = QComboBox(self)
        self.runtime.addItems(RUNTIME_NAMES)

    def _fill(self) -> None:
        settings = self._plugin.load()
        default = self._plugin.model_for(self._form.task, "")
        for model in list_models_for_task(self._plugin.models(), self._form.task):
            resolution = f"{model.resolution:g} m"
            known = not model.resolution or resolution in model.title
            self.model.addItem(model.title if known else f"{model.title} – {resolution}", model.reference)
            self.model.setItemData(self.model.count() - 1, model.details, Qt.ItemDataRole.ToolTipRole)
        if default is not None:
            self.model.setCurrentIndex(max(0, self.model.findData(default.reference)))
        self.device.setCurrentText(settings.device)
        self.runtime.setCurrentText(settings.runtime)
        self.target.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        pattern = "GeoPackage (*.gpkg)" if self._form.suffix == ".gpkg" else "GeoTIFF (*.tif)"
        self.target.setFilter(pattern)
        self.target.lineEdit().setPlaceholderText(tr("temporary layer"))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Image"), self.layer)
        form.addRow(tr("Model"), self.model)
        form.addRow(tr("Area"), self.area)
        if self._form.threshold:
            form.addRow(tr("Threshold"), self.threshold)
        else:
            self.threshold.hide()
        form.addRow(tr("Save to"), self.target)
        for index, box in enumerate(self.outputs.values()):
            form.addRow(tr("Also make") if index == 0 else "", box)
        more = QFormLayout(self._advanced)
        more.addRow(tr("Bands"), self.bands)
        more.addRow(tr("Overlap in pixels"), self.overlap)
        more.addRow(self.tta)
        more.addRow(tr("Device"), self.device)
        more.addRow(tr("Runtime"), self.runtime)
        self._advanced.setCollapsed(True)
        self._note.setWordWrap(True)
        self._note.setMinimumHeight(2 * self._note.fontMetrics().lineSpacing())
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self._advanced)
        column.addWidget(self._note)
        column.addStretch(1)
        column.addWidget(self.buttons)
        self.setMinimumWidth(460)
        self._fitting = Fitting(self)
        self._advanced.collapsedStateChanged.connect(self._fitting.soon)
        self._fitting.soon()

    def _connect(self) -> None:
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.plan.clicked.connect(self.ask_plan)
        self.layer.layerChanged.connect(self._refresh)
        self.model.currentIndexChanged.connect(self._refresh)
        self.area.changed.connect(self._refresh)
        self.bands.textChanged.connect(self._refresh)
        self._note.linkActivated.connect(lambda _link: self._show_options())

    def _refresh(self, *_changed: object) -> None:
        """Look again; a method and not a lambda, because Qt lets go of methods when the dialog is gone."""
        objection = self._objection()
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not objection)
        self.plan.setEnabled(
            not objection and self._asking is None and local_file(self.layer.currentLayer()) is not None
        )
        self._note.setText(objection or self._estimate())

    def _objection(self) -> str:
        link = f'<a href="options">{tr("Open the options")}</a>'
        missing = explain_missing_engine(self._plugin.load())
        if missing:
            return f"{missing} {link}"
        if self.layer.currentLayer() is None:
            return tr("There is no raster layer in the project.")
        if self.model.count() == 0:
            return tr("There is no model for this task yet. Add one in Settings > Options > TerraSpore.") + f" {link}"
        if any(not band.isdigit() for band in self.bands.text().replace(" ", "").split(",") if band):
            return tr("Bands are numbers, such as 1,2,3.")
        return self.area.objection()

    def _estimate(self) -> str:
        layer, model = self.layer.currentLayer(), self._model()
        box = self.area.extent_in(layer)
        if box.isEmpty():
            return tr("The area lies outside of the layer.")
        if model is None or not layer.crs().isValid():
            return ""
        area = Box(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        try:
            unit_x, unit_y = units_per_metre(layer.crs().toWkt(), area)
        except ValueError:
            return ""
        tile, overlap = model.tile or DEFAULT_TILE, self.overlap.value() or model.overlap or DEFAULT_OVERLAP
        work = estimate_work(box.width() / unit_x, box.height() / unit_y, model.resolution, tile, overlap)
        if work is None:
            return ""
        return tr("{width} × {height} pixels at {resolution} m; tiles: about {tiles}.").format(
            width=work.width, height=work.height, resolution=f"{model.resolution:g}", tiles=work.tiles
        )

    def _model(self) -> ModelInfo | None:
        return self._plugin.model_for(self._form.task, self.model.currentData() or "")


def _optional_spin(spin: Any, maximum: float, empty: str) -> Any:
    """A spin box whose lowest value, 0, stands for a default."""
    spin.setRange(0, type(spin.maximum())(maximum))
    if isinstance(spin, QDoubleSpinBox):
        spin.setDecimals(2)
        spin.setSingleStep(0.05)
    spin.setSpecialValueText(empty)
    return spin
