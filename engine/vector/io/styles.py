"""The default styles of the layers: QML documents, as QGIS writes them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

Color = tuple[int, int, int]

#: The folder with one QML document for each layer.
STYLE_FOLDER = Path(__file__).resolve().parents[3] / "resources" / "styles"
#: Colours of classes that have none, by id: ColorBrewer's Set3, which tells twelve areas apart.
_PALETTE: tuple[Color, ...] = (
    (141, 211, 199),
    (255, 255, 179),
    (190, 186, 218),
    (251, 128, 114),
    (128, 177, 211),
    (253, 180, 98),
    (179, 222, 105),
    (252, 205, 229),
    (217, 217, 217),
    (188, 128, 189),
    (204, 235, 197),
    (255, 237, 111),
)
_OPACITY = 170


def load_styles(layers: Iterable[str]) -> dict[str, str]:
    """QML documents of the layers that have one, by layer."""
    paths = {layer: STYLE_FOLDER / f"{layer}.qml" for layer in layers}
    return {layer: path.read_text(encoding="utf-8") for layer, path in paths.items() if path.is_file()}


def make_class_style(names: Mapping[int, str], colours: Mapping[int, Color]) -> str:
    """A style of areas by class, made from that of land cover.

    Args:
        names: of the classes that occur, by id.
        colours: of the classes that have one, by id.

    Returns:
        A QML document with one category for each class.
    """
    document = load_styles(("landcover",))["landcover"]
    head, _, body = document.partition("<qgis")
    root = ElementTree.fromstring("<qgis" + body)
    categories, symbols = root.find(".//renderer-v2/categories"), root.find(".//renderer-v2/symbols")
    assert categories is not None
    assert symbols is not None
    category, symbol = copy.deepcopy(categories[0]), copy.deepcopy(symbols[0])
    categories.clear()
    symbols.clear()
    for number, (key, name) in enumerate(sorted(names.items())):
        one, drawn = copy.deepcopy(category), copy.deepcopy(symbol)
        one.attrib |= {"value": str(key), "label": name, "symbol": str(number)}
        drawn.attrib["name"] = str(number)
        fill = ",".join(map(str, (*colours.get(key, _PALETTE[key % len(_PALETTE)]), _OPACITY)))
        for option in drawn.iterfind(".//Option[@name='color']"):
            option.attrib["value"] = fill
        for prop in drawn.iterfind(".//prop[@k='color']"):
            prop.attrib["v"] = fill
        categories.append(one)
        symbols.append(drawn)
    return head + ElementTree.tostring(root, encoding="unicode")
