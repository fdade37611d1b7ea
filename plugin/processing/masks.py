"""A mask from a probability raster: a plain look-up of bytes, so no NumPy is needed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Callable

from osgeo import gdal

from ..engine.errors import EngineCancelledError, EngineError

#: The engine writes round(probability x 250), and 255 where there is nothing.
PROBABILITY_SCALE = 250
NODATA = 255
_OPTIONS = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"]


def lookup_table(threshold: float) -> bytes:
    """For each byte of a probability raster the byte of its mask: 0, 1, or 255 where there is nothing."""
    level = max(1, math.ceil(threshold * PROBABILITY_SCALE - 1e-9))
    return bytes(NODATA if value == NODATA else int(value >= level) for value in range(256))


def write_mask(probability: Path, target: Path, threshold: float, cancelled: Callable[[], bool]) -> None:
    """Write the mask of ``probability`` at ``threshold`` to ``target``.

    Raises:
        EngineError: a file cannot be read or written.
        EngineCancelledError: ``cancelled`` said so.
    """
    source = gdal.Open(str(probability))
    if source is None:
        raise EngineError(f"The probability raster {probability} cannot be read.")
    partial = target.with_name(f".{target.stem[:20]}.partial{target.suffix}")
    try:
        _copy(source, partial, lookup_table(threshold), cancelled)
        partial.replace(target)
    except OSError as error:
        raise EngineError(f"The mask {target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: gdal.Dataset, target: Path, table: bytes, cancelled: Callable[[], bool]) -> None:
    width, height = source.RasterXSize, source.RasterYSize
    mask = gdal.GetDriverByName("GTiff").Create(str(target), width, height, 1, gdal.GDT_Byte, _OPTIONS)
    if mask is None:
        raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
    mask.SetGeoTransform(source.GetGeoTransform())
    mask.SetProjection(source.GetProjection())
    band = mask.GetRasterBand(1)
    band.SetNoDataValue(NODATA)
    for row in range(0, height, 512):
        if cancelled():
            raise EngineCancelledError("Cancelled; nothing was written.", code="Cancelled")
        rows = min(512, height - row)
        data = source.GetRasterBand(1).ReadRaster(0, row, width, rows, buf_type=gdal.GDT_Byte)
        if data is None or band.WriteRaster(0, row, width, rows, bytes(data).translate(table)):
            raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
    if mask.FlushCache() not in (None, 0):
        raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
