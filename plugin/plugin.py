"""The plugin as QGIS loads it: creates its parts and removes them again."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

from .context import PluginContext
from .engine.environment import make_timeouts
from .engine.pool import EnginePool
from .i18n import install_translator
from .processing.provider import TerraSporeProvider
from .settings import load_settings


class TerraSporePlugin:
    """Everything that lives as long as the plugin is loaded.

    Args:
        iface: QGIS's interface; None in ``qgis_process``.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._translator: QTranslator | None = install_translator()
        self.context = PluginContext(EnginePool(make_timeouts(load_settings())))
        self.provider: TerraSporeProvider | None = None
        self.gui: Any = None

    def initProcessing(self) -> None:  # noqa: N802
        """Register the algorithms; ``qgis_process`` needs nothing else."""
        self.provider = TerraSporeProvider(self.context)
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802
        """Register the algorithms, and add the graphical interface."""
        self.initProcessing()
        from .gui import Gui

        self.gui = Gui(self._iface, self.context)

    def unload(self) -> None:
        """Remove everything, and end the engine."""
        if self.gui is not None:
            self.gui.unload()
            self.gui = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        self.context.pool.close()
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
