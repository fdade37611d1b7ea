"""Run an algorithm in QGIS's task manager, show its progress, and add its results to the project.

The engine keeps the finished part of a long run in a journal beside the output, so that the run can be resumed;
``engine.fs.journal`` reads it with the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorLayer,
)
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt.QtCore import QCoreApplication, QDateTime, QLocale, QObject, Qt, QTimer, QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QMessageBox, QProgressBar, QWidget

from ..__about__ import __version__
from ..engine.fs.journal import UnfinishedRun, find_unfinished_run
from .dialogs.fields import WrappedLabel, make_button, make_row
from .i18n import tr
from .layers.geopackage import get_destination_file
from .layers.results import LayerStyler, group_layer, style_layer
from .log import log_info, log_warning
from .review.session import is_reviewable


def find_resumable_run(output: str, image: Path | None = None) -> UnfinishedRun | None:
    """Find the run of ``output`` that can be resumed; None where there is none.

    Args:
        output: the file that a run is to write.
        image: the image of the run that is about to start; None for any image.
    """
    if not output or output == QgsProcessing.TEMPORARY_OUTPUT:
        return None
    found = find_unfinished_run(Path(output).absolute(), __version__)
    if found is None or found.changed is not None or (image is not None and found.image != image):
        return None
    return found


def compute_percent(run: UnfinishedRun) -> int:
    """Compute the finished part of ``run`` in percent, rounded down, so that it is never 100."""
    return int(100 * run.fraction)


class ResumeDialog(QMessageBox):
    """Asks whether to resume a run.

    Args:
        run: the unfinished run.
        parent: the dialog that is about to start a run.
    """

    def __init__(self, run: UnfinishedRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("terraspore-resume")
        self.setWindowTitle("TerraSpore")
        self.setIcon(QMessageBox.Icon.Question)
        date = QLocale().toString(
            QDateTime.fromSecsSinceEpoch(int(run.date.timestamp())), QLocale.FormatType.ShortFormat
        )
        percent = compute_percent(run)
        text = tr("A run that was to write {name} came to {percent} % and ended on {date}.")
        self.setText(text.format(name=run.output.name, percent=percent, date=date))
        self.setInformativeText(tr("With the same settings it can go on from there."))
        roles = QMessageBox.ButtonRole
        self.resume = self.addButton(tr("Continue from {percent} %").format(percent=percent), roles.AcceptRole)
        self.restart = self.addButton(tr("Start anew"), roles.DestructiveRole)
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(self.resume)

    def ask(self) -> bool | None:
        """Show the dialog; True to resume, False to start anew, None where the user cancelled."""
        self.exec()
        clicked = self.clickedButton()
        return True if clicked == self.resume else False if clicked == self.restart else None


#: Messages appear after QGIS's own "Task complete", which would cover them.
_MESSAGE_DELAY_MS = 400
#: More warnings than these are only in the log.
_SHOWN_WARNINGS = 2


class RunFeedback(QgsProcessingFeedback):
    """Writes everything to the log panel, and stores what the message bar shows.

    Attributes:
        message: signal with the text beside the progress bar.
        error: the first error.
        last: the last information.
        warnings: all warnings.
    """

    message = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__(False)
        self.error = ""
        self.last = ""
        self.warnings: list[str] = []

    def pushInfo(self, info: str) -> None:  # noqa: N802
        """Log the sentence, and store it: the last one describes the result."""
        self.last = info
        log_info(info)

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        """Log and store a warning."""
        self.warnings.append(warning)
        log_warning(warning)

    def pushConsoleInfo(self, info: str) -> None:  # noqa: N802
        """Log the output of a library."""
        log_info(info)

    def setProgressText(self, text: str) -> None:  # noqa: N802
        """Emit the text for the message bar."""
        self.message.emit(text)

    def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: N802
        """Log the error, and store the first one; QGIS's own errors after it say less."""
        self.error = self.error or error
        log_warning(error)


class Run(QObject):
    """A run that was started from a dialog. It deletes itself at its end.

    Args:
        iface: QGIS's interface.
        algorithm: the algorithm.
        parameters: its parameters.
        parent: its owner.
        review: opens the review of a road layer.
    """

    ended = pyqtSignal(bool, dict)

    def __init__(
        self,
        iface: Any,
        algorithm: QgsProcessingAlgorithm,
        parameters: Mapping[str, Any],
        parent: QObject,
        review: Callable[[QgsVectorLayer], Any] | None = None,
    ) -> None:
        super().__init__(parent)
        self._iface, self._review = iface, review
        self._algorithm = algorithm.create()
        self._context = QgsProcessingContext()
        self._context.setProject(QgsProject.instance())
        self._context.setTransformContext(QgsProject.instance().transformContext())
        self._feedback = RunFeedback()
        self._context.setFeedback(self._feedback)
        self._parameters = _mark_destinations(self._algorithm, parameters)
        self._item: Any = None
        self._progress: QProgressBar | None = None
        self.task: QgsProcessingAlgRunnerTask | None = None

    def start(self) -> None:
        """Start the run in the task manager."""
        can, why = self._algorithm.canExecute()
        checked, problem = self._algorithm.checkParameterValues(self._parameters, self._context)
        if not (can and checked):
            self._fail(why or problem)
            return
        try:
            self.task = QgsProcessingAlgRunnerTask(self._algorithm, self._parameters, self._context, self._feedback)
        except QgsProcessingException as error:
            self._fail(str(error))
            return
        self._show_progress(self.task)
        self.task.executed.connect(self._on_executed)
        QgsApplication.taskManager().addTask(self.task)

    def cancel(self) -> None:
        """Ask the run to stop."""
        self._feedback.cancel()

    def _show_progress(self, task: QgsProcessingAlgRunnerTask) -> None:
        bar = self._iface.messageBar()
        self._item = bar.createMessage(self._algorithm.displayName(), tr("Loading the model…"))
        self._progress = QProgressBar(self._item)
        self._progress.setMaximumWidth(220)
        self._progress.setRange(0, 0)  # busy, until the engine has loaded the model
        cancel = make_button(self._item, tr("Cancel"), self.cancel)
        cancel.setObjectName("terraspore-cancel")
        self._item.layout().addWidget(self._progress)
        self._item.layout().addWidget(cancel)
        task.progressChanged.connect(self._show_share)
        self._feedback.message.connect(self._show_text, Qt.ConnectionType.QueuedConnection)
        self._item.destroyed.connect(self._forget_item)
        bar.pushWidget(self._item, Qgis.MessageLevel.Info)

    def _show_text(self, text: str) -> None:
        if self._item is not None:
            self._item.setText(text)

    def _show_share(self, percent: float) -> None:
        if self._progress is not None:
            self._progress.setRange(0, 100)
            self._progress.setValue(round(percent))

    def _forget_item(self) -> None:
        """Forget the message's widgets, which the user may close while the run goes on."""
        self._item = self._progress = None

    def _on_executed(self, successful: bool, results: dict[str, Any]) -> None:
        self._clear_progress()
        if self._feedback.isCanceled():
            bar, title = self._iface.messageBar(), self._algorithm.displayName()
            text = tr("Cancelled; nothing was written.")
            self._show_later(lambda: bar.pushMessage(title, text, Qgis.MessageLevel.Info))
        elif not successful:
            error = self._feedback.error or tr("The run failed; the log says more.")
            self._fail(f"{error} {self._describe_unfinished()}".strip())
            return
        else:
            self._show_result(self._load_results(), results)
        self._finish(successful, results)

    def _load_results(self) -> list[QgsMapLayer]:
        """Add the layers that the algorithm registered, in its order; the first comes out on top."""
        project = QgsProject.instance()
        loaded = []
        for source, details in self._context.layersToLoadOnCompletion().items():
            layer = QgsProcessingUtils.mapLayerFromString(source, self._context, True, details.layerTypeHint)
            if layer is None:
                log_warning(tr("The result {source} could not be loaded.").format(source=source))
                continue
            self._context.temporaryLayerStore().takeMapLayer(layer)
            layer.setName(details.name)
            styler = details.postProcessor()
            if isinstance(styler, LayerStyler):
                style_layer(layer, styler.presentation)
            project.addMapLayer(layer)
            if isinstance(styler, LayerStyler):
                group_layer(project, layer, styler.presentation)
                styler.release()
            loaded.append(layer)
        return loaded

    def _show_result(self, layers: list[QgsMapLayer], results: Mapping[str, Any]) -> None:
        warnings = self._feedback.warnings
        text = " ".join([shorten_result(self._feedback.last), *warnings[:_SHOWN_WARNINGS]])
        if len(warnings) > _SHOWN_WARNINGS:
            text += " " + tr("The log has {n} more warnings.").format(n=len(warnings) - _SHOWN_WARNINGS)
        level = Qgis.MessageLevel.Warning if warnings else Qgis.MessageLevel.Success
        output = str(results.get("OUTPUT", "")).split("|")[0]
        bar, buttons = self._iface.messageBar(), []
        if output:
            folder = QUrl.fromLocalFile(str(Path(output).parent))
            buttons.append(make_button(bar, tr("Open the folder"), lambda: QDesktopServices.openUrl(folder)))
        if layers:
            layer_id = layers[-1].id()  # the layer may be gone when the button is clicked
            buttons.append(make_button(bar, tr("Zoom to"), lambda: self._zoom(layer_id)))
        roads = next((layer.id() for layer in layers if is_reviewable(layer)), "")
        if roads and self._review is not None:
            review = self._review
            buttons.append(make_button(bar, tr("Review"), lambda: review(QgsProject.instance().mapLayer(roads))))
        item = make_wrapped_message(bar, self._algorithm.displayName(), text, *buttons)
        self._show_later(lambda: bar.pushWidget(item, level))

    def _zoom(self, layer_id: str) -> None:
        layer = QgsProject.instance().mapLayer(layer_id)
        if layer is not None:
            self._iface.setActiveLayer(layer)
            self._iface.zoomToActiveLayer()

    def _describe_unfinished(self) -> str:
        """Return how to resume the failed run; empty where it cannot be resumed."""
        output = get_destination_file(self._parameters.get("OUTPUT"))
        unfinished = None if output is None else find_resumable_run(str(output))
        if unfinished is None:
            return ""
        return tr("{percent} % are finished and kept; start it again to continue from there.").format(
            percent=compute_percent(unfinished)
        )

    def _fail(self, text: str) -> None:
        self._clear_progress()
        log_warning(text)
        bar = self._iface.messageBar()
        item = make_wrapped_message(bar, self._algorithm.displayName(), text)
        self._show_later(lambda: bar.pushWidget(item, Qgis.MessageLevel.Critical))
        self._finish(False, {})

    @staticmethod
    def _show_later(show: Callable[[], None]) -> None:
        QTimer.singleShot(_MESSAGE_DELAY_MS, show)

    def _clear_progress(self) -> None:
        if self._item is not None:
            item = self._item
            self._forget_item()
            self._iface.messageBar().popWidget(item)

    def _finish(self, successful: bool, results: dict[str, Any]) -> None:
        self.task = None
        self.ended.emit(successful, results)
        self.deleteLater()


def make_wrapped_message(bar: QgsMessageBar, title: str, text: str, *buttons: QWidget) -> QgsMessageBarItem:
    """Make a message that is as high as its text; QGIS's own messages show one line of it."""
    content = QWidget(bar)
    label = WrappedLabel(content, f"<b>{escape(title)}:</b> {escape(text)}")
    label.setObjectName("terraspore-message")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row = make_row(label, *buttons, stretched=label)
    row.setContentsMargins(0, 0, 0, 0)
    content.setLayout(row)
    return bar.createMessage(content)


def shorten_result(text: str) -> str:
    """Shorten a result's text to its metrics, without device and file, which the log has."""
    return re.split(r"\. | -> | on \S+ with ", text)[0].rstrip(".") + "."


def _mark_destinations(algorithm: QgsProcessingAlgorithm, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``parameters`` with every destination marked to be loaded into the project."""
    values = dict(parameters)
    for definition in algorithm.destinationParameterDefinitions():
        value = values.get(definition.name())
        if isinstance(value, str) and value:
            values[definition.name()] = QgsProcessingOutputLayerDefinition(value, QgsProject.instance())
    return values


def cancel_runs(runs: list[Run], milliseconds: int) -> None:
    """Cancel ``runs`` and wait for their end, so that nothing of the plugin runs after it is unloaded."""
    for run in runs:
        task = run.task
        if task is not None:
            run.cancel()
            task.waitForFinished(milliseconds)
    QCoreApplication.processEvents()
