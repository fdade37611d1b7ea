"""Background tasks that a dialog waits for, in QGIS's task manager."""

from __future__ import annotations

import traceback
from typing import Any, Callable

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from .engine.errors import EngineError
from .engine.install import InstallObserver
from .i18n import tr
from .log import log_info, log_warning


class BackgroundTask(QgsTask):
    """Calls a function in a worker thread, and emits its value or an error's sentence in the GUI thread.

    Args:
        title: for the task manager.
        function: called with this task; may call ``log`` and ``setProgress``, and should ask ``isCanceled``.
    """

    message = pyqtSignal(str)
    succeeded = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, title: str, function: Callable[[BackgroundTask], Any]) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._function = function
        self._value: Any = None
        self._error = ""

    def start(self, succeeded: Callable[[Any], None], failed: Callable[[str], None]) -> BackgroundTask:
        """Start the task in the task manager; its value or its error's sentence is passed on in the GUI thread.

        Give methods of widgets, not lambdas: Qt disconnects them when the widget is deleted before the task has ended.
        """
        self.succeeded.connect(succeeded)
        self.failed.connect(failed)
        _started.add(self)
        QgsApplication.taskManager().addTask(self)
        return self

    def log(self, line: str) -> None:
        """Write ``line`` to the log panel and emit it as ``message``. Safe in the worker thread."""
        log_info(line)
        self.message.emit(line)

    def make_observer(self) -> InstallObserver:
        """Make an observer that passes lines and progress on to this task, and asks it for a cancel."""
        return InstallObserver(self.log, lambda share: self.setProgress(100 * share), self.isCanceled)

    def run(self) -> bool:
        """Call the function, in the worker thread."""
        try:
            self._value = self._function(self)
        except EngineError as error:
            self._error = str(error)
            for line in error.details.splitlines():
                log_info(line)
            return False
        except Exception as error:  # noqa: BLE001 (an error of the plugin itself; QGIS would only print it)
            self._error = tr("The plugin failed: {error}. The log has the details; please report it.").format(
                error=f"{type(error).__name__}: {error}"
            )
            log_info(traceback.format_exc())
            return False
        return True

    def finished(self, successful: bool) -> None:
        """Emit the outcome, in the GUI thread."""
        _started.discard(self)
        if successful:
            self.succeeded.emit(self._value)
        else:
            text = self._error or tr("The task was cancelled.")
            log_warning(text)
            self.failed.emit(text)


#: The task manager does not keep the Python part of a task alive.
_started: set[BackgroundTask] = set()
