"""Background work that a dialog waits for, in QGIS's task manager."""

from __future__ import annotations

from typing import Any, Callable

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from .engine.errors import EngineError
from .log import log_info, log_warning


class Work(QgsTask):
    """Calls a function in a worker thread and gives its value or its sentence back in the GUI thread.

    Args:
        title: for the task manager.
        function: called with this task; may emit ``told`` and call ``setProgress``, and asks ``isCanceled``.
    """

    told = pyqtSignal(str)
    succeeded = pyqtSignal(object)
    failed = pyqtSignal(str)

    def __init__(self, title: str, function: Callable[[Work], Any]) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._function = function
        self._value: Any = None
        self._error = ""

    def start(self) -> Work:
        """Hand this to the task manager."""
        _kept.add(self)
        QgsApplication.taskManager().addTask(self)
        return self

    def log(self, line: str) -> None:
        """Write ``line`` to the log panel and to whoever listens. Safe in the worker thread."""
        log_info(line)
        self.told.emit(line)

    def run(self) -> bool:
        """Call the function; only what is meant for people comes out."""
        try:
            self._value = self._function(self)
        except EngineError as error:
            self._error = str(error)
            for line in error.details.splitlines():
                log_info(line)
            return False
        return True

    def finished(self, successful: bool) -> None:
        """Tell the end, in the GUI thread."""
        _kept.discard(self)
        if successful:
            self.succeeded.emit(self._value)
        else:
            text = self._error or "The work was cancelled."
            log_warning(text)
            self.failed.emit(text)


#: The task manager does not keep Python's part of a task alive.
_kept: set[Work] = set()
