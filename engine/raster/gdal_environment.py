"""GDAL's settings in the engine's process: the same everywhere, and no doors open that a local file could use.

A file can be a VRT whatever it is called, and a VRT can ask for Python code, for other files and for network
connections. None of that is wanted of an image on disk, and neither are settings that happen to stand in the
environment of the program that started the engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

#: Prefixes of variables that change what GDAL and PROJ read and how; those of the parent are not ours.
_FOREIGN_PREFIXES = ("GDAL_", "OGR_", "CPL_", "VSI_", "GTIFF_", "VRT_", "PROJ_", "AWS_", "GS_", "AZURE_", "OSS_")
_NETWORK_DRIVERS = (
    "WMS WMTS WCS HTTP DAAS EEDA EEDAI PLMOSAIC PLSCENES NGW STACTA STACIT OGCAPI WFS OAPIF CSW Elasticsearch CARTO"
)
#: A proxy that nobody listens on: whatever else tries to connect fails at once.
_NO_PROXY = "http://127.0.0.1:9"
#: For what connects past GDAL: the netCDF library has a client of its own (addresses such as ``NETCDF:"http:…"``).
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")

SAFE_SETTINGS: Mapping[str, str] = {
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # no listing of folders with a million files; side files are still found
    "GDAL_SKIP": _NETWORK_DRIVERS,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none-is-allowed",
    "GDAL_HTTP_PROXY": _NO_PROXY,
    "GDAL_HTTPS_PROXY": _NO_PROXY,
    "PROJ_NETWORK": "OFF",
    "CPL_LOG": os.devnull,  # where GDAL would complain that it was built without one of the drivers above
}


def configure_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Put GDAL's and PROJ's settings right and close the network; to be called once, before they are imported.

    Args:
        environment: the variables to change; those of the process unless given.
    """
    variables = os.environ if environment is None else environment
    for name in [name for name in variables if name.upper().startswith(_FOREIGN_PREFIXES)]:
        del variables[name]
    variables.update(SAFE_SETTINGS)
    variables["OGR_SQLITE_SYNCHRONOUS"] = "OFF"  # a GeoPackage is flushed once, before it gets its final name
    for name in [name for name in variables if name.lower() in (*_PROXIES, "no_proxy")]:
        del variables[name]
    variables.update({spelling: _NO_PROXY for name in _PROXIES for spelling in (name, name.upper())})
