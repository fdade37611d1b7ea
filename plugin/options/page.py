"""The options page with its parts: engine, models, performance; and its registration with QGIS."""

from __future__ import annotations

import dataclasses

from qgis.gui import QgsOptionsPageWidget, QgsOptionsWidgetFactory, QgsScrollArea
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QVBoxLayout, QWidget

from ..context import PluginContext
from ..dialogs.fields import make_button
from ..i18n import tr
from ..paths import icon_path
from ..settings import Settings, reset_settings, save_settings
from .engine_box import EngineBox
from .models_box import ModelsBox
from .performance_box import PerformanceBox


class OptionsPage(QgsOptionsPageWidget):
    """All settings; they are saved when the user clicks OK.

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
        self._boxes = self.engine, self.models, self.performance
        self._reset = make_button(self, tr("Restore defaults"), lambda: self._show(reset_settings()))
        inner = QWidget(self)
        column = QVBoxLayout(inner)
        for widget in (*self._boxes, self._reset):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QgsScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QgsScrollArea.Shape.NoFrame)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._show(plugin.get_settings())

    def apply(self) -> None:
        """Save the settings; an idle engine, which was started with the former ones, is ended."""
        save_settings(self.gather())
        self._plugin.pool.end_idle()

    def helpKey(self) -> str:  # noqa: N802
        """Return the page of QGIS's manual that the Help button opens."""
        return "plugin_manager/plugin_manager"

    def gather(self) -> Settings:
        """Return the settings as the page shows them."""
        settings = self._plugin.get_settings()
        for box in self._boxes:
            settings = dataclasses.replace(settings, **box.values())
        return settings

    def _show(self, settings: Settings) -> None:
        for box in self._boxes:
            box.show_settings(settings)


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page when QGIS's options dialog opens.

    Args:
        plugin: engine and settings.
    """

    #: Name by which QGIS finds the page.
    PAGE = "mOptionsPageTerraSpore"

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self._plugin = plugin
        self.setTitle("TerraSpore")
        self.setIcon(self.icon())

    def icon(self) -> QIcon:
        """Return the page's icon in the list of options."""
        return QIcon(icon_path("terraspore"))

    def createWidget(self, parent: QWidget | None) -> QgsOptionsPageWidget:  # noqa: N802
        """Make a new page."""
        page = OptionsPage(self._plugin, parent)
        page.setObjectName(self.PAGE)
        return page
