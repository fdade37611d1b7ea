"""Fetch a layer that is not a file, such as an online service, into a GeoTIFF, tile by tile and with retries."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsRasterBlock,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QThread
from qgis.PyQt.QtGui import QImage

from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr
from .grid import Tile, TileGrid, make_tile_grid, measure_units_per_metre
from .sources import LayerSource

#: Seconds before the second, third, ... attempt to fetch a tile.
RETRY_PAUSES = (0.3, 1.0, 2.5)
#: More pixels than this are not fetched from a service in one run (about 130 000 tiles of 256 pixels).
MAX_PIXELS = 8_600_000_000
#: Fetching ends if so many tiles came empty from the first on, with errors of the service.
_MAX_EMPTY = 8
_GDAL_TYPES = {
    Qgis.DataType.Byte: gdal.GDT_Byte,
    Qgis.DataType.UInt16: gdal.GDT_UInt16,
    Qgis.DataType.Int16: gdal.GDT_Int16,
    Qgis.DataType.UInt32: gdal.GDT_UInt32,
    Qgis.DataType.Int32: gdal.GDT_Int32,
    Qgis.DataType.Float32: gdal.GDT_Float32,
    Qgis.DataType.Float64: gdal.GDT_Float64,
}
_CREATION_OPTIONS = (
    "TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "ZLEVEL=1", "BIGTIFF=IF_SAFER",
    "SPARSE_OK=TRUE",
)  # fmt: skip


@dataclass(frozen=True)
class FetchRequest:
    """How to fetch an image.

    Attributes:
        resolution: m per pixel on the ground.
        extent: rectangle in the layer's CRS; None for the whole layer.
        area: polygons in the layer's CRS; tiles outside are not fetched; None for all.
        folder: for the file.
    """

    resolution: float
    extent: QgsRectangle | None
    area: QgsGeometry | None
    folder: Path


@dataclass(frozen=True)
class _FetchJob:
    """What to fetch, pixel by pixel.

    Attributes:
        provider: a clone that belongs to the calling thread.
        name: the layer's name, for messages.
        crs: the layer's CRS.
        grid: the pixels to fetch.
        area: tiles that do not touch it are left empty; None for all.
        target: the file to write.
    """

    provider: QgsRasterDataProvider
    name: str
    crs: QgsCoordinateReferenceSystem
    grid: TileGrid
    area: QgsGeometry | None
    target: Path


@dataclass(frozen=True)
class FetchSummary:
    """Outcome of fetching: number of tiles, how many of them were empty, and the provider's error messages."""

    tiles: int
    empty: int
    errors: tuple[str, ...]


class _CancelFeedback(QgsRasterBlockFeedback):
    """Cancels the request of a provider that waits for the network when the run is cancelled.

    Args:
        is_cancelled: asked ten times a second.
    """

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self.is_cancelled = is_cancelled
        self._timer = self.startTimer(100)

    def timerEvent(self, _event: object) -> None:  # noqa: N802 (Qt's name)
        """Ask, while the provider's own event loop runs."""
        if self.is_cancelled():
            self.cancel()


def fetch_layer(
    source: LayerSource,
    request: FetchRequest,
    is_cancelled: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> tuple[Path, FetchSummary]:
    """Fetch the image of ``source`` into ``request.folder``. Blocks; call it in the run's thread.

    Args:
        source: a layer without a file.
        request: how to fetch it.
        is_cancelled: asked ten times a second.
        on_progress: called with a share of 0..1.

    Returns:
        The file, and how much of it came.

    Raises:
        EngineError: nothing came, the area is too large, the layer has no CRS or scale there, or the file cannot be
            written.
        EngineCancelledError: the run was cancelled.
    """
    assert source.provider is not None
    box = source.extent if request.extent is None else source.extent.intersect(request.extent)
    if box.isEmpty() or not box.isFinite():
        text = tr("The area lies outside of the layer {layer}.")
        raise EngineError(text.format(layer=source.name), tr("Choose another area."))
    if not source.crs.isValid():
        text, hint = tr("The layer {layer} has no CRS."), tr("Set it in the layer's properties.")
        raise EngineError(text.format(layer=source.name), hint)
    try:
        unit_x, unit_y = measure_units_per_metre(source.crs.toWkt(), box)
    except ValueError as error:
        text = tr("The layer {layer} has no scale in this area.")
        raise EngineError(text.format(layer=source.name), tr("Choose a smaller area.")) from error
    grid = make_tile_grid(box, request.resolution * unit_x, request.resolution * unit_y)
    target = request.folder / "image.tif"
    source.provider.moveToThread(QThread.currentThread())
    try:
        job = _FetchJob(source.provider, source.name, source.crs, grid, request.area, target)
        return target, _fetch_tiles(job, _CancelFeedback(is_cancelled), on_progress)
    finally:
        source.provider.moveToThread(None)


def _fetch_tiles(job: _FetchJob, feedback: _CancelFeedback, on_progress: Callable[[float], None]) -> FetchSummary:
    """Fetch the tiles of ``job`` into its target; arguments and errors as of ``fetch_layer``."""
    if job.grid.width * job.grid.height > MAX_PIXELS:
        text = tr("The area of {layer} has {width} × {height} pixels, too many to fetch from a service in one run.")
        size = {"width": job.grid.width, "height": job.grid.height}
        raise EngineError(text.format(layer=job.name, **size), tr("Choose a smaller area."))
    tiles = [tile for tile in job.grid.tiles() if job.area is None or job.area.intersects(tile.box)]
    dataset = _create_dataset(job)
    errors: dict[str, None] = {}
    empty = 0
    for index, tile in enumerate(tiles):
        data, reported = _fetch_tile(job.provider, tile, feedback)
        if feedback.is_cancelled():
            raise EngineCancelledError
        errors.update(dict.fromkeys(reported))
        if data:
            _write_tile(dataset, tile, data, job)
        else:
            empty += 1
            if errors and empty == index + 1 == _MAX_EMPTY:
                raise _make_empty_error(job, errors)
        on_progress((index + 1) / len(tiles))
    if dataset.FlushCache() not in (None, 0):
        raise _make_write_error(job)
    if empty == len(tiles):
        raise _make_empty_error(job, errors)
    return FetchSummary(len(tiles), empty, tuple(errors))


def _fetch_tile(
    provider: QgsRasterDataProvider, tile: Tile, feedback: _CancelFeedback
) -> tuple[tuple[bytes, ...], list[str]]:
    """Request ``tile`` from ``provider``, and again after a pause where nothing comes.

    Returns:
        Raw bytes of each band, or one entry of BGRA pixels, empty where nothing came; and the provider's errors.
    """
    errors: list[str] = []
    read = _read_colors if _has_color_pixels(provider) else _read_values
    for pause in (*RETRY_PAUSES, 0.0):
        data = read(provider, tile, feedback)
        errors += feedback.errors()
        if data or feedback.is_cancelled():
            break
        waited = 0.0
        while waited < pause and not feedback.is_cancelled():
            time.sleep(0.05)
            waited += 0.05
    return data, errors


def _has_color_pixels(provider: QgsRasterDataProvider) -> bool:
    """Whether ``provider`` gives coloured pixels (WMS, XYZ, ArcGIS tiles), not values."""
    return provider.dataType(1) in (Qgis.DataType.ARGB32, Qgis.DataType.ARGB32_Premultiplied)


def _read_block(
    provider: QgsRasterDataProvider, band: int, tile: Tile, feedback: QgsRasterBlockFeedback
) -> QgsRasterBlock | None:
    block = provider.block(band, tile.box, tile.width, tile.height, feedback)
    is_usable = block is not None and block.isValid() and (block.width(), block.height()) == (tile.width, tile.height)
    return block if is_usable else None


def _read_colors(provider: QgsRasterDataProvider, tile: Tile, feedback: QgsRasterBlockFeedback) -> tuple[bytes, ...]:
    """Read BGRA pixels; empty where the whole tile is transparent."""
    block = _read_block(provider, 1, tile, feedback)
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
    """Read the values of each band; empty where a band does not come."""
    bands = []
    for band in range(1, provider.bandCount() + 1):
        block = _read_block(provider, band, tile, feedback)
        if block is None:
            return ()
        bands.append(bytes(block.data()))
    return tuple(bands)


def _create_dataset(job: _FetchJob) -> gdal.Dataset:
    """Create an empty raster: RGB and alpha for coloured pixels, else the provider's bands."""
    has_colors = _has_color_pixels(job.provider)
    value_type = gdal.GDT_Byte if has_colors else _GDAL_TYPES.get(job.provider.dataType(1))
    if value_type is None:
        raise EngineError(tr("The layer {layer} has a pixel type that cannot be used.").format(layer=job.name))
    bands = 4 if has_colors else job.provider.bandCount()
    options = [*_CREATION_OPTIONS, *(["PHOTOMETRIC=RGB", "ALPHA=YES"] if has_colors else [])]
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(job.target), job.grid.width, job.grid.height, bands, value_type, options)
    if dataset is None:
        raise _make_write_error(job)
    dataset.SetGeoTransform(job.grid.geotransform())
    dataset.SetProjection(job.crs.toWkt())
    if not has_colors:
        for band in range(1, bands + 1):
            nodata = job.provider.sourceNoDataValue(band) if job.provider.sourceHasNoDataValue(band) else math.nan
            if not math.isnan(nodata) or value_type in (gdal.GDT_Float32, gdal.GDT_Float64):
                dataset.GetRasterBand(band).SetNoDataValue(nodata)
    return dataset


def _write_tile(dataset: gdal.Dataset, tile: Tile, data: tuple[bytes, ...], job: _FetchJob) -> None:
    if _has_color_pixels(job.provider):  # memory holds B, G, R, A
        failed = dataset.WriteRaster(
            tile.column, tile.row, tile.width, tile.height, data[0],
            tile.width, tile.height, gdal.GDT_Byte, [3, 2, 1, 4], 4, 4 * tile.width, 1,
        )  # fmt: skip
    else:
        value_type = dataset.GetRasterBand(1).DataType
        failed = any(
            dataset.GetRasterBand(band).WriteRaster(
                tile.column, tile.row, tile.width, tile.height, pixels, tile.width, tile.height, value_type
            )
            for band, pixels in enumerate(data, start=1)
        )
    if failed:
        raise _make_write_error(job)


def _make_empty_error(job: _FetchJob, errors: dict[str, None]) -> EngineError:
    text = tr("The layer {layer} gave no image for this area.").format(layer=job.name)
    if errors:
        text += " " + tr("The service reported: {error}").format(error=next(iter(errors))[:300])
    hint = tr("Check that it shows something there at this scale, and your connection and proxy.")
    return EngineError(text, hint, code="NoImage")


def _make_write_error(job: _FetchJob) -> EngineError:
    reason = gdal.GetLastErrorMsg() or tr("the disk may be full")
    text = tr("The temporary image {path} could not be written: {reason}.")
    return EngineError(text.format(path=job.target, reason=reason), code="OutputError")
