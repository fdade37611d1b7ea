"""The default styles of the layers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: The folder with one QML document for each layer.
STYLE_FOLDER = Path(__file__).resolve().parents[2] / "resources" / "styles"


def load_styles(layers: Iterable[str]) -> dict[str, str]:
    """QML documents of the layers that have one, by layer."""
    paths = {layer: STYLE_FOLDER / f"{layer}.qml" for layer in layers}
    return {layer: path.read_text(encoding="utf-8") for layer, path in paths.items() if path.is_file()}
