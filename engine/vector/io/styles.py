"""The default styles of the layers, as QML documents of QGIS."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

Color = tuple[int, int, int]

#: The folder with one QML document for each layer.
STYLE_FOLDER = Path(__file__).resolve().parents[3] / "resources" / "styles"
#: Colors of classes without one, by id modulo 12, three bytes each: ColorBrewer's Set3, made for qualitative maps.
_PALETTE = bytes.fromhex("8dd3c7ffffb3bebadafb807280b1d3fdb462b3de69fccde5d9d9d9bc80bdccebc5ffed6f")
_OPACITY = 170


def load_styles(layers: Iterable[str]) -> dict[str, str]:
    """Load the QML documents of those of ``layers`` that have one, by layer."""
    paths = {layer: STYLE_FOLDER / f"{layer}.qml" for layer in layers}
    return {layer: path.read_text(encoding="utf-8") for layer, path in paths.items() if path.is_file()}


def make_class_style(names: Mapping[int, str], colors: Mapping[int, Color]) -> str:
    """Make a categorized style of polygons from the style of land cover.

    Args:
        names: name of each class that occurs, by id.
        colors: color of each class that has one, by id.

    Returns:
        A QML document with one category for each class.
    """
    document = load_styles(("landcover",))["landcover"]
    head, _, body = document.partition("<qgis")
    root = ElementTree.fromstring("<qgis" + body)
    categories, symbols = root.find(".//renderer-v2/categories"), root.find(".//renderer-v2/symbols")
    assert categories is not None
    assert symbols is not None
    category_template, symbol_template = copy.deepcopy(categories[0]), copy.deepcopy(symbols[0])
    categories.clear()
    symbols.clear()
    for index, (class_id, name) in enumerate(sorted(names.items())):
        category, symbol = copy.deepcopy(category_template), copy.deepcopy(symbol_template)
        category.attrib |= {"value": str(class_id), "label": name, "symbol": str(index)}
        symbol.attrib["name"] = str(index)
        color = colors.get(class_id) or _PALETTE[3 * (class_id % 12) :][:3]
        fill = ",".join(map(str, (*color, _OPACITY)))
        for option in symbol.iterfind(".//Option[@name='color']"):
            option.attrib["value"] = fill
        for prop in symbol.iterfind(".//prop[@k='color']"):
            prop.attrib["v"] = fill
        categories.append(category)
        symbols.append(symbol)
    return head + ElementTree.tostring(root, encoding="unicode")
