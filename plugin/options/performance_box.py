"""Performance on the options page: device, runtime, threads, memory, tile, processes and cache."""

from __future__ import annotations

from typing import Any

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QFormLayout, QGroupBox, QLabel, QWidget

from ..dialogs.fields import make_button, make_count_box, make_file_widget, make_row, make_suggestion_box
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
        self.choices = {name: make_suggestion_box(RUNTIME_OPTIONS[name], self) for name in ("device", "runtime")}
        self.numbers = {
            "threads": make_count_box(self, 256, tr(RUNTIME_OPTIONS["threads"].default_text)),
            "memory": make_count_box(self, 1 << 20, tr(IMAGE_OPTIONS["memory"].default_text), step=500),
            "tile": make_count_box(self, 8192, tr(IMAGE_OPTIONS["tile"].default_text), step=32),
            "keep_minutes": make_count_box(self, 24 * 60, tr("end at once")),
            "unresponsive_seconds": make_count_box(self, 3600, ""),
            "cache_megabytes": make_count_box(self, 1 << 20, tr("no limit"), step=500),
        }
        self.numbers["tile"].setToolTip(tr("Smaller tiles need less memory"))
        self.numbers["unresponsive_seconds"].setMinimum(10)
        directory = QgsFileWidget.StorageMode.GetDirectory
        self.cache = make_file_widget(self, directory, str(get_cache_folder(Settings())))
        self._cache_size = QLabel(self)
        self.clear = make_button(self, tr("Empty the cache"), self._empty_cache)
        self._settings = Settings()
        form = QFormLayout(self)
        for name, field in {**self.choices, "threads": self.numbers["threads"]}.items():
            form.addRow(get_title(RUNTIME_OPTIONS[name]), field)
        for name in ("memory", "tile"):
            form.addRow(get_title(IMAGE_OPTIONS[name]), self.numbers[name])
        form.addRow(tr("Keep the engine loaded for minutes"), self.numbers["keep_minutes"])
        form.addRow(tr("End an engine without answer after seconds"), self.numbers["unresponsive_seconds"])
        form.addRow(tr("Folder for compiled models"), self.cache)
        form.addRow(tr("Limit of that folder in MB"), self.numbers["cache_megabytes"])
        form.addRow("", make_row(self._cache_size, self.clear, stretched=self._cache_size))

    def values(self) -> dict[str, Any]:
        """Return the settings of this part."""
        return {
            **{name: box.currentText() for name, box in self.choices.items()},
            **{name: box.value() for name, box in self.numbers.items()},
            "cache_folder": self.cache.filePath().strip(),
        }

    def show_settings(self, settings: Settings) -> None:
        """Show ``settings``."""
        self._settings = settings
        for name, box in self.choices.items():
            box.setCurrentText(getattr(settings, name))
        for name, box in self.numbers.items():
            box.setValue(getattr(settings, name))
        self.cache.setFilePath(settings.cache_folder)
        self._show_size()

    def _show_size(self) -> None:
        size = measure_cache(get_cache_folder(self._settings))
        self._cache_size.setText(tr("{size} MB in use").format(size=round(size / 1e6)))

    def _empty_cache(self) -> None:
        clear_cache(get_cache_folder(self._settings))
        self._show_size()
