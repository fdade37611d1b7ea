"""What went wrong in a library, in one line."""

from __future__ import annotations

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

#: What rasterio raises for odd files: its own errors, GDAL's that it forgot to wrap, and those of Python where it
#: took for granted that metadata are as they should be.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, ValueError, TypeError, KeyError, AttributeError)


def format_gdal_error(error: BaseException) -> str:
    """What went wrong at the bottom of it, in one line without a full stop.

    rasterio's own sentence often only says to look at the exception before, which is GDAL's.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__
