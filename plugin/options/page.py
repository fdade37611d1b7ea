"""The options page: engine, models, performance."""

from __future__ import annotations

import dataclasses

from qgis.gui import QgsOptionsPageWidget, QgsScrollArea
from qgis.PyQt.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..context import PluginContext
from ..i18n import tr
from ..settings import Settings, reset_settings, save_settings
from .engine_box import EngineBox
from .models_box import ModelsBox
from .performance_box import PerformanceBox


class OptionsPage(QgsOptionsPageWidget):
    """All settings; they are kept when the person clicks OK.

    Args:
        plugin: the engine's processes and the settings.
        parent: the options dialog.
    """

    def __init__(self, plugin: PluginContext, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._plugin = plugin
        self.engine = EngineBox(plugin, self.gather, self)
        self.models = ModelsBox(plugin, self.gather, self)
        self.performance = PerformanceBox(self)
        self._reset = QPushButton(tr("Restore defaults"), self)
        self._reset.clicked.connect(self._restore)
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        for box in (self.engine, self.models, self.performance):
            column.addWidget(box)
        column.addWidget(self._reset)
        column.addStretch(1)
        scroll = QgsScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QgsScrollArea.Shape.NoFrame)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._show(plugin.load())

    def apply(self) -> None:
        """Keep what the page says; an engine that was started with other settings is ended."""
        save_settings(self.gather())
        self._plugin.pool.end_idle()

    def helpKey(self) -> str:  # noqa: N802
        """The page of QGIS's manual that the Help button opens."""
        return "plugin_manager/plugin_manager"

    def gather(self) -> Settings:
        """What the page says now."""
        settings = self._plugin.load()
        for box in (self.engine, self.models, self.performance):
            settings = dataclasses.replace(settings, **box.values())
        return settings

    def _restore(self) -> None:
        self._show(reset_settings())

    def _show(self, settings: Settings) -> None:
        for box in (self.engine, self.models, self.performance):
            box.show_settings(settings)
