"""The options page with its parts: engine, models, performance; and its registration with QGIS."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory, QgsScrollArea
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QVBoxLayout, QWidget

from ..context import PluginContext
from ..dialogs.fields import make_button, make_count_box, make_file_widget, make_row, make_suggestion_box
from ..dialogs.model_dialog import ModelDialog
from ..engine.environment import clear_cache, get_cache_folder, get_models_folder, measure_cache
from ..engine.models import TASK_TITLES, find_default_model, list_models, list_models_for_task
from ..i18n import tr
from ..paths import BUNDLED_MODELS, icon_path
from ..processing.parameters import IMAGE_OPTIONS, RUNTIME_OPTIONS, get_title
from ..settings import MODEL_SETTINGS, Settings, save_settings
from .engine_box import EngineBox


class PerformanceBox(QGroupBox):
    """The part of the page about how the engine computes.

    Args:
        parent: the page.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Computation"), parent)
        self.choices = {name: make_suggestion_box(RUNTIME_OPTIONS[name], self) for name in ("device", "runtime")}
        self.numbers = {
            "threads": make_count_box(self, 256, tr(RUNTIME_OPTIONS["threads"].default_text)),
            "memory": make_count_box(self, 1 << 20, tr(IMAGE_OPTIONS["memory"].default_text), step=500),
            "tile": make_count_box(self, 8192, tr(IMAGE_OPTIONS["tile"].default_text), step=32),
            "keep_minutes": make_count_box(self, 24 * 60, tr("end at once")),
            "unresponsive_seconds": make_count_box(self, 3600, ""),
            "cache_megabytes": make_count_box(self, 1 << 20, tr("no limit"), step=500),
        }
        self.numbers["tile"].setToolTip(tr("Smaller tiles need less memory"))
        self.numbers["unresponsive_seconds"].setMinimum(10)
        directory = QgsFileWidget.StorageMode.GetDirectory
        self.cache = make_file_widget(self, directory, str(get_cache_folder(Settings())))
        self._cache_size = QLabel(self)
        self.clear = make_button(self, tr("Empty the cache"), self._empty_cache)
        self._settings = Settings()
        form = QFormLayout(self)
        for name, field in {**self.choices, "threads": self.numbers["threads"]}.items():
            form.addRow(get_title(RUNTIME_OPTIONS[name]), field)
        for name in ("memory", "tile"):
            form.addRow(get_title(IMAGE_OPTIONS[name]), self.numbers[name])
        form.addRow(tr("Keep the engine loaded for minutes"), self.numbers["keep_minutes"])
        form.addRow(tr("End an engine without answer after seconds"), self.numbers["unresponsive_seconds"])
        form.addRow(tr("Folder for compiled models"), self.cache)
        form.addRow(tr("Limit of that folder in MB"), self.numbers["cache_megabytes"])
        form.addRow("", make_row(self._cache_size, self.clear, stretched=self._cache_size))

    def values(self) -> dict[str, Any]:
        """Return the settings of this part."""
        return {
            **{name: box.currentText() for name, box in self.choices.items()},
            **{name: box.value() for name, box in self.numbers.items()},
            "cache_folder": self.cache.filePath().strip(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self._settings = settings
        for name, box in self.choices.items():
            box.setCurrentText(getattr(settings, name))
        for name, box in self.numbers.items():
            box.setValue(getattr(settings, name))
        self.cache.setFilePath(settings.cache_folder)
        self._show_size()

    def _show_size(self) -> None:
        size = measure_cache(get_cache_folder(self._settings))
        self._cache_size.setText(tr("{size} MB in use").format(size=round(size / 1e6)))

    def _empty_cache(self) -> None:
        clear_cache(get_cache_folder(self._settings))
        self._show_size()


class ModelsBox(QGroupBox):
    """The part of the page about models.

    Args:
        plugin: the engine's processes, to check a model that is added.
        gather: returns the settings of the whole page.
        parent: the page.
    """

    def __init__(self, plugin: PluginContext, gather: Callable[[], Settings], parent: QWidget) -> None:
        super().__init__(tr("Models"), parent)
        self._plugin, self._gather = plugin, gather
        self.choices = {task: QComboBox(self) for task in MODEL_SETTINGS}
        for choice in self.choices.values():  # else the longest title makes the page wider than the dialog
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(30)
        directory = QgsFileWidget.StorageMode.GetDirectory
        self.folder = make_file_widget(self, directory, str(get_models_folder(Settings())))
        self.add = make_button(self, tr("Add a model…"), self.open_dialog)
        self.add.setToolTip(tr("A model's folder, its zip, or a .ckpt, .onnx or .mindir file"))
        self._count = QLabel(self)
        form = QFormLayout(self)
        for task, choice in self.choices.items():
            form.addRow(tr(TASK_TITLES[task]), choice)
        form.addRow(tr("Folder of your models"), self.folder)
        form.addRow("", make_row(self._count, self.add, stretched=self._count))
        self.folder.fileChanged.connect(lambda _path: self._fill(self._gather()))

    def values(self) -> dict[str, Any]:
        """Return the settings of this part."""
        chosen = {MODEL_SETTINGS[task]: choice.currentData() or "" for task, choice in self.choices.items()}
        return {**chosen, "models_folder": self.folder.filePath().strip()}

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self.folder.setFilePath(settings.models_folder)
        self._fill(settings)

    def open_dialog(self) -> ModelDialog:
        """Ask for a model and add it."""
        dialog = ModelDialog(self._plugin, self._gather(), self)
        dialog.added.connect(self._added)
        dialog.show()
        return dialog

    def _added(self, reference: str, task: str) -> None:
        """Show the new model, and choose it for its task if no model was chosen."""
        name, settings = MODEL_SETTINGS[task], self._gather()
        self._fill(settings if getattr(settings, name) else dataclasses.replace(settings, **{name: reference}))

    def _fill(self, settings: Settings) -> None:
        models = list_models(BUNDLED_MODELS, [get_models_folder(settings)])
        for task, choice in self.choices.items():
            choice.clear()
            default = find_default_model(models, task)
            choice.addItem(
                tr("automatic: {model}").format(model=default.get_title()) if default else tr("none yet"), ""
            )
            for model in list_models_for_task(models, task):
                choice.addItem(model.get_title(), model.reference)
            choice.setCurrentIndex(max(0, choice.findData(getattr(settings, MODEL_SETTINGS[task]))))
        self._count.setText(tr("Number of models: {n}").format(n=len(models)))


class OptionsPage(QgsOptionsPageWidget):
    """All settings; they are saved when the user clicks OK.

    Args:
        plugin: the engine's processes and the settings.
        parent: the options dialog.
    """

    def __init__(self, plugin: PluginContext, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._plugin = plugin
        self.engine = EngineBox(plugin, self.gather, self)
        self.models = ModelsBox(plugin, self.gather, self)
        self.performance = PerformanceBox(self)
        self._boxes = self.engine, self.models, self.performance
        self._reset = make_button(self, tr("Restore defaults"), lambda: self._show(Settings()))
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        for box in self._boxes:
            column.addWidget(box)
        column.addLayout(make_row(self._reset))
        column.addStretch(1)
        scroll = QgsScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QgsScrollArea.Shape.NoFrame)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._show(plugin.get_settings())

    def apply(self) -> None:
        """Save the settings; an idle engine, which was started with the former ones, is ended."""
        save_settings(self.gather())
        self._plugin.pool.end_idle()

    def helpKey(self) -> str:  # noqa: N802
        """Return the page of QGIS's manual that the Help button opens."""
        return "plugin_manager/plugin_manager"

    def gather(self) -> Settings:
        """Return the settings as the page shows them."""
        settings = self._plugin.get_settings()
        for box in self._boxes:
            settings = dataclasses.replace(settings, **box.values())
        return settings

    def _show(self, settings: Settings) -> None:
        for box in self._boxes:
            box.show_settings(settings)


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page when QGIS's options dialog opens.

    Args:
        plugin: engine and settings.
    """

    #: Name by which QGIS finds the page.
    PAGE = "mOptionsPageTerraSpore"

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self._plugin = plugin
        self.setTitle("TerraSpore")
        self.setIcon(self.icon())

    def icon(self) -> QIcon:
        """Return the page's icon in the list of options."""
        return QIcon(icon_path("terraspore"))

    def createWidget(self, parent: QWidget | None) -> QgsOptionsPageWidget:  # noqa: N802
        """Make a new page."""
        page = OptionsPage(self._plugin, parent)
        page.setObjectName(self.PAGE)
        return page
