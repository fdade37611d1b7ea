"""Models on the options page: default models, the folder of models, and adding a model from a file."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QWidget

from ..context import PluginContext
from ..dialogs.fields import make_button, make_file_widget, make_row
from ..dialogs.model_dialog import ModelDialog
from ..engine.environment import get_models_folder
from ..engine.models import find_default_model, list_models, list_models_for_task
from ..i18n import tr
from ..paths import BUNDLED_MODELS
from ..settings import MODEL_SETTINGS, Settings


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
        titles = (tr("Roads"), tr("Land cover"), tr("Other segmentation"))
        for title, choice in zip(titles, self.choices.values()):
            form.addRow(title, choice)
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
            choice.addItem(tr("automatic: {model}").format(model=default.title) if default else tr("none yet"), "")
            for model in list_models_for_task(models, task):
                choice.addItem(model.title, model.reference)
            choice.setCurrentIndex(max(0, choice.findData(getattr(settings, MODEL_SETTINGS[task]))))
        self._count.setText(tr("Number of models: {n}").format(n=len(models)))
