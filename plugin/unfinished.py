"""Runs that ended before their output was there: whether one can go on, and the question about it.

The engine keeps what is finished of a long run in a journal beside the output; its module for that needs the
standard library alone and is the only one of the engine that is imported into QGIS.
"""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessing
from qgis.PyQt.QtCore import QDateTime, QLocale
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from ..__about__ import __version__
from ..engine.fs.journal import UnfinishedRun, find_unfinished_run, remove_unfinished_run
from .i18n import tr


def unfinished_run(output: str, image: Path | None = None) -> UnfinishedRun | None:
    """The run of ``output`` that can go on; None where there is none.

    Args:
        output: the file that a run is to write.
        image: the image of the run that is about to start; None to take a run of any image.
    """
    if not output or output == QgsProcessing.TEMPORARY_OUTPUT:
        return None
    found = find_unfinished_run(Path(output).absolute(), __version__)
    if found is None or found.changed is not None or (image is not None and found.image != image):
        return None
    return found


def forget_run(output: Path) -> None:
    """Remove what a run of ``output`` left that the person cancelled and that had to be ended by force."""
    remove_unfinished_run(output)


def percent(run: UnfinishedRun) -> int:
    """How much of ``run`` is finished, rounded down, so that 100 is never said."""
    return int(100 * run.fraction)


class ResumeQuestion(QMessageBox):
    """Asks whether ``run`` shall go on.

    Args:
        run: what was found.
        parent: the dialog.
    """

    def __init__(self, run: UnfinishedRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("terraspore-resume")
        self.setWindowTitle("TerraSpore")
        self.setIcon(QMessageBox.Icon.Question)
        when = QLocale().toString(
            QDateTime.fromSecsSinceEpoch(int(run.date.timestamp())), QLocale.FormatType.ShortFormat
        )
        text = tr("A run that was to write {name} came to {percent} % and ended on {date}.")
        self.setText(text.format(name=run.output.name, percent=percent(run), date=when))
        self.setInformativeText(tr("With the same settings it can go on from there."))
        roles = QMessageBox.ButtonRole
        self.go_on = self.addButton(tr("Continue from {percent} %").format(percent=percent(run)), roles.AcceptRole)
        self.anew = self.addButton(tr("Start anew"), roles.DestructiveRole)
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(self.go_on)

    def answer(self) -> bool | None:
        """Ask: true to go on, false to start anew, None where the person wants neither."""
        self.exec()
        clicked = self.clickedButton()
        return True if clicked == self.go_on else False if clicked == self.anew else None
