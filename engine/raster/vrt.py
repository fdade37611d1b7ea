"""What a VRT may ask for. GDAL recognises a VRT by its content, so any file may be one, whatever its name."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import SourceError

_LARGEST_VRT = 256 << 20
_FORBIDDEN = (
    (re.compile(rb"VRTRawRasterBand"), "reads raw bytes of other files"),
    (re.compile(rb"PixelFunctionLanguage\s*>\s*Python|<PixelFunctionCode", re.IGNORECASE), "holds program code"),
    (re.compile(rb"/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)", re.IGNORECASE), "connects to the network"),
    (re.compile(rb"<SourceFilename[^>]*>\s*(https?|ftp):", re.IGNORECASE), "connects to the network"),
    (re.compile(rb"<GDAL_WMS>|&lt;GDAL_WMS&gt;", re.IGNORECASE), "connects to the network"),
)


def check_vrt(path: Path) -> None:
    """Raise ``SourceError`` where ``path`` is a VRT that asks for more than pixels of local rasters.

    The check is cheap and not the only one: GDAL itself is told to run no Python and to open no connections.
    """
    try:
        with path.open("rb") as handle:
            if b"<VRTDataset" not in handle.read(4096):
                return
            handle.seek(0)
            content = handle.read(_LARGEST_VRT)
    except OSError as error:
        raise SourceError(f"The image {path} cannot be opened: {error.strerror or error}.") from error
    for pattern, what in _FORBIDDEN:
        if pattern.search(content):
            raise SourceError(f"The virtual raster {path} {what}, which is not allowed.", "Save it as a GeoTIFF first.")
