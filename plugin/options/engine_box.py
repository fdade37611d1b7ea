"""The engine's environment on the options page: create, repair, remove, choose and test it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices, QFontDatabase
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ..context import PluginContext
from ..dialogs.fields import WrappedLabel, make_button, make_file_widget, make_row
from ..engine.env_profiles import ENV_PROFILES, find_profile
from ..engine.environment import explain_missing_engine, get_engine_python, get_environments_folder, make_launch
from ..engine.install import get_env_python, remove_environment
from ..engine.preparation import describe_set_up, set_up_engine
from ..engine.process import Listener
from ..i18n import tr
from ..settings import Settings, save_settings
from ..tasks import BackgroundTask

_MAX_LOG_LINES = 5000


class EngineBox(QGroupBox):
    """The part of the page about the engine's environment.

    Args:
        plugin: engine and settings.
        gather: returns the settings of the whole page.
        parent: the page.
    """

    def __init__(self, plugin: PluginContext, gather: Callable[[], Settings], parent: QWidget) -> None:
        super().__init__(tr("Inference engine"), parent)
        self._plugin, self._gather = plugin, gather
        self._task: BackgroundTask | None = None
        self.state = WrappedLabel(self)
        self.env_profile = QComboBox(self)
        for profile in ENV_PROFILES:
            self.env_profile.addItem(tr(profile.title), profile.name)
        existing = QgsFileWidget.StorageMode.GetFile
        self.interpreter = make_file_widget(self, existing, tr("the plugin's own environment"))
        self.base = make_file_widget(self, existing, tr("found automatically"))
        self.effort = WrappedLabel(self)
        self.index = QLineEdit(self)
        self.index.setPlaceholderText("PyPI")
        self.create = make_button(self, tr("Create (download)"), self._build)
        self.create_offline = make_button(self, tr("Create from a folder of wheels…"), self._build_offline)
        self.delete = make_button(self, tr("Remove"), self._remove)
        self.test = make_button(self, tr("Test engine"), self._test)
        self.show_log = make_button(self, tr("Log"), self._open_log)
        self.cancel = make_button(self, tr("Cancel"), self._cancel)
        self.progress = QProgressBar(self)
        self.log = QPlainTextEdit(self)
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MAX_LOG_LINES)
        self.log.setMaximumHeight(150)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._lay_out()
        self.env_profile.currentIndexChanged.connect(self._refresh)
        self.interpreter.fileChanged.connect(self._refresh)
        self._set_busy(False)

    def values(self) -> dict[str, Any]:
        """Return the settings of this part."""
        return {
            "env_profile": self.env_profile.currentData(),
            "interpreter": self.interpreter.filePath().strip(),
            "base_python": self.base.filePath().strip(),
            "package_index": self.index.text().strip(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self.env_profile.setCurrentIndex(max(0, self.env_profile.findData(settings.env_profile)))
        self.interpreter.setFilePath(settings.interpreter)
        self.base.setFilePath(settings.base_python)
        self.index.setText(settings.package_index)
        self._refresh()

    def build_from(self, wheels: Path | None) -> BackgroundTask:
        """Create the chosen environment from the package index, or from the folder ``wheels``."""
        settings = self._gather()
        self._plugin.pool.end_idle()

        def build(task: BackgroundTask) -> str:
            return str(set_up_engine(self._plugin.pool, settings, wheels, task.make_observer()))

        return self._start(BackgroundTask(tr("Creating the engine's environment"), build), self._built)

    def _build(self) -> None:
        profile = find_profile(self.env_profile.currentData())
        settings = self._gather()
        question = tr("Packages are downloaded from {index} into {folder}. QGIS's own Python is not changed.").format(
            index=settings.package_index or "PyPI", folder=get_environments_folder(settings) / profile.name
        )
        question += "\n\n" + describe_set_up(profile)
        if self._confirm(question):
            self.build_from(None)

    def _build_offline(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder of wheels"))
        if folder:
            self.build_from(Path(folder))

    def _built(self, python: str) -> None:
        self.interpreter.setFilePath("")
        save_settings(replace(self._plugin.get_settings(), **self.values()))  # the rest of the page waits for OK
        self._append_log(tr("The environment is ready: {python}").format(python=python))
        self._test()

    def _remove(self) -> None:
        target = get_environments_folder(self._gather()) / self.env_profile.currentData()
        if not self._confirm(tr("The environment {folder} is removed.").format(folder=target)):
            return
        self._plugin.pool.end_idle()
        task = BackgroundTask(tr("Removing the engine's environment"), lambda _task: remove_environment(target))
        self._start(task, self._refresh)

    def _test(self) -> None:
        settings = self._gather()

        def test(task: BackgroundTask) -> str:
            log = Listener(on_log=task.log)
            return self._plugin.pool.run(make_launch(settings), ["devices"], log, task.isCanceled).text

        self._start(BackgroundTask(tr("Testing the engine"), test), self._tested)

    def _tested(self, text: str) -> None:
        """Show the table of devices in the log, and its last line, the choice with its reason, as the state."""
        self._append_log(text)
        self.state.setText(f"{self.state.text()}\n{text.rsplit(chr(10), maxsplit=1)[-1]}")

    def _start(self, task: BackgroundTask, succeeded: Callable[[Any], None]) -> BackgroundTask:
        self._task = task
        self.log.clear()
        self._set_busy(True)
        self.progress.setRange(0, 0)
        task.message.connect(self.log.appendPlainText)
        task.progressChanged.connect(self._show_progress)
        task.failed.connect(self._forget_task)
        task.succeeded.connect(self._forget_task)
        return task.start(succeeded, self._show_failure)

    def _forget_task(self, _outcome: object) -> None:
        self._task = None
        self._set_busy(False)
        self._refresh()

    def _append_log(self, text: str) -> None:
        self.log.appendPlainText(text)
        self.log.setVisible(True)
        self.log.horizontalScrollBar().setValue(0)

    def _show_failure(self, text: str) -> None:
        """Show why a task failed as the state, where it is wrapped, and in the log."""
        self._append_log(text)
        self.state.setText(text)

    def _show_progress(self, percent: float) -> None:
        self.progress.setRange(0, 100)
        self.progress.setValue(round(percent))

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _set_busy(self, busy: bool) -> None:
        for button in (self.create, self.create_offline, self.delete, self.test):
            button.setEnabled(not busy)
        self.progress.setVisible(busy)
        self.cancel.setVisible(busy)
        self.log.setVisible(busy or bool(self.log.toPlainText()))

    def _refresh(self, *_changed: object) -> None:
        settings = replace(self._plugin.get_settings(), **self.values())
        missing = explain_missing_engine(settings)
        python = get_engine_python(settings)
        self.state.setText(missing or tr("Installed: {python}").format(python=python))
        self.effort.setText(describe_set_up(find_profile(settings.env_profile)))
        own = get_env_python(get_environments_folder(settings) / settings.env_profile).is_file()
        self.create.setText(tr("Repair (download)") if own else tr("Create (download)"))
        self.delete.setEnabled(own and self._task is None)

    def _open_log(self) -> None:
        settings = self._gather()
        log = get_environments_folder(settings) / f"{settings.env_profile}.log"
        if log.is_file():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(log)))
        else:
            self._append_log(tr("There is no log of a set-up yet."))

    def _confirm(self, question: str) -> bool:
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(self, "TerraSpore", question, buttons.Ok | buttons.Cancel)
        return answer == buttons.Ok

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("State"), self.state)
        form.addRow(tr("Environment for"), self.env_profile)
        form.addRow(tr("Size and time"), self.effort)
        form.addRow(tr("Existing interpreter instead"), self.interpreter)
        form.addRow(tr("Python to make it from"), self.base)
        form.addRow(tr("Package index"), self.index)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addLayout(make_row(self.create, self.create_offline, self.delete))
        column.addLayout(make_row(self.test, self.show_log, self.progress, self.cancel))
        column.addWidget(self.log)
