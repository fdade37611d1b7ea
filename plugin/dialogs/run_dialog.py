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
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..engine.models import list_models_for_task
from ..i18n import tr
from ..layers.grid import Box, estimate_run_size, measure_units_per_metre
from ..layers.sources import get_local_file
from ..paths import icon_path
from ..processing.base import ImageAlgorithm
from ..processing.feedback import format_device, format_plan
from ..processing.parameters import IMAGE_OPTIONS, RUNTIME_OPTIONS, THRESHOLD, get_title
from ..processing.provider import make_algorithm
from ..tasks import BackgroundTask
from ..unfinished import ResumeDialog, find_resumable_run
from .area import AreaWidget
from .fields import DialogResizer, OptionSpinBox, make_suggestion_box
from .forms import RunForm

DEFAULT_TILE = 1024
DEFAULT_OVERLAP = 128


class RunDialog(QDialog):
    """Gathers the parameters of a run; the defaults fit most runs.

    Args:
        form: which algorithm.
        plugin: settings and models.
        canvas: the map.
        start: called with the algorithm's id and its parameters when the user clicks OK.
        show_options: opens the plugin's options.
        parent: QGIS's window.
    """

    def __init__(
        self,
        form: RunForm,
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
        self.threshold = OptionSpinBox(THRESHOLD, tr("the model's"), self)
        self.threshold.setMaximum(1.0)
        self.threshold.setSingleStep(0.05)
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
        self._task: BackgroundTask | None = None
        self._fill()
        self._lay_out()
        self._connect()
        self._refresh()

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Choose ``layer``; None leaves the choice as it is."""
        if layer is not None:
            self.layer.setLayer(layer)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters for the algorithm."""
        layer = self.layer.currentLayer()
        values: dict[str, Any] = {
            "INPUT": layer.id() if layer else None,
            "MODEL": self.model.currentData() or "",
            "TTA": self.tta.isChecked(),
            "DEVICE": self.device.currentText(),
            "RUNTIME": self.runtime.currentText(),
            "OUTPUT": self._make_output_path(self._form.suffix, ""),
            **self.area.parameters(),
        }
        if self._form.has_threshold and self.threshold.get_value() is not None:
            values["THRESHOLD"] = self.threshold.get_value()
        if self.overlap.get_value() is not None:
            values["OVERLAP"] = self.overlap.get_value()
        if self.bands.text().strip():
            values["BANDS"] = [int(band) for band in self._split_bands()]
        for output in self._form.outputs:
            if not output.suffix:
                values[output.name] = self.outputs[output.name].isChecked()
            elif self.outputs[output.name].isChecked():
                values[output.name] = self._make_output_path(output.suffix, "_" + output.name.lower())
        return values

    def accept(self) -> None:
        """Start the run and close; ask first whether to resume an unfinished run of the output."""
        parameters = self.parameters()
        image = get_local_file(self.layer.currentLayer())  # a fetched image is another file in each run
        unfinished = find_resumable_run(parameters["OUTPUT"], image) if image is not None else None
        if unfinished is not None:
            resume = ResumeDialog(unfinished, self).ask()
            if resume is None:
                return
            parameters["RESUME"] = resume
        self._start(f"terraspore:{self._form.algorithm}", parameters)
        super().accept()

    def request_plan(self) -> None:
        """Ask the engine for the plan of the run, and show it in the note."""
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
            plan = algorithm.request_plan(parameters, context, feedback, task.isCanceled)
            return f"{format_plan(plan)}. {format_device(plan)}"

        self.plan.setEnabled(False)
        self._note.setText(tr("Loading the model…"))
        self._task = BackgroundTask(tr("Planning"), make_plan)
        self._task.succeeded.connect(self._show_plan)
        self._task.failed.connect(self._show_plan)
        self._task.start()

    def _show_plan(self, text: str) -> None:
        self._task = None
        self._refresh()
        self._note.setText(text)
        self._resizer.schedule()

    def done(self, code: int) -> None:
        """Restore the map's tool, cancel the plan and close."""
        if self._task is not None:
            self._task.cancel()
        self.area.stop_drawing()
        super().done(code)

    def _make_output_path(self, suffix: str, ending: str) -> str:
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
        overlap = IMAGE_OPTIONS["overlap"]
        self.overlap = OptionSpinBox(overlap, tr(overlap.default_text), self)
        self.tta = QCheckBox(get_title(IMAGE_OPTIONS["tta"]), self)
        self.device = make_suggestion_box(RUNTIME_OPTIONS["device"], self)
        self.runtime = make_suggestion_box(RUNTIME_OPTIONS["runtime"], self)

    def _fill(self) -> None:
        settings = self._plugin.get_settings()
        default = self._plugin.choose_model(self._form.task, "")
        for model in list_models_for_task(self._plugin.list_models(), self._form.task):
            resolution = f"{model.resolution:g} m"
            has_resolution = not model.resolution or resolution in model.title
            self.model.addItem(model.title if has_resolution else f"{model.title} – {resolution}", model.reference)
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
        if self._form.has_threshold:
            form.addRow(get_title(THRESHOLD), self.threshold)
        else:
            self.threshold.hide()
        form.addRow(tr("Save to"), self.target)
        for index, box in enumerate(self.outputs.values()):
            form.addRow(tr("Also make") if index == 0 else "", box)
        more = QFormLayout(self._advanced)
        more.addRow(get_title(IMAGE_OPTIONS["bands"]), self.bands)
        more.addRow(get_title(IMAGE_OPTIONS["overlap"]), self.overlap)
        more.addRow(self.tta)
        more.addRow(get_title(RUNTIME_OPTIONS["device"]), self.device)
        more.addRow(get_title(RUNTIME_OPTIONS["runtime"]), self.runtime)
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
        self._resizer = DialogResizer(self)
        self._advanced.collapsedStateChanged.connect(self._resizer.schedule)
        self._resizer.schedule()

    def _connect(self) -> None:
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.plan.clicked.connect(self.request_plan)
        self.layer.layerChanged.connect(self._refresh)
        self.model.currentIndexChanged.connect(self._refresh)
        self.area.changed.connect(self._refresh)
        self.bands.textChanged.connect(self._refresh)
        self._note.linkActivated.connect(lambda _link: self._show_options())

    def _refresh(self, *_changed: object) -> None:
        """Update buttons and note. A method, not a lambda: Qt disconnects methods when the dialog is deleted."""
        problem = self._explain_problem()
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)
        can_plan = not problem and self._task is None and get_local_file(self.layer.currentLayer()) is not None
        self.plan.setEnabled(can_plan)
        self._note.setText(problem or self._format_estimate())

    def _explain_problem(self) -> str:
        """Return why the run cannot start yet; empty where it can."""
        link = f'<a href="options">{tr("Open the options")}</a>'
        missing = explain_missing_engine(self._plugin.get_settings())
        if missing:
            return f"{missing} {link}"
        if self.layer.currentLayer() is None:
            return tr("There is no raster layer in the project.")
        if self.model.count() == 0:
            return tr("There is no model for this task yet. Add one in Settings > Options > TerraSpore.") + f" {link}"
        if not all(band.isdigit() for band in self._split_bands()):
            return tr("Bands are numbers, such as 1,2,3.")
        return self.area.explain_problem()

    def _split_bands(self) -> list[str]:
        return [band for band in self.bands.text().replace(" ", "").split(",") if band]

    def _format_estimate(self) -> str:
        """Return the size of the run for the note; empty where it is unknown."""
        layer = self.layer.currentLayer()
        model = self._plugin.choose_model(self._form.task, self.model.currentData() or "")
        box = self.area.get_extent_in(layer)
        if box.isEmpty():
            return tr("The area lies outside of the layer.")
        if model is None or not layer.crs().isValid():
            return ""
        area = Box(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        try:
            unit_x, unit_y = measure_units_per_metre(layer.crs().toWkt(), area)
        except ValueError:
            return ""
        chosen_overlap = self.overlap.get_value()
        overlap = (model.overlap or DEFAULT_OVERLAP) if chosen_overlap is None else int(chosen_overlap)
        width, height = box.width() / unit_x, box.height() / unit_y
        size = estimate_run_size(width, height, model.resolution, model.tile or DEFAULT_TILE, overlap)
        if size is None:
            return ""
        return tr("{width} × {height} pixels at {resolution} m; tiles: about {tiles}.").format(
            width=size.width, height=size.height, resolution=f"{model.resolution:g}", tiles=size.tiles
        )
