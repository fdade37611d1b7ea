"""STAC items as lists of images: a JSON file of a single item, or of a collection of them.

Each item has assets, of which one is the image. Only what is in the file is read; links to further pages are not
followed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import SourceError, shorten
from ..protocol.messages import Message

_MAX_BYTES = 256 << 20
#: Keys of assets that hold the image for people's eyes, the best first.
_PREFERRED = ("visual", "rgb", "image", "data", "cog", "default")
_RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/x.geotiff")
_NAMED = 8


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
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"The file {path} has more than {_MAX_BYTES >> 20} MB.")
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
