"""Lists of images in files: tile indexes and STAC items.

A tile index of GDAL is a vector file whose column ``location`` names the images of a mosaic (``gdaltindex``); a file
``.gti`` (XML) names such an index and its column. Both are read here, and not by GDAL's driver, so that every image
that they name is checked like one that a person names.

A JSON file holds a single STAC item, or a collection of them. Each item has assets, of which one is the image. Only
what is in the file is read; links to further pages are not followed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pyogrio
import pyogrio.errors

from ..errors import SourceError, VectorError, first_line, shorten
from ..fs.pyogrio_path import pyogrio_path
from ..protocol.messages import Message
from .vrt_security import check_references

#: The column of ``gdaltindex``.
_COLUMN = "location"
_MAX_XML_BYTES = 1 << 20
_READ_ELEMENTS = frozenset(("IndexDataset", "IndexLayer", "LocationField"))
_MAX_STAC_BYTES = 256 << 20
#: Keys of assets that hold the image for people's eyes, the best first.
_PREFERRED = ("visual", "rgb", "image", "data", "cog", "default")
_RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/x.geotiff")
#: Assets that an error names.
_NAMED = 8


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


def read_stac_assets(path: Path, asset: str | None) -> tuple[list[str], list[Message]] | None:
    """Read the images of the items in a JSON file.

    Args:
        path: the file.
        asset: key of the asset to use; None to decide.

    Returns:
        The images (paths, relative to the file where they are not absolute, or addresses), and remarks on which assets
        were chosen; None if the file holds no STAC items.

    Raises:
        SourceError: the file cannot be read, or it is not clear which asset of an item is the image.
    """
    try:
        if path.stat().st_size > _MAX_STAC_BYTES:
            raise SourceError(f"The file {path} has more than {_MAX_STAC_BYTES >> 20} MB.")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise SourceError(f"The file {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError):
        return None
    items = document.get("features") if isinstance(document, dict) else None
    if items is None:
        items = [document]
    if not isinstance(items, list) or not items or not all(map(_is_item, items)):
        return None
    keys = [_choose_asset(item, asset, path) for item in items]
    listed = ", ".join(dict.fromkeys(keys))
    remarks = [Message(f"{path.name} holds {len(items)} STAC items; of each the asset {listed} is read.")]
    links = document.get("links")
    if isinstance(links, list) and any(isinstance(link, dict) and link.get("rel") == "next" for link in links):
        text = f"{path.name} is one page of several: only the items in it are read."
        remarks.append(Message(text, "warning"))
    return [str(item["assets"][key]["href"]) for item, key in zip(items, keys, strict=True)], remarks


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("assets"), dict) and item.get("type") == "Feature"


def _choose_asset(item: dict[str, Any], wanted: str | None, path: Path) -> str:
    """Return the key of the asset of ``item`` that is the image."""
    name = shorten(item.get("id", "without id"))
    assets = {str(key): value for key, value in item["assets"].items() if isinstance(value, dict) and value.get("href")}
    rasters = [key for key, value in assets.items() if str(value.get("type", "")).startswith(_RASTER_TYPES)]
    listed = ", ".join(list(assets)[:_NAMED])
    if wanted is not None:
        if wanted not in assets:
            raise SourceError(f"The item {name} of {path} has no asset {shorten(wanted)}; it has {listed}.")
        return wanted
    preferred = [key for key in _PREFERRED if key in (rasters or assets)]
    if preferred:
        return preferred[0]
    if len(rasters) == 1:
        return rasters[0]
    raise SourceError(
        f"It is not clear which asset of the item {name} of {path} is the image: it has {listed or 'none'}.",
        "Choose one with --asset.",
    )
