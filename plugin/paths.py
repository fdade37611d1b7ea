"""Paths of the plugin's files."""

from __future__ import annotations

from pathlib import Path

#: The plugin's folder: the repository's root, or the content of the zip. Never written to.
PLUGIN_FOLDER = Path(__file__).resolve().parent.parent
LAUNCHER = PLUGIN_FOLDER / "engine" / "launch.py"
ICONS = PLUGIN_FOLDER / "resources" / "icons"
TOPOLOGY_RULES = PLUGIN_FOLDER / "resources" / "topology.json"
STYLES = PLUGIN_FOLDER / "resources" / "styles"
BUNDLED_MODELS = PLUGIN_FOLDER / "resources" / "models"
GRAPHS = PLUGIN_FOLDER / "resources" / "graphs"
TRANSLATIONS = PLUGIN_FOLDER / "resources" / "i18n"
#: A small image of Las Vegas from SpaceNet, CC BY-SA 4.0.
DEMO_IMAGE = PLUGIN_FOLDER / "resources" / "demo.tif"


def icon_path(name: str) -> str:
    """Return the file of the icon ``name``."""
    return str(ICONS / f"{name}.svg")
