"""Dialogs that fit what they show at the moment."""

from __future__ import annotations

from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QDialog


class Fitting(QTimer):
    """Gives a dialog the size of what it shows, at the next event: what was hidden counts until then.

    Args:
        dialog: the dialog, with which this goes too.
    """

    def __init__(self, dialog: QDialog) -> None:
        super().__init__(dialog)
        self._dialog = dialog
        self.setSingleShot(True)
        self.timeout.connect(self._fit)

    def soon(self, *_changed: object) -> None:
        """Fit the dialog; for signals, too."""
        self.start(0)

    def _fit(self) -> None:
        self._dialog.adjustSize()
