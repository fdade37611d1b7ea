"""The dialog that adds a model: a folder with a card, or a weights file and the facts about it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLineEdit, QPlainTextEdit, QWidget

from ..context import PluginContext
from ..engine.environment import get_models_folder, make_launch
from ..engine.models import (
    CARD,
    TASK_TITLES,
    explain_invalid_name,
    list_architectures,
    make_install_arguments,
    read_model_info,
    unpack_model,
)
from ..engine.process import Listener
from ..i18n import tr
from ..settings import Settings
from ..tasks import BackgroundTask
from .fields import FormDialog, WrappedLabel, make_button, make_file_widget, make_row

SUFFIXES = "*.ckpt *.onnx *.mindir *.zip"
#: Text fields: option of the engine -> (English title, example).
_TEXTS = {
    "classes": ("Classes, in the order of the channels", "road"),
    "resolution": ("Ground resolution in m", "0.5"),
    "bands": ("Number of bands", "3"),
    "mean": ("Mean of each band (of values divided by 255)", "0.485,0.456,0.406"),
    "std": ("Deviation of each band", "0.229,0.224,0.225"),
    "tile": ("Tile in pixels", "512"),
    "threshold": ("Threshold", "0.5"),
    "output-name": ("Output of the network, if it has several", "logits"),
}


class ModelDialog(FormDialog):
    """Adds a model after the engine has checked it; has fields for the facts that a weights file lacks.

    Args:
        plugin: engine and settings.
        settings: the settings as the options page shows them.
        parent: the options page.
    """

    added = pyqtSignal(str, str)

    def __init__(self, plugin: PluginContext, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__("model", tr("Add a model"), parent)
        self._plugin, self._settings = plugin, settings
        self._task: BackgroundTask | None = None
        self.file = make_file_widget(self, QgsFileWidget.StorageMode.GetFile)
        self.file.setFilter(f"{tr('Models')} ({SUFFIXES} {CARD})")
        self.folder = make_button(self, tr("Folder…"), self._choose_folder)
        self.name = QLineEdit(self)
        self.task = QComboBox(self)
        for task, title in TASK_TITLES.items():
            self.task.addItem(tr(title), task)
        self.architecture = QComboBox(self)
        self.architecture.addItems(["", *list_architectures()])
        self.architecture.setEditable(True)
        self.texts = {name: QLineEdit(self) for name in _TEXTS}
        self.hint = WrappedLabel(self)
        self.card = QPlainTextEdit(self)
        self.card.setReadOnly(True)
        self.message = WrappedLabel(self)
        self.ok.setText(tr("Check and add"))
        self._lay_out()
        self.file.fileChanged.connect(self._show_choice)
        self._show_choice("")

    def facts(self) -> dict[str, str]:
        """Return the facts about a weights file by the engine's option; empty ones are taken from the file."""
        texts = {name: field.text().strip().replace(" ", "") for name, field in self.texts.items()}
        texts["classes"] = self.texts["classes"].text().strip()
        return {"task": self.task.currentData(), "architecture": self.architecture.currentText().strip(), **texts}

    def accept(self) -> None:
        """Check the model with the engine, add it and close."""
        path, name = Path(self.file.filePath().strip()), self.name.text().strip()
        target = get_models_folder(self._settings)
        problem = explain_invalid_name(name, target)
        if problem:
            self.message.setText(problem)
            return
        facts = {} if _has_card(path) else self.facts()
        settings, pool = self._settings, self._plugin.pool

        def install(task: BackgroundTask) -> tuple[str, str]:
            with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
                model = unpack_model(path, Path(folder)) if path.suffix.lower() == ".zip" else path
                arguments = make_install_arguments(model, target / name, facts, settings)
                result = pool.run(make_launch(settings), arguments, Listener(on_log=task.log), task.isCanceled)
            return str(target / name), str(result.summary.get("task", "segmentation"))

        self._set_busy(True)
        self._task = BackgroundTask(tr("Checking the model"), install).start(self._succeeded, self._failed)

    def reject(self) -> None:
        """Cancel the check, or close."""
        if self._task is not None:
            self._task.cancel()
        else:
            super().reject()

    def _succeeded(self, value: tuple[str, str]) -> None:
        self._task = None
        self.added.emit(*value)
        super().accept()

    def _failed(self, text: str) -> None:
        self._task = None
        self._set_busy(False)
        self.message.setText(text)

    def _set_busy(self, busy: bool) -> None:
        self.ok.setEnabled(not busy)
        self.message.setText(tr("Checking the model…") if busy else "")

    def _show_choice(self, text: str) -> None:
        path = Path(text.strip())
        known = bool(text.strip()) and path.exists()
        has_card = known and _has_card(path)
        self.ok.setEnabled(known)
        self._facts.setVisible(known and not has_card)
        self.card.setVisible(has_card)
        self.hint.setVisible(not has_card)
        self.schedule_resize()
        if not known:
            self.hint.setText(tr("Choose a weights file or a model's folder."))
            return
        self.name.setText(path.parent.name if path.name == CARD else path.name if path.is_dir() else path.stem)
        self.hint.setText(tr("It has no card. Empty fields are taken from the file."))
        self.card.setPlainText(self._describe(path) if has_card else "")
        self.architecture.setEnabled(path.suffix.lower() == ".ckpt")

    def _describe(self, path: Path) -> str:
        if path.suffix.lower() == ".zip":
            return tr("A packed model; its card is checked when it is added.")
        info = read_model_info(path if path.is_dir() else path.parent, is_bundled=False)
        if info is None:
            return tr("The card cannot be read.")
        facts = tr("{title} – {task}, {resolution} m, {bands} bands").format(
            title=info.title,
            task=tr(TASK_TITLES.get(info.task, info.task)),
            resolution=f"{info.resolution:g}",
            bands=info.bands,
        )
        return f"{facts}\n{info.details}"

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Model's folder"))
        if folder:
            self.file.setFilePath(folder)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("File"), make_row(self.file, self.folder, stretched=self.file))
        form.addRow(tr("Name"), self.name)
        self._facts = QWidget(self)
        facts = QFormLayout(self._facts)
        facts.setContentsMargins(0, 0, 0, 0)
        facts.addRow(tr("Task"), self.task)
        facts.addRow(tr("Architecture"), self.architecture)
        for name, (title, example) in _TEXTS.items():
            self.texts[name].setPlaceholderText(tr("for example {value}").format(value=example))
            facts.addRow(tr(title), self.texts[name])
        self.lay_out_column(form, self.hint, self.card, self._facts, self.message, width=680)


def _has_card(path: Path) -> bool:
    """Whether ``path`` is a packed model, a card, a folder with one, or weights that the card beside them names."""
    if path.name == CARD or path.suffix.lower() == ".zip" or path.is_dir():
        return not path.is_dir() or (path / CARD).is_file()
    info = read_model_info(path.parent, is_bundled=False)
    return info is not None and info.weights.name == path.name
