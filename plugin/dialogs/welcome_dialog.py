"""What a first click shows: without an engine the set-up, without an image the demo image."""

from __future__ import annotations

import shutil
from typing import Callable

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QDialog, QMessageBox, QProgressBar, QVBoxLayout, QWidget

from ..context import PluginContext
from ..engine.env_profiles import find_profile
from ..engine.environment import get_data_folder
from ..engine.preparation import describe_set_up, set_up_engine
from ..i18n import tr
from ..paths import DEMO_IMAGE
from ..tasks import BackgroundTask
from .fields import WrappedLabel, make_button, make_row


class WelcomeDialog(QDialog):
    """Offers to create the engine's environment.

    Args:
        plugin: the engine's processes and the settings.
        show_options: opens the plugin's options.
        parent: QGIS's window.

    Attributes:
        ready: signal after the environment was created and the dialog was closed.
    """

    ready = pyqtSignal()

    def __init__(self, plugin: PluginContext, show_options: Callable[[], None], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("terraspore-welcome")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Set up TerraSpore"))
        self._plugin, self._show_options = plugin, show_options
        self._task: BackgroundTask | None = None
        text = tr(
            "TerraSpore computes in a Python environment of its own, outside of QGIS, whose own Python is not changed. "
            "It is not there yet. Create it now? What you clicked starts as soon as it is ready."
        )
        profile = find_profile(plugin.get_settings().env_profile)
        self.note = WrappedLabel(self, f"{tr(profile.title)}. {describe_set_up(profile)}", lines=3)
        self.progress = QProgressBar(self)
        self.progress.hide()
        self.create = make_button(self, tr("Create"), self._create)
        self.create.setDefault(True)
        self.options = make_button(self, tr("Open the options"), self._open_options)
        self.cancel = make_button(self, tr("Cancel"), self.reject)
        column = QVBoxLayout(self)
        column.addWidget(WrappedLabel(self, text))
        column.addWidget(self.note)
        column.addWidget(self.progress)
        column.addStretch(1)
        column.addLayout(make_row(self.create, self.options, self.cancel))
        self.resize(480, 170)

    def done(self, code: int) -> None:
        """Cancel the set-up and close."""
        if self._task is not None:
            self._task.cancel()
        super().done(code)

    def _create(self) -> None:
        settings, pool = self._plugin.get_settings(), self._plugin.pool

        def create(task: BackgroundTask) -> None:
            set_up_engine(pool, settings, None, task.make_observer())

        self._set_busy(True)
        self.note.setText(tr("Creating the engine's environment"))  # instead of why it failed before
        self._task = BackgroundTask(tr("Creating the engine's environment"), create)
        self._task.message.connect(self.note.setText)
        self._task.progressChanged.connect(self._show_progress)
        self._task.start(self._finish, self._fail)

    def _show_progress(self, percent: float) -> None:
        self.progress.setValue(round(percent))

    def _finish(self, _value: object) -> None:
        self._task = None
        self.accept()
        self.ready.emit()

    def _fail(self, text: str) -> None:
        self._task = None
        self._set_busy(False)
        self.note.setText(text)

    def _set_busy(self, busy: bool) -> None:
        self.create.setEnabled(not busy)
        self.options.setEnabled(not busy)
        self.progress.setVisible(busy)

    def _open_options(self) -> None:
        self.reject()
        self._show_options()


class DemoQuestion(QMessageBox):
    """Offers the demo image in a project without a raster layer.

    Args:
        add_image: called with the path of the image when the user accepts.
        parent: QGIS's window.
    """

    def __init__(self, add_image: Callable[[str], None], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("terraspore-demo")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("TerraSpore")
        self.setIcon(QMessageBox.Icon.Question)
        self.setText(tr("There is no image in the project."))
        text = tr(
            "Add a raster layer of your own, or try the demo image: a part of Las Vegas (SpaceNet, CC BY-SA 4.0)."
        )
        self.setInformativeText(text)
        self.add = self.addButton(tr("Add the demo image"), QMessageBox.ButtonRole.AcceptRole)
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.add.clicked.connect(lambda: add_image(copy_demo_image()))


def copy_demo_image() -> str:
    """Copy the demo image to the plugin's data, where a project finds it after an update, and QGIS its statistics."""
    target = get_data_folder() / DEMO_IMAGE.name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DEMO_IMAGE, target)
    return str(target)
