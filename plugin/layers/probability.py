"""Probability rasters of the engine, handled with GDAL alone: QGIS's Python may lack NumPy.

The engine writes ``round(probability * PROBABILITY_SCALE)`` as bytes, and ``NODATA`` where there is no value; see
``engine/raster/probability.py``, with whose constants a test compares these.
"""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Callable

from osgeo import gdal

from ..engine.errors import EngineCancelledError, EngineError

PROBABILITY_SCALE = 250
NODATA = 255
_CREATION_OPTIONS = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"]


def make_lookup_table(threshold: float) -> bytes:
    """Make the table from bytes of a probability raster to bytes of its mask: 0, 1, or ``NODATA``."""
    lowest = max(1, math.ceil(threshold * PROBABILITY_SCALE - 1e-9))
    return bytes(NODATA if value == NODATA else int(value >= lowest) for value in range(256))


def write_mask(probability: Path, target: Path, threshold: float, is_cancelled: Callable[[], bool]) -> None:
    """Write the mask of a probability raster to ``target``, whole or not at all.

    Args:
        probability: the engine's probability raster.
        target: the GeoTIFF to write; a link stays, and the file that it leads to is replaced.
        threshold: probability from which a pixel is 1.
        is_cancelled: asked between strips of rows.

    Raises:
        EngineError: a file cannot be read or written.
        EngineCancelledError: the run was cancelled.
    """
    source = gdal.Open(str(probability))
    if source is None:
        raise EngineError(f"The probability raster {probability} cannot be read.")
    target = target.resolve()
    partial = target.with_name(f".{target.stem[:20]}.{uuid.uuid4().hex}.partial{target.suffix}")
    try:
        _write_strips(source, partial, make_lookup_table(threshold), is_cancelled)
        partial.replace(target)
        target.with_name(f"{target.name}.aux.xml").unlink(missing_ok=True)  # statistics of the earlier file
    except OSError as error:
        raise EngineError(f"The mask {target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_strips(source: gdal.Dataset, target: Path, table: bytes, is_cancelled: Callable[[], bool]) -> None:
    width, height = source.RasterXSize, source.RasterYSize
    mask = gdal.GetDriverByName("GTiff").Create(str(target), width, height, 1, gdal.GDT_Byte, _CREATION_OPTIONS)
    if mask is None:
        raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
    mask.SetGeoTransform(source.GetGeoTransform())
    mask.SetProjection(source.GetProjection())
    band = mask.GetRasterBand(1)
    band.SetNoDataValue(NODATA)
    for row in range(0, height, 512):
        if is_cancelled():
            raise EngineCancelledError("Cancelled; nothing was written.", code="Cancelled")
        rows = min(512, height - row)
        data = source.GetRasterBand(1).ReadRaster(0, row, width, rows, buf_type=gdal.GDT_Byte)
        if data is None or band.WriteRaster(0, row, width, rows, bytes(data).translate(table)):
            raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
    if mask.FlushCache() not in (None, 0):
        raise EngineError(f"The mask {target} cannot be written: {gdal.GetLastErrorMsg()}.")
