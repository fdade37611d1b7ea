"""A layer that is no file, fetched into a temporary GeoTIFF at a model's resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRectangle,
)

from ..engine.errors import EngineCancelledError, EngineError
from .fetch import Fetched, fetch_tile, is_image
from .tile_grid import Lattice, Tile

#: More pixels than this are not fetched from a service in one run (about 130 000 tiles of 256 pixels).
MAX_PIXELS = 8_600_000_000
_GDAL_TYPES = {
    Qgis.DataType.Byte: (gdal.GDT_Byte, 1),
    Qgis.DataType.UInt16: (gdal.GDT_UInt16, 2),
    Qgis.DataType.Int16: (gdal.GDT_Int16, 2),
    Qgis.DataType.UInt32: (gdal.GDT_UInt32, 4),
    Qgis.DataType.Int32: (gdal.GDT_Int32, 4),
    Qgis.DataType.Float32: (gdal.GDT_Float32, 4),
    Qgis.DataType.Float64: (gdal.GDT_Float64, 8),
}
_OPTIONS = ("TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "ZLEVEL=1", "BIGTIFF=IF_SAFER")


@dataclass(frozen=True)
class Job:
    """What to fetch.

    Attributes:
        provider: a clone that belongs to the calling thread.
        name: the layer's name, for messages.
        crs: the layer's CRS.
        lattice: the pixels to fetch.
        area: tiles that do not touch it are left empty; None for all.
        target: the file to write.
    """

    provider: QgsRasterDataProvider
    name: str
    crs: QgsCoordinateReferenceSystem
    lattice: Lattice
    area: QgsGeometry | None
    target: Path


@dataclass(frozen=True)
class Rendered:
    """What came: numbers of tiles, and what the provider said."""

    tiles: int
    empty: int
    errors: tuple[str, ...]


def render(
    job: Job, feedback: QgsRasterBlockFeedback, cancelled: Callable[[], bool], progress: Callable[[float], None]
) -> Rendered:
    """Fetch ``job`` into its target. Blocks; belongs in a worker thread.

    Args:
        job: what to fetch.
        feedback: cancels requests that are under way.
        cancelled: asked between tiles.
        progress: hears a share of 0..1.

    Returns:
        How many tiles were fetched and how many came empty.

    Raises:
        EngineError: nothing came, it is too much, or the file cannot be written.
        EngineCancelledError: ``cancelled`` said so.
    """
    if job.lattice.width * job.lattice.height > MAX_PIXELS:
        raise EngineError(
            f"The area of {job.name} has {job.lattice.width} x {job.lattice.height} pixels, "
            "too many to fetch from a service in one run.",
            "Choose a smaller area.",
        )
    tiles = [tile for tile in job.lattice.tiles() if _touches(tile, job.area)]
    dataset = _create(job)
    errors: dict[str, None] = {}
    empty = 0
    for index, tile in enumerate(tiles):
        fetched = fetch_tile(job.provider, tile, feedback, cancelled)
        if cancelled():
            raise EngineCancelledError("Cancelled; nothing was written.", code="Cancelled")
        errors.update(dict.fromkeys(fetched.errors))
        if fetched.data:
            _write(dataset, tile, fetched, job)
        else:
            empty += 1
            _give_up_early(job, index, empty, errors)
        progress((index + 1) / len(tiles))
    if dataset.FlushCache() not in (None, 0):
        raise _write_error(job)
    if empty == len(tiles):
        raise _nothing(job, errors)
    return Rendered(len(tiles), empty, tuple(errors))


def _give_up_early(job: Job, index: int, empty: int, errors: dict[str, None]) -> None:
    """A service that gave nothing but errors for eight tiles will not give the rest."""
    if errors and empty == index + 1 == 8:
        raise _nothing(job, errors)


def _nothing(job: Job, errors: dict[str, None]) -> EngineError:
    said = f" The service said: {next(iter(errors))[:300]}" if errors else ""
    return EngineError(
        f"The layer {job.name} gave no image for this area.{said}",
        "Check that it shows something there at this scale, and your connection and proxy.",
        code="NoImage",
    )


def _touches(tile: Tile, area: QgsGeometry | None) -> bool:
    box = tile.box
    return area is None or area.intersects(QgsRectangle(box.xmin, box.ymin, box.xmax, box.ymax))


def _create(job: Job) -> gdal.Dataset:
    """An empty raster for ``job``: RGB and alpha for an image, else the provider's bands."""
    image = is_image(job.provider)
    kind = gdal.GDT_Byte if image else _value_type(job)[0]
    bands = 4 if image else job.provider.bandCount()
    options = [*_OPTIONS, "SPARSE_OK=TRUE", *(["PHOTOMETRIC=RGB", "ALPHA=YES"] if image else [])]
    driver = gdal.GetDriverByName("GTiff")
    dataset = driver.Create(str(job.target), job.lattice.width, job.lattice.height, bands, kind, options)
    if dataset is None:
        raise _write_error(job)
    dataset.SetGeoTransform(job.lattice.geotransform())
    dataset.SetProjection(job.crs.toWkt())
    if not image:
        for band in range(1, bands + 1):
            nodata = job.provider.sourceNoDataValue(band) if job.provider.sourceHasNoDataValue(band) else math.nan
            if not math.isnan(nodata) or kind in (gdal.GDT_Float32, gdal.GDT_Float64):
                dataset.GetRasterBand(band).SetNoDataValue(nodata)
    return dataset


def _value_type(job: Job) -> tuple[int, int]:
    kind = _GDAL_TYPES.get(job.provider.dataType(1))
    if kind is None:
        raise EngineError(f"The pixels of the layer {job.name} are of a kind that cannot be used.")
    return kind


def _write(dataset: gdal.Dataset, tile: Tile, fetched: Fetched, job: Job) -> None:
    if is_image(job.provider):  # memory holds B, G, R, A
        failed = dataset.WriteRaster(
            tile.column, tile.row, tile.width, tile.height, fetched.data[0],
            tile.width, tile.height, gdal.GDT_Byte, [3, 2, 1, 4], 4, 4 * tile.width, 1,
        )  # fmt: skip
    else:
        kind, _ = _value_type(job)
        failed = any(
            dataset.GetRasterBand(band).WriteRaster(
                tile.column, tile.row, tile.width, tile.height, data, tile.width, tile.height, kind
            )
            for band, data in enumerate(fetched.data, start=1)
        )
    if failed:
        raise _write_error(job)


def _write_error(job: Job) -> EngineError:
    reason = gdal.GetLastErrorMsg() or "the disk may be full"
    return EngineError(f"The temporary image {job.target} could not be written: {reason}.", code="OutputError")
