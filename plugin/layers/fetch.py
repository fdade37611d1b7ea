"""Fetching one tile from a raster provider, with retries and a look at whether anything came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

from qgis.core import Qgis, QgsRasterBlock, QgsRasterBlockFeedback, QgsRasterDataProvider, QgsRectangle
from qgis.PyQt.QtGui import QImage

from .tile_grid import Tile

#: Seconds before the second, third, ... attempt.
RETRY_PAUSES = (0.3, 1.0, 2.5)


@dataclass(frozen=True)
class Fetched:
    """What came for a tile: raw bytes per band (or BGRA pixels), or nothing.

    Attributes:
        data: one entry per band, or one of BGRA pixels; empty where nothing came.
        errors: what the provider said, without repetitions.
    """

    data: tuple[bytes, ...]
    errors: tuple[str, ...]


def is_image(provider: QgsRasterDataProvider) -> bool:
    """Whether ``provider`` gives coloured pixels (WMS, XYZ, ArcGIS tiles), not values."""
    kinds = (Qgis.DataType.ARGB32, Qgis.DataType.ARGB32_Premultiplied)
    return provider.dataType(1) in kinds


def fetch_tile(
    provider: QgsRasterDataProvider, tile: Tile, feedback: QgsRasterBlockFeedback, cancelled: Callable[[], bool]
) -> Fetched:
    """Ask ``provider`` for ``tile``, several times where nothing comes.

    Args:
        provider: a clone that belongs to this thread.
        tile: what to ask for.
        feedback: cancels requests that are under way.
        cancelled: asked between attempts.
    """
    errors: list[str] = []
    read = _read_image if is_image(provider) else _read_values
    for pause in (*RETRY_PAUSES, 0.0):
        data = read(provider, tile, feedback)
        errors += feedback.errors()
        if data or cancelled():
            return Fetched(data, tuple(dict.fromkeys(errors)))
        waited = 0.0
        while waited < pause and not cancelled():
            time.sleep(0.05)
            waited += 0.05
    return Fetched((), tuple(dict.fromkeys(errors)))


def _block(
    provider: QgsRasterDataProvider, band: int, tile: Tile, feedback: QgsRasterBlockFeedback
) -> QgsRasterBlock | None:
    extent = QgsRectangle(tile.box.xmin, tile.box.ymin, tile.box.xmax, tile.box.ymax)
    block = provider.block(band, extent, tile.width, tile.height, feedback)
    usable = block is not None and block.isValid() and (block.width(), block.height()) == (tile.width, tile.height)
    return block if usable else None


def _read_image(provider: QgsRasterDataProvider, tile: Tile, feedback: QgsRasterBlockFeedback) -> tuple[bytes, ...]:
    """BGRA pixels, or nothing where the whole tile is transparent."""
    block = _block(provider, 1, tile, feedback)
    if block is None:
        return ()
    image = block.image().convertToFormat(QImage.Format.Format_ARGB32)
    bits = image.constBits()
    if bits is None:
        return ()
    bits.setsize(image.sizeInBytes())
    pixels = bytes(bits)
    return (pixels,) if any(pixels[3::4]) else ()


def _read_values(provider: QgsRasterDataProvider, tile: Tile, feedback: QgsRasterBlockFeedback) -> tuple[bytes, ...]:
    """The values of each band, or nothing where a band does not come."""
    bands = []
    for band in range(1, provider.bandCount() + 1):
        block = _block(provider, band, tile, feedback)
        if block is None:
            return ()
        bands.append(bytes(block.data()))
    return tuple(bands)
