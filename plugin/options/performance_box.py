"""Performance on the options page: device, runtime, threads, memory, tile, processes and cache."""

from __future__ import annotations

from typing import Any

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QWidget

from ..dialogs.fields import make_count_box, make_suggestion_box
from ..engine.cache import clear_cache, measure_cache
from ..engine.environment import get_cache_folder
from ..i18n import tr
from ..processing.parameters import IMAGE_OPTIONS, RUNTIME_OPTIONS, get_title
from ..settings import Settings


class PerformanceBox(QGroupBox):
    """The part of the page about how the engine computes.

    Args:
        parent: the page.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Computation"), parent)
        self.device = make_suggestion_box(RUNTIME_OPTIONS["device"], self)
        self.runtime = make_suggestion_box(RUNTIME_OPTIONS["runtime"], self)
        self.threads = make_count_box(self, 256, tr(RUNTIME_OPTIONS["threads"].default_text))
        self.memory = make_count_box(self, 1 << 20, tr(IMAGE_OPTIONS["memory"].default_text), step=500)
        self.tile = make_count_box(self, 8192, tr(IMAGE_OPTIONS["tile"].default_text), step=32)
        self.tile.setToolTip(tr("Smaller tiles need less memory"))
        self.keep = make_count_box(self, 24 * 60, tr("end at once"))
        self.timeout = make_count_box(self, 3600, "")
        self.timeout.setMinimum(10)
        self.cache = QgsFileWidget(self)
        self.cache.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.cache_limit = make_count_box(self, 1 << 20, tr("no limit"), step=500)
        self._cache_size = QLabel(self)
        self.clear = QPushButton(tr("Empty the cache"), self)
        self.clear.clicked.connect(self._empty_cache)
        self._settings = Settings()
        self._lay_out()

    def values(self) -> dict[str, Any]:
        """Return the settings of this part."""
        return {
            "device": self.device.currentText(),
            "runtime": self.runtime.currentText(),
            "threads": self.threads.value(),
            "memory": self.memory.value(),
            "tile": self.tile.value(),
            "keep_minutes": self.keep.value(),
            "unresponsive_seconds": self.timeout.value(),
            "cache_folder": self.cache.filePath().strip(),
            "cache_megabytes": self.cache_limit.value(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self._settings = settings
        self.device.setCurrentText(settings.device)
        self.runtime.setCurrentText(settings.runtime)
        self.threads.setValue(settings.threads)
        self.memory.setValue(settings.memory)
        self.tile.setValue(settings.tile)
        self.keep.setValue(settings.keep_minutes)
        self.timeout.setValue(settings.unresponsive_seconds)
        self.cache.setFilePath(settings.cache_folder)
        self.cache_limit.setValue(settings.cache_megabytes)
        self.cache.lineEdit().setPlaceholderText(str(get_cache_folder(Settings())))
        self._show_size()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        for name, field in (("device", self.device), ("runtime", self.runtime), ("threads", self.threads)):
            form.addRow(get_title(RUNTIME_OPTIONS[name]), field)
        for name, field in (("memory", self.memory), ("tile", self.tile)):
            form.addRow(get_title(IMAGE_OPTIONS[name]), field)
        form.addRow(tr("Keep the engine loaded for minutes"), self.keep)
        form.addRow(tr("End an engine without answer after seconds"), self.timeout)
        form.addRow(tr("Folder for compiled models"), self.cache)
        form.addRow(tr("Limit of that folder in MB"), self.cache_limit)
        row = QHBoxLayout()
        row.addWidget(self._cache_size, 1)
        row.addWidget(self.clear)
        form.addRow("", row)

    def _show_size(self) -> None:
        size = measure_cache(get_cache_folder(self._settings))
        self._cache_size.setText(tr("{size} MB in use").format(size=round(size / 1e6)))

    def _empty_cache(self) -> None:
        clear_cache(get_cache_folder(self._settings))
        self._show_size()
