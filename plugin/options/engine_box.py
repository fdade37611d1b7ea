"""The engine's environment: what is installed, making, repairing, removing, choosing, testing."""

from __future__ import annotations

import tempfile
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
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..context import PluginContext
from ..engine.env_profiles import FAMILIES, find_family
from ..engine.environment import engine_missing, engine_python, environments_folder, installer_environment, make_launch
from ..engine.errors import EngineError
from ..engine.install import Recipe, Watcher, build, environment_python, remove
from ..engine.interpreters import find_interpreter
from ..engine.process import Listener
from ..i18n import tr
from ..layers.sample import write_sample
from ..paths import LAUNCHER
from ..processing.arguments import vectorize_words
from ..settings import Settings, save_settings
from ..tasks import Work

_MAX_LOG_LINES = 5000


class EngineBox(QGroupBox):
    """The part of the page about the engine's environment.

    Args:
        plugin: the engine's host.
        gather: what the whole page says now.
        parent: the page.
    """

    def __init__(self, plugin: PluginContext, gather: Callable[[], Settings], parent: QWidget) -> None:
        super().__init__(tr("Inference engine"), parent)
        self._plugin, self._gather = plugin, gather
        self._work: Work | None = None
        self._succeeded: Callable[[Any], None] = lambda _value: None
        self.state = QLabel(self)
        self.state.setWordWrap(True)
        self.family = QComboBox(self)
        for family in FAMILIES:
            self.family.addItem(tr(family.title), family.name)
        self.interpreter = _file_widget(self, tr("the plugin's own environment"))
        self.base = _file_widget(self, tr("found automatically"))
        self.index = QLineEdit(self)
        self.index.setPlaceholderText("PyPI")
        self.create = self._button(tr("Create (download)"), lambda: self._build(None))
        self.create_offline = self._button(tr("Create from a folder of wheels…"), self._build_offline)
        self.delete = self._button(tr("Remove"), self._remove)
        self.test = self._button(tr("Test engine"), self._test)
        self.show_log = self._button(tr("Log"), self._open_log)
        self.cancel = self._button(tr("Cancel"), self._cancel)
        self.progress = QProgressBar(self)
        self.log = QPlainTextEdit(self)
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_MAX_LOG_LINES)
        self.log.setMaximumHeight(150)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._lay_out()
        self.family.currentIndexChanged.connect(self._refresh)
        self.interpreter.fileChanged.connect(self._refresh)
        self._set_busy(False)

    def values(self) -> dict[str, Any]:
        """The settings of this part."""
        return {
            "family": self.family.currentData(),
            "interpreter": self.interpreter.filePath().strip(),
            "base_python": self.base.filePath().strip(),
            "package_index": self.index.text().strip(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self.family.setCurrentIndex(max(0, self.family.findData(settings.family)))
        self.interpreter.setFilePath(settings.interpreter)
        self.base.setFilePath(settings.base_python)
        self.index.setText(settings.package_index)
        self._refresh()

    def build_from(self, wheels: Path | None) -> Work:
        """Make the environment that is chosen, from the package index or from the folder ``wheels``."""
        settings = self._gather()
        self._plugin.host.end_idle()

        def work(task: Work) -> str:
            variables = installer_environment()
            base, why = find_interpreter(settings.base_python, variables)
            if base is None:
                raise EngineError(why, tr("Install Python 3.10 to 3.12, or choose one under “Python to make it from”."))
            family = find_family(settings.family)
            target = environments_folder(settings) / family.name
            recipe = Recipe(family, target, base, wheels, LAUNCHER, variables, settings.package_index)
            watcher = Watcher(task.log, lambda share: task.setProgress(100 * share), task.isCanceled)
            python = build(recipe, watcher)
            self._warm_up(replace(settings, interpreter="", family=family.name), task)
            return str(python)

        return self._start(Work(tr("Creating the engine's environment"), work), self._built)

    def _warm_up(self, settings: Settings, task: Work) -> None:
        """Use everything once, so that the first real run does not wait for what is compiled on first use."""
        task.log(tr("Preparing the engine for its first run"))
        with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
            raster = write_sample(Path(folder) / "sample.tif")
            words = vectorize_words("roads", raster, Path(folder) / "roads.gpkg", {})
            self._plugin.host.run(make_launch(settings), words, Listener(log=task.log), task.isCanceled)

    def _build(self, wheels: Path | None) -> None:
        family = find_family(self.family.currentData())
        settings = self._gather()
        question = tr(
            "About {size} MB are downloaded from {index} into {folder}. QGIS's own Python is not changed."
        ).format(
            size=family.download_megabytes,
            index=settings.package_index or "PyPI",
            folder=environments_folder(settings) / family.name,
        )
        if wheels is not None or self._agreed(question):
            self.build_from(wheels)

    def _build_offline(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Folder of wheels"))
        if folder:
            self.build_from(Path(folder))

    def _built(self, python: str) -> None:
        self.interpreter.setFilePath("")
        save_settings(self._gather())
        self._say(tr("The environment is ready: {python}").format(python=python))
        self._test()

    def _remove(self) -> None:
        target = environments_folder(self._gather()) / self.family.currentData()
        if not self._agreed(tr("The environment {folder} is removed.").format(folder=target)):
            return
        self._plugin.host.end_idle()
        self._start(
            Work(tr("Removing the engine's environment"), lambda _task: remove(target)), lambda _: self._refresh()
        )

    def _test(self) -> None:
        settings = self._gather()

        def work(task: Work) -> str:
            listener = Listener(log=task.log)
            launch = make_launch(settings)
            return self._plugin.host.run(launch, ["devices"], listener, task.isCanceled).text

        self._start(Work(tr("Testing the engine"), work), self._tested)

    def _tested(self, text: str) -> None:
        """Show the table in the log, and the choice with its reason, the last paragraph, where it is seen at once."""
        self._say(text)
        self.state.setText(f"{self.state.text()}\n{text.rsplit(chr(10), maxsplit=1)[-1]}")

    def _start(self, work: Work, succeeded: Callable[[Any], None]) -> Work:
        self._work, self._succeeded = work, succeeded
        self.log.clear()
        self._set_busy(True)
        self.progress.setRange(0, 0)
        work.told.connect(self._show_line)
        work.progressChanged.connect(self._show_progress)
        # Methods and no lambdas: Qt lets go of them when the page is closed before the work has ended.
        work.failed.connect(self._failed)
        work.succeeded.connect(self._done)
        return work.start()

    def _done(self, value: Any) -> None:
        self._work = None
        self._set_busy(False)
        self._refresh()
        self._succeeded(value)

    def _failed(self, text: str) -> None:
        self._work = None
        self._set_busy(False)
        self._refresh()
        self._say(text)

    def _say(self, text: str) -> None:
        self.log.appendPlainText(text)
        self.log.setVisible(True)
        self.log.horizontalScrollBar().setValue(0)

    def _show_line(self, line: str) -> None:
        self.log.appendPlainText(line)

    def _show_progress(self, percent: float) -> None:
        self.progress.setRange(0, 100)
        self.progress.setValue(round(percent))

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _set_busy(self, busy: bool) -> None:
        for button in (self.create, self.create_offline, self.delete, self.test):
            button.setEnabled(not busy)
        self.progress.setVisible(busy)
        self.cancel.setVisible(busy)
        self.log.setVisible(busy or bool(self.log.toPlainText()))

    def _refresh(self, *_changed: object) -> None:
        settings = replace(self._plugin.load(), **self.values())
        missing = engine_missing(settings)
        python = engine_python(settings)
        self.state.setText(missing or tr("Installed: {python}").format(python=python))
        own = environment_python(environments_folder(settings) / settings.family).is_file()
        self.create.setText(tr("Repair (download)") if own else tr("Create (download)"))
        self.delete.setEnabled(own and self._work is None)

    def _open_log(self) -> None:
        settings = self._gather()
        log = environments_folder(settings) / f"{settings.family}.log"
        if log.is_file():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(log)))
        else:
            self._say(tr("There is no log of a set-up yet."))

    def _agreed(self, question: str) -> bool:
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(self, "TerraSpore", question, buttons.Ok | buttons.Cancel)
        return answer == buttons.Ok

    def _button(self, text: str, clicked: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.clicked.connect(lambda _checked=False: clicked())
        return button

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("State"), self.state)
        form.addRow(tr("Environment for"), self.family)
        form.addRow(tr("Existing interpreter instead"), self.interpreter)
        form.addRow(tr("Python to make it from"), self.base)
        form.addRow(tr("Package index"), self.index)
        first, second = QHBoxLayout(), QHBoxLayout()
        for button in (self.create, self.create_offline, self.delete):
            first.addWidget(button)
        for widget in (self.test, self.show_log, self.progress, self.cancel):
            second.addWidget(widget)
        for row in (first, second):
            row.addStretch(1)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addLayout(first)
        column.addLayout(second)
        column.addWidget(self.log)


def _file_widget(parent: QWidget, empty: str) -> QgsFileWidget:
    widget = QgsFileWidget(parent)
    widget.setStorageMode(QgsFileWidget.StorageMode.GetFile)
    widget.lineEdit().setPlaceholderText(empty)
    return widget
