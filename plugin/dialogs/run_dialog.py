"""The dialog of Extract Roads, Extract Land Cover and Segment with Another Model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
)
from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget, QgsMapCanvas
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QWidget

from ..context import PluginContext
from ..engine.environment import explain_missing_engine
from ..engine.errors import EngineError
from ..engine.models import list_models_for_task
from ..i18n import tr
from ..layers.grid import estimate_run_size, measure_units_per_metre
from ..layers.sources import get_local_file, measure_pixel
from ..processing.extract import ExtractLandCover, ExtractRoads, Segment
from ..processing.feedback import format_device, format_plan
from ..processing.inputs import RunInputs
from ..processing.model_algorithm import ModelAlgorithm
from ..processing.parameters import IMAGE_OPTIONS, RUNTIME_OPTIONS, THRESHOLD, get_title
from ..runner import ResumeDialog, find_resumable_run
from ..tasks import BackgroundTask
from .algorithm_dialog import AlgorithmDialog
from .area import AreaWidget
from .fields import (
    OptionNumberEdit,
    OptionSpinBox,
    add_options_link,
    make_file_widget,
    make_note,
    make_option_field,
    make_suggestion_box,
)


@dataclass(frozen=True)
class ExtraOutput:
    """An output that can be requested beside the main one.

    Attributes:
        name: the algorithm's parameter.
        title: in English; translated where it is shown.
        suffix: of its file; empty for a layer of the main output, which is written by default.
    """

    name: str
    title: str
    suffix: str


@dataclass(frozen=True)
class RunForm:
    """The dialog of one algorithm.

    Attributes:
        algorithm: its class.
        outputs: the further outputs.
    """

    algorithm: type[ModelAlgorithm]
    outputs: tuple[ExtraOutput, ...]

    @property
    def suffix(self) -> str:
        """Suffix of the main output's file."""
        return ".gpkg" if self.algorithm.VECTORS == "OUTPUT" else ".tif"


ROADS = RunForm(
    ExtractRoads,
    (
        ExtraOutput("ROAD_AREAS", "Road areas", ""),
        ExtraOutput("PROBABILITY", "Road probability (for other thresholds later)", ".tif"),
        ExtraOutput("MASK", "Road mask", ".tif"),
    ),
)
LANDCOVER = RunForm(
    ExtractLandCover,
    (ExtraOutput("CLASSES", "Raster of classes", ".tif"), ExtraOutput("CONFIDENCE", "Confidence", ".tif")),
)
SEGMENT = RunForm(
    Segment,
    (ExtraOutput("VECTORS", "Polygons", ".gpkg"), ExtraOutput("PROBABILITY", "Probabilities", ".tif")),
)
#: All forms, in the order of the menu.
RUN_FORMS = (ROADS, LANDCOVER, SEGMENT)

DEFAULT_TILE = 1024
DEFAULT_OVERLAP = 128

#: Options under *More*, in this order.
_FURTHER = ("bands", "nodata", "ignore_alpha", "keep_contrast", "overlap", "tta", "allow_remote", "device", "runtime")


class RunDialog(AlgorithmDialog):
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
        start: Callable[[str, dict[str, Any]], Any],
        show_options: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(form.algorithm, plugin, start=start, show_options=show_options, parent=parent)
        self._form = form
        self.mosaic, self._further = QCheckBox(self), list[QgsRasterLayer]()
        self.mosaic.hide()
        self.folder = make_file_widget(self, QgsFileWidget.StorageMode.GetDirectory)
        self.model = QComboBox(self)
        self._model_reason = QLabel(self)
        self._model_reason.setWordWrap(True)
        self._has_chosen_model = False
        self._has_threshold = form is not LANDCOVER
        self.area = AreaWidget(canvas, self)
        self.threshold = OptionSpinBox(THRESHOLD, tr("the model's"), self)
        self.threshold.setMaximum(1.0)
        self.threshold.setSingleStep(0.05)
        self.outputs = {output.name: QCheckBox(tr(output.title), self) for output in form.outputs}
        for output in form.outputs:
            self.outputs[output.name].setChecked(not output.suffix)
        self.target = self._make_target(form.suffix)
        self._advanced = QgsCollapsibleGroupBox(tr("More"), self)
        self.bands = QLineEdit(self)
        self.bands.setPlaceholderText(tr("those of the layer's style"))
        self.nodata = OptionNumberEdit(tr(IMAGE_OPTIONS["nodata"].default_text), self)
        self.ignore_alpha = QCheckBox(get_title(IMAGE_OPTIONS["ignore_alpha"]), self)
        self.overlap = OptionSpinBox(IMAGE_OPTIONS["overlap"], tr(IMAGE_OPTIONS["overlap"].default_text), self)
        self.keep_contrast = QCheckBox(get_title(IMAGE_OPTIONS["keep_contrast"]), self)
        self.tta = QCheckBox(get_title(IMAGE_OPTIONS["tta"]), self)
        self.allow_remote = QCheckBox(get_title(IMAGE_OPTIONS["allow_remote"]), self)
        self._options = {name: option for name, option in form.algorithm.OPTIONS.items() if name not in self.outputs}
        self.fields = {
            name: make_option_field(option, tr(option.default_text), self) for name, option in self._options.items()
        }
        self.device = make_suggestion_box(RUNTIME_OPTIONS["device"], self)
        self.runtime = make_suggestion_box(RUNTIME_OPTIONS["runtime"], self)
        self._note = make_note(self, self._open_options)
        self.plan = self.buttons.addButton(tr("Plan"), QDialogButtonBox.ButtonRole.ActionRole)
        self.plan.setToolTip(tr("Load the model, and say how long the run takes and how much memory it needs"))
        self._task: BackgroundTask | None = None
        self._fill()
        self._lay_out()
        self.plan.clicked.connect(self.request_plan)
        self.layer.layerChanged.connect(self._select_default_model)
        self.model.activated.connect(self._keep_model)
        signals = self.layer.layerChanged, self.model.currentIndexChanged, self.area.changed, self.bands.textChanged
        for signal in (*signals, self.mosaic.toggled, self.folder.fileChanged):
            signal.connect(self._refresh)
        self._refresh()

    def set_further_layers(self, layers: Sequence[QgsRasterLayer]) -> None:
        """Offer to join the image with ``layers``, which lie below it in this order."""
        self._further = list(layers)
        names = ", ".join(layer.name() for layer in self._further)[:60]
        self.mosaic.setText(tr("One mosaic with {n} more layers: {names}").format(n=len(self._further), names=names))
        self.mosaic.setChecked(bool(self._further))
        self.mosaic.setVisible(bool(self._further))
        self.schedule_resize()

    def parameters(self) -> dict[str, Any]:
        """Return the parameters for the algorithm."""
        layer, numbers = self.layer.currentLayer(), {"OVERLAP": self.overlap, "NODATA": self.nodata}
        if self._has_threshold:
            numbers["THRESHOLD"] = self.threshold
        fields = {**numbers, **self.fields}
        values: dict[str, Any] = {
            "INPUT": layer.id() if layer else None,
            "MODEL": self.model.currentData() or "",
            "TTA": self.tta.isChecked(),
            "KEEP_CONTRAST": self.keep_contrast.isChecked(),
            "IGNORE_ALPHA": self.ignore_alpha.isChecked(),
            "DEVICE": self.device.currentText(),
            "RUNTIME": self.runtime.currentText(),
            "OUTPUT": self._make_output_path(self._form.suffix, ""),
            "ALLOW_REMOTE": self.allow_remote.isChecked(),
            "FOLDER": self.folder.filePath().strip(),
            **self.area.parameters(),
            **{name: value for name, field in fields.items() if (value := field.get_value()) is not None},
        }
        if self.mosaic.isChecked():
            values["MORE"] = [each.id() for each in self._further if layer is None or each.id() != layer.id()]
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
        self._run(parameters)

    def request_plan(self) -> None:
        """Ask the engine for the plan of the run, and show it in the note."""
        algorithm, context = self._form.algorithm(self._plugin), QgsProcessingContext()
        algorithm.initAlgorithm({})
        context.setProject(QgsProject.instance())
        inputs = RunInputs(algorithm, self.parameters(), context, QgsProcessingFeedback(False))
        try:
            algorithm.prepare(inputs)
        except EngineError as error:
            self._note.setText(str(error))
            return

        def make_plan(task: BackgroundTask) -> str:
            plan = algorithm.request_plan(inputs, task.isCanceled)
            return f"{format_plan(plan)}. {format_device(plan)}"

        self.plan.setEnabled(False)
        self._note.setText(tr("Loading the model…"))
        self._task = BackgroundTask(tr("Planning"), make_plan).start(self._show_plan, self._show_plan)

    def _show_plan(self, text: str) -> None:
        self._task = None
        self._refresh()
        self._note.setText(text)
        self.schedule_resize()

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

    def _fill(self) -> None:
        settings = self._plugin.get_settings()
        self._fill_models()
        self.device.setCurrentText(settings.device)
        self.runtime.setCurrentText(settings.runtime)

    def _fill_models(self) -> None:
        task = self._form.algorithm.TASK
        chosen = self.model.currentData()
        self.model.clear()
        for model in list_models_for_task(self._plugin.list_models(), task):
            resolution = f"{model.resolution:g} m"
            has_resolution = not model.resolution or resolution in model.title
            title = model.get_title()
            self.model.addItem(title if has_resolution else f"{title} – {resolution}", model.reference)
            self.model.setItemData(self.model.count() - 1, model.details, Qt.ItemDataRole.ToolTipRole)
        self._has_chosen_model = self._has_chosen_model and self.model.findData(chosen) >= 0
        if self._has_chosen_model:
            self.model.setCurrentIndex(self.model.findData(chosen))
        else:
            self._select_default_model()

    def _select_default_model(self, *_changed: object) -> None:
        """Select the model that fits the image, and say why, until the user chooses one."""
        if self._has_chosen_model:
            return
        pixel = measure_pixel(self.layer.currentLayer())
        model, reason, _ = self._plugin.choose_model(self._form.algorithm.TASK, "", pixel)
        if model is not None:
            self.model.setCurrentIndex(max(0, self.model.findData(model.reference)))
        self._show_model_reason(reason)

    def _keep_model(self, *_index: object) -> None:
        """Keep the model that the user chose, whatever the image."""
        self._has_chosen_model = True
        self._show_model_reason("")

    def _show_model_reason(self, reason: str) -> None:
        self._model_reason.setText(reason)
        self._model_reason.setVisible(bool(reason))
        self.schedule_resize()

    def _open_options(self) -> None:
        """Show the options, where an engine or a model may be added, and update what depends on them."""
        self._show_options()
        self._fill_models()
        self._refresh()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Image"), self.layer)
        form.addRow("", self.mosaic)
        form.addRow(tr("Model"), self.model)
        form.addRow("", self._model_reason)
        form.addRow(tr("Area"), self.area)
        if self._has_threshold:
            form.addRow(get_title(THRESHOLD), self.threshold)
        else:
            self.threshold.hide()
        form.addRow(tr("Save to"), self.target)
        for index, box in enumerate(self.outputs.values()):
            form.addRow(tr("Also make") if index == 0 else "", box)
        more = QFormLayout(self._advanced)
        self.folder.setToolTip(tr("Folder with further images of the mosaic"))
        more.addRow(tr("Folder of images"), self.folder)
        for name, option in self._options.items():
            more.addRow(get_title(option), self.fields[name])
        options = {**IMAGE_OPTIONS, **RUNTIME_OPTIONS}
        for name in _FURTHER:
            field = getattr(self, name)
            if isinstance(field, QCheckBox):  # has its title itself
                more.addRow(field)
            else:
                more.addRow(get_title(options[name]), field)
        self._advanced.setCollapsed(True)
        self.lay_out_column(form, self._advanced, self._note, width=460)
        self._advanced.collapsedStateChanged.connect(self.schedule_resize)
        self.schedule_resize()

    def _refresh(self, *_changed: object) -> None:
        """Update buttons and note. A method, not a lambda: Qt disconnects methods when the dialog is deleted."""
        problem = self._explain_problem()
        self.ok.setEnabled(not problem)
        self.plan.setEnabled(not problem and self._task is None and bool(get_local_file(self.layer.currentLayer())))
        self._note.setText(problem or self._format_estimate())

    def _explain_problem(self) -> str:
        """Return why the run cannot start yet; empty where it can."""
        missing = explain_missing_engine(self._plugin.get_settings())
        if missing:
            return add_options_link(missing)
        if self.layer.currentLayer() is None:
            return tr("There is no raster layer in the project.")
        if self.model.count() == 0:
            return add_options_link(
                tr("There is no model for this task yet. Add one in Settings > Options > TerraSpore.")
            )
        if not all(band.isdigit() for band in self._split_bands()):
            return tr("Bands are numbers, such as 1,2,3.")
        return self.area.explain_problem()

    def _split_bands(self) -> list[str]:
        return [band for band in self.bands.text().replace(" ", "").split(",") if band]

    def _format_estimate(self) -> str:
        """Return the size of the run for the note; empty where it is unknown, as that of a mosaic is."""
        layer = self.layer.currentLayer()
        model = self._plugin.choose_model(self._form.algorithm.TASK, self.model.currentData() or "").model
        box = self.area.get_extent_in(layer)
        if box.isEmpty():
            return tr("The area lies outside of the layer.")
        if model is None or not layer.crs().isValid() or self.mosaic.isChecked() or self.folder.filePath():
            return ""
        try:
            unit_x, unit_y = measure_units_per_metre(layer.crs().toWkt(), box)
        except ValueError:
            return ""
        chosen_overlap = self.overlap.get_value()
        overlap = (model.overlap or DEFAULT_OVERLAP) if chosen_overlap is None else int(chosen_overlap)
        width, height = box.width() / unit_x, box.height() / unit_y
        if (size := estimate_run_size(width, height, model.resolution, model.tile or DEFAULT_TILE, overlap)) is None:
            return ""
        return tr("{width} × {height} pixels at {resolution} m; tiles: about {tiles}.").format(
            width=size.width, height=size.height, resolution=f"{model.resolution:g}", tiles=size.tiles
        )
