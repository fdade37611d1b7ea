"""The plugin's panel in QGIS's log messages."""

from __future__ import annotations

from qgis.core import Qgis, QgsMessageLog

TAG = "TerraSpore"


def log_info(text: str) -> None:
    """Write ``text`` to the log panel. Safe from any thread."""
    QgsMessageLog.logMessage(text, TAG, Qgis.MessageLevel.Info, notifyUser=False)


def log_warning(text: str) -> None:
    """Write ``text`` to the log panel as a warning, without a pop-up. Safe from any thread."""
    QgsMessageLog.logMessage(text, TAG, Qgis.MessageLevel.Warning, notifyUser=False)
