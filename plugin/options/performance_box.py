"""Device, runtime, threads, tile, cache: how the engine computes."""

from __future__ import annotations

from typing import Any

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from ...engine.protocol.options import DEVICE_NAMES, RUNTIME_NAMES
from ..engine.cache import clear_cache, measure_cache
from ..engine.environment import get_cache_folder
from ..i18n import tr
from ..settings import Settings


class PerformanceBox(QGroupBox):
    """The part of the page about how the engine computes.

    Args:
        parent: the page.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Computation"), parent)
        self.device = QComboBox(self)
        self.device.addItems(DEVICE_NAMES)
        self.runtime = QComboBox(self)
        self.runtime.addItems(RUNTIME_NAMES)
        self.threads = _spin(self, 256, tr("all processors"))
        self.memory = _spin(self, 1 << 20, tr("what the machine has"), step=500)
        self.tile = _spin(self, 8192, tr("the model's"), step=32)
        self.keep = _spin(self, 24 * 60, tr("end at once"))
        self.patience = _spin(self, 3600, "")
        self.patience.setMinimum(10)
        self.cache = QgsFileWidget(self)
        self.cache.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.cache_limit = _spin(self, 1 << 20, tr("no limit"), step=500)
        self._cache_size = QLabel(self)
        self.clear = QPushButton(tr("Empty the cache"), self)
        self.clear.clicked.connect(self._empty_cache)
        self._settings = Settings()
        self._lay_out()

    def values(self) -> dict[str, Any]:
        """The settings of this part."""
        return {
            "device": self.device.currentText(),
            "runtime": self.runtime.currentText(),
            "threads": self.threads.value(),
            "memory": self.memory.value(),
            "tile": self.tile.value(),
            "keep_minutes": self.keep.value(),
            "unresponsive_seconds": self.patience.value(),
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
        self.patience.setValue(settings.unresponsive_seconds)
        self.cache.setFilePath(settings.cache_folder)
        self.cache_limit.setValue(settings.cache_megabytes)
        self.cache.lineEdit().setPlaceholderText(str(get_cache_folder(Settings())))
        self._show_size()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.addRow(tr("Device"), self.device)
        form.addRow(tr("Runtime"), self.runtime)
        form.addRow(tr("Processor threads"), self.threads)
        form.addRow(tr("Memory limit in MB"), self.memory)
        form.addRow(tr("Tile in pixels (smaller needs less memory)"), self.tile)
        form.addRow(tr("Keep the engine loaded for minutes"), self.keep)
        form.addRow(tr("End an engine without answer after seconds"), self.patience)
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


def _spin(parent: QWidget, maximum: int, empty: str, step: int = 1) -> QSpinBox:
    spin = QSpinBox(parent)
    spin.setRange(0, maximum)
    spin.setSingleStep(step)
    spin.setSpecialValueText(empty)
    return spin
