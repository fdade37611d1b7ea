"""Probability rasters of the engine, handled with GDAL alone: QGIS's Python may lack NumPy.

The engine writes ``round(probability * PROBABILITY_SCALE)`` as bytes, and ``NODATA`` where there is no value; see
``engine/raster/probability.py``, with whose constants a test compares these.
"""

from __future__ import annotations

import contextlib
import math
import uuid
from pathlib import Path
from typing import Callable

from osgeo import gdal

from ...engine.fs.rename import check_not_in_use, is_in_use, rename, rename_beside
from ..engine.errors import EngineCancelledError, EngineError
from ..i18n import tr

PROBABILITY_SCALE = 250
NODATA = 255
_CREATION_OPTIONS = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"]


def make_lookup_table(threshold: float) -> bytes:
    """Make the table from bytes of a probability raster to bytes of its mask: 0, 1, or ``NODATA``."""
    lowest = max(1, math.ceil(threshold * PROBABILITY_SCALE - 1e-9))
    return bytes(NODATA if value == NODATA else int(value >= lowest) for value in range(256))


def check_mask_output(target: Path) -> None:
    """Raise ``EngineError`` if the mask ``target`` exists and another program has it open, so that Windows keeps it."""
    try:
        if target.exists():
            check_not_in_use(target)
    except OSError as error:
        text, hint = _explain_write_error(target, error)
        raise EngineError(text, hint) from error


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
        raise EngineError(tr("The probability raster {path} cannot be read.").format(path=probability))
    target = target.resolve()
    partial = target.with_name(f".{target.stem[:20]}.{uuid.uuid4().hex}.partial{target.suffix}")
    try:
        _write_strips(source, partial, make_lookup_table(threshold), is_cancelled)
        rename(partial, target)
        target.with_name(f"{target.name}.aux.xml").unlink(missing_ok=True)  # statistics of the earlier file
    except OSError as error:
        text, hint = _explain_write_error(target, error)
        if is_in_use(error) and partial.exists():
            text += " " + tr("The new mask is kept as {file}.").format(file=rename_beside(partial, target))
        raise EngineError(text, hint) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _explain_write_error(target: Path, error: OSError) -> tuple[str, str | None]:
    """Return a sentence and a hint for an ``error`` that occurred while ``target`` was written."""
    if is_in_use(error):
        text = tr("The mask {file} cannot be replaced, because QGIS or another program has it open.")
        return text.format(file=target), tr("Remove its layer from the project, or choose another file.")
    return _format_write_error(target, error.strerror or str(error)), None


def _format_write_error(target: Path, reason: str) -> str:
    return tr("The mask {file} cannot be written: {reason}.").format(file=target, reason=reason)


def _write_strips(source: gdal.Dataset, target: Path, table: bytes, is_cancelled: Callable[[], bool]) -> None:
    width, height = source.RasterXSize, source.RasterYSize
    mask = gdal.GetDriverByName("GTiff").Create(str(target), width, height, 1, gdal.GDT_Byte, _CREATION_OPTIONS)
    if mask is None:
        raise EngineError(_format_write_error(target, gdal.GetLastErrorMsg()))
    band = mask.GetRasterBand(1)
    try:
        mask.SetGeoTransform(source.GetGeoTransform())
        mask.SetProjection(source.GetProjection())
        band.SetNoDataValue(NODATA)
        for row in range(0, height, 512):
            if is_cancelled():
                raise EngineCancelledError
            rows = min(512, height - row)
            data = source.GetRasterBand(1).ReadRaster(0, row, width, rows, buf_type=gdal.GDT_Byte)
            if data is None or band.WriteRaster(0, row, width, rows, bytes(data).translate(table)):
                raise EngineError(_format_write_error(target, gdal.GetLastErrorMsg()))
        if mask.FlushCache() not in (None, 0):
            raise EngineError(_format_write_error(target, gdal.GetLastErrorMsg()))
    finally:
        band = mask = None  # closes the file also where an error holds this frame; Windows removes no open file
