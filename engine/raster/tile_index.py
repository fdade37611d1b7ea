"""GDAL's tile indexes: vector files whose column ``location`` names the images of a mosaic (``gdaltindex``).

A file ``.gti`` (XML) names such an index and its column. Both are read here, and not by GDAL's driver, so that every
image that they name is checked like one that a person names.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pyogrio
import pyogrio.errors

from ..errors import SourceError, VectorError, first_line
from ..fs.pyogrio_path import pyogrio_path
from ..protocol.messages import Message
from .vrt_security import check_references

#: The column of ``gdaltindex``.
_COLUMN = "location"
_MAX_XML_BYTES = 1 << 20
_READ_ELEMENTS = frozenset(("IndexDataset", "IndexLayer", "LocationField"))


def read_tile_index(path: Path, layer: str | None = None, column: str = _COLUMN) -> list[str] | None:
    """Read the locations of a tile index, in the order of its features.

    Args:
        path: a vector file.
        layer: its layer; None for the first one with the column.
        column: the column of the locations.

    Returns:
        The locations; None if the file has no layer with such a column.

    Raises:
        SourceError: a feature has no location, or the file must not be read.
    """
    check_references(path)
    try:
        name = pyogrio_path(path)
        layers = [str(entry) for entry, _ in pyogrio.list_layers(name)] if layer is None else [layer]
        for entry in layers:
            fields = {str(found).lower(): str(found) for found in pyogrio.read_info(name, layer=entry)["fields"]}
            if column.lower() in fields:
                wanted = fields[column.lower()]
                values = pyogrio.raw.read(name, layer=entry, columns=[wanted], read_geometry=False)[3][0]
                break
        else:
            return None
    except (VectorError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError):
        return None  # not a vector file: perhaps an image
    if any(not isinstance(value, str) or not value for value in values):
        raise SourceError(f"The tile index {path} has tiles without a location in its column {wanted}.")
    return [str(value) for value in values]


def read_gti(path: Path) -> tuple[list[str], list[Message]]:
    """Read the locations of a tile index that an XML file describes.

    Returns:
        The locations, and remarks on what is not used of the description.

    Raises:
        SourceError: the file is not such a description, its index cannot be read, or it uses only some of the images.
    """
    check_references(path)
    try:
        with path.open("rb") as file:
            root = Xml.fromstring(file.read(_MAX_XML_BYTES))
    except (OSError, Xml.ParseError) as error:
        raise SourceError(f"The tile index {path} cannot be read: {first_line(error)}.") from error
    index = root.findtext("IndexDataset")
    if root.tag != "GDALTileIndexDataset" or not index:
        raise SourceError(f"{path} does not describe a tile index: it has no element IndexDataset.")
    if root.find("Filter") is not None:
        raise SourceError(
            f"The tile index {path} uses only some of the images: it has an element Filter, which is not supported.",
            "Make an index of these images alone, such as with `ogr2ogr -where`.",
        )
    layer, column = root.findtext("IndexLayer"), root.findtext("LocationField") or _COLUMN
    names = read_tile_index(path.parent / index, layer, column)
    if names is None:
        raise SourceError(f"The index {index} of {path} has no column {column}, or cannot be read.")
    base = (path.parent / index).parent
    unused = [entry for entry in dict.fromkeys(element.tag for element in root) if entry not in _READ_ELEMENTS]
    text = f"Of {path.name}, {', '.join(unused)} is not used: all images count as they are, in the order of the index."
    return [str(base / name) if (base / name).exists() else name for name in names], [Message(text)] if unused else []
