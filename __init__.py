"""TerraSpore: roads and land cover from imagery, as vector layers.

This folder is the QGIS plugin and the Python package ``terraspore`` at once. QGIS calls ``classFactory``;
everything else imports the sub-packages.
"""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 (the name that QGIS asks for)
    """Make the plugin for QGIS's interface ``iface``."""
    from .plugin import make_plugin

    return make_plugin(iface)
