"""Unfinished runs: find the one that can be resumed, and ask the user whether to resume it.

The engine keeps the finished part of a long run in a journal beside the output; ``engine.fs.journal`` reads it with the
standard library alone.
"""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessing
from qgis.PyQt.QtCore import QDateTime, QLocale
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from ..__about__ import __version__
from ..engine.fs.journal import UnfinishedRun, find_unfinished_run
from .i18n import tr


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
