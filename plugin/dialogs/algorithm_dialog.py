"""The frame of the dialogs that run an algorithm over a raster layer."""

from __future__ import annotations

from typing import Any, Callable

from qgis.core import QgsMapLayerProxyModel, QgsRasterLayer
from qgis.gui import QgsFileWidget, QgsMapLayerComboBox
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QWidget

from ..context import PluginContext
from ..i18n import tr
from ..paths import icon_path
from ..processing.base import EngineAlgorithm
from .fields import FormDialog, make_file_widget

_FILTERS = {".gpkg": "GeoPackage (*.gpkg)", ".tif": "GeoTIFF (*.tif)"}


class AlgorithmDialog(FormDialog):
    """Gathers the parameters of an algorithm, and runs it in the background.

    Args:
        algorithm: its class.
        plugin: settings and models.
        start: called with the algorithm's id and its parameters when the user clicks OK.
        show_options: opens the plugin's options.
        parent: QGIS's window.
    """

    def __init__(
        self,
        algorithm: type[EngineAlgorithm],
        plugin: PluginContext,
        *,
        start: Callable[[str, dict[str, Any]], Any],
        show_options: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(algorithm.ID, tr(algorithm.TITLE), parent)
        self._plugin, self._show_options = plugin, show_options
        self._algorithm, self._start = algorithm, start
        self.setWindowIcon(QIcon(icon_path(algorithm.ICON)))
        self.layer = QgsMapLayerComboBox(self)
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Choose ``layer``; None leaves the choice as it is."""
        if layer is not None:
            self.layer.setLayer(layer)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters for the algorithm."""
        raise NotImplementedError

    def accept(self) -> None:
        """Start the run and close."""
        self._run(self.parameters())

    def _run(self, parameters: dict[str, Any]) -> None:
        self._start(f"terraspore:{self._algorithm.ID}", parameters)
        super().accept()

    def _make_target(self, suffix: str) -> QgsFileWidget:
        """Make the field of the file to write."""
        widget = make_file_widget(self, QgsFileWidget.StorageMode.SaveFile, tr("temporary layer"))
        widget.setFilter(_FILTERS[suffix])
        return widget

    def _open_options(self) -> None:
        """Show the options, where an engine may be created, and update what depends on them."""
        self._show_options()
        self._refresh()

    def _refresh(self, *_changed: object) -> None:
        """Update what depends on the fields and the settings."""
        raise NotImplementedError
