"""The QGIS plugin. The engine runs in its own process; only its protocol and its journal are imported here."""

from __future__ import annotations

from typing import Any


def make_plugin(iface: Any) -> Any:
    """Make the plugin for QGIS's interface ``iface`` (None in ``qgis_process``)."""
    from .plugin import TerraSporePlugin

    return TerraSporePlugin(iface)
