"""The QGIS user interface. The engine runs as a process of its own; nothing of it is imported here."""

from __future__ import annotations

from typing import Any


def make_plugin(iface: Any) -> Any:
    """Make the plugin for QGIS's interface ``iface`` (None in ``qgis_process``)."""
    from .plugin import TerraSporePlugin

    return TerraSporePlugin(iface)
