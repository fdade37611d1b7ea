"""Device, runtime, threads, tile, cache: how the engine computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from ..engine_setup import cache_folder
from ..i18n import tr
from ..processing.parameters import DEVICES, RUNTIMES
from ..settings import Settings

#: Kinds of files in the cache: compiled models, measurements, compiled kernels and their index.
_KEPT = frozenset({".blob", ".json", ".nbc", ".nbi"})


class PerformanceBox(QGroupBox):
    """The part of the page about how the engine computes.

    Args:
        parent: the page.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(tr("Computation"), parent)
        self.device = QComboBox(self)
        self.device.addItems(DEVICES)
        self.runtime = QComboBox(self)
        self.runtime.addItems(RUNTIMES)
        self.threads = _spin(self, 256, tr("all processors"))
        self.tile = _spin(self, 8192, tr("the model's"), step=32)
        self.keep = _spin(self, 24 * 60, tr("end at once"))
        self.patience = _spin(self, 3600, "")
        self.patience.setMinimum(10)
        self.cache = QgsFileWidget(self)
        self.cache.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._cache_size = QLabel(self)
        self._clear = QPushButton(tr("Clear"), self)
        self._clear.clicked.connect(self._clear_cache)
        self._settings = Settings()
        self._lay_out()

    def values(self) -> dict[str, Any]:
        """The settings of this part."""
        return {
            "device": self.device.currentText(),
            "runtime": self.runtime.currentText(),
            "threads": self.threads.value(),
            "tile": self.tile.value(),
            "keep_minutes": self.keep.value(),
            "unresponsive_seconds": self.patience.value(),
            "cache_folder": self.cache.filePath().strip(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self._settings = settings
        self.device.setCurrentText(settings.device)
        self.runtime.setCurrentText(settings.runtime)
        self.threads.setValue(settings.threads)
        self.tile.setValue(settings.tile)
        self.keep.setValue(settings.keep_minutes)
        self.patience.setValue(settings.unresponsive_seconds)
        self.cache.setFilePath(settings.cache_folder)
        self.cache.lineEdit().setPlaceholderText(str(cache_folder(Settings())))
        self._show_size()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.addRow(tr("Device"), self.device)
        form.addRow(tr("Runtime"), self.runtime)
        form.addRow(tr("Processor threads"), self.threads)
        form.addRow(tr("Tile in pixels (smaller needs less memory)"), self.tile)
        form.addRow(tr("Keep the engine loaded for minutes"), self.keep)
        form.addRow(tr("End an engine without answer after seconds"), self.patience)
        form.addRow(tr("Folder for compiled models"), self.cache)
        row = QHBoxLayout()
        row.addWidget(self._cache_size, 1)
        row.addWidget(self._clear)
        form.addRow("", row)

    def _entries(self) -> list[Path]:
        """What the engine keeps: compiled models and compiled kernels; nothing else is touched."""
        folder = cache_folder(self._settings)
        return [path for path in folder.rglob("*") if path.suffix in _KEPT and path.is_file()]

    def _show_size(self) -> None:
        size = sum(path.stat().st_size for path in self._entries())
        self._cache_size.setText(tr("{size} MB in use").format(size=round(size / 1e6)))

    def _clear_cache(self) -> None:
        for path in self._entries():
            path.unlink(missing_ok=True)
        self._show_size()


def _spin(parent: QWidget, maximum: int, empty: str, step: int = 1) -> QSpinBox:
    spin = QSpinBox(parent)
    spin.setRange(0, maximum)
    spin.setSingleStep(step)
    spin.setSpecialValueText(empty)
    return spin
