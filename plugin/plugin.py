"""The plugin as QGIS loads it: puts the parts together and takes them apart again."""

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
        self.interface: Any = None

    def initProcessing(self) -> None:  # noqa: N802
        """Register the algorithms; all that ``qgis_process`` asks for."""
        self.provider = TerraSporeProvider(self.context)
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802
        """Register the algorithms and everything that is seen."""
        self.initProcessing()
        from .gui import Interface

        self.interface = Interface(self._iface, self.context)

    def unload(self) -> None:
        """Take everything away again and end the engine."""
        if self.interface is not None:
            self.interface.unload()
            self.interface = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        self.context.pool.close()
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None
