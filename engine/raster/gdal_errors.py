"""Exceptions of rasterio and GDAL, and their messages in one line."""

from __future__ import annotations

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

#: Everything that rasterio raises for unusual files: its own errors, GDAL's that it does not wrap, and those of Python
#: for metadata of an unexpected form.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, ValueError, TypeError, KeyError, AttributeError)


def format_gdal_error(error: BaseException) -> str:
    """Return the message of the root cause in one line without a full stop.

    rasterio's own message often only refers to the exception that it was raised from.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__
