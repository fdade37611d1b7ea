"""Exceptions of rasterio and GDAL, their messages in one line, and what to do about files that GDAL cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from ..errors import SourceError

#: Everything that rasterio raises for unusual files: its own errors, GDAL's that it does not wrap, and those of Python
#: for metadata of an unexpected form.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, ValueError, TypeError, KeyError, AttributeError)
_ARCHIVE = "It is an archive: unpack it and give the image in it."
#: Suffixes of files that are often given in place of an image, and what to do about them.
_OTHER_KINDS = (
    (
        ".gti .gti.gpkg .gti.fgb .gti.parquet",
        "It is a tile index, a list of images: only `extract`, `segment` and `plan` read it, as a mosaic.",
    ),
    (".gpkg .shp .geojson .json .fgb .kml .gml .gpx .dxf .parquet .csv", "It is a vector file: give the image."),
    (".zip .gz .tar .tgz .7z .rar .kmz", _ARCHIVE),
    (
        ".ecw .sid .jpm",
        "This format needs its vendor's library: convert the image to GeoTIFF with a program that has it.",
    ),
    (".las .laz .e57", "It is a point cloud: make a raster of it first."),
    (".qgs .qgz .aprx .mxd", "It is a project: give the image of one of its layers."),
)


def format_gdal_error(error: BaseException) -> str:
    """Return the message of the root cause in one line without a full stop.

    rasterio's own message often only refers to the exception that it was raised from.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    # rasterio cannot decode a message with text of the file in another encoding; the message is in its error.
    text = error.object.decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else str(error)
    lines = text.strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__


@contextmanager
def translate_gdal_errors(text: str, hint: str | None = None) -> Iterator[None]:
    """Raise ``SourceError`` for an error of GDAL within the block: ``text`` and, behind a colon, GDAL's message."""
    try:
        yield
    except GDAL_ERRORS as error:
        raise SourceError(f"{text}: {format_gdal_error(error)}.", hint) from error


def advise_on_format(path: Path) -> str:
    """Return what to do about a file that GDAL does not read as a raster, by its suffix and its first bytes."""
    with path.open("rb") as file:
        if file.read(4) == b"PK\3\4":
            return _ARCHIVE
    found = (advice for suffixes, advice in _OTHER_KINDS if path.name.lower().endswith(tuple(suffixes.split())))
    return next(found, "It may be damaged or of an unknown format.")
