"""Registers the page with QGIS's options dialog."""

from __future__ import annotations

from qgis.gui import QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QWidget

from ..context import PluginContext
from ..paths import icon_path
from .page import OptionsPage


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page when the options dialog opens.

    Args:
        plugin: the engine's processes and the settings.
    """

    #: Name by which QGIS finds the page.
    PAGE = "mOptionsPageTerraSpore"

    def __init__(self, plugin: PluginContext) -> None:
        super().__init__()
        self._plugin = plugin
        self.setTitle("TerraSpore")
        self.setIcon(self.icon())

    def icon(self) -> QIcon:
        """The page's picture in the list of options."""
        return QIcon(icon_path("terraspore"))

    def createWidget(self, parent: QWidget | None) -> QgsOptionsPageWidget:  # noqa: N802
        """A new page."""
        page = OptionsPage(self._plugin, parent)
        page.setObjectName(self.PAGE)
        return page
