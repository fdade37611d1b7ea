"""GDAL's and PROJ's settings in the engine's process: the same on every machine, without network and program code.

Any file can be a VRT, whatever its name, and a VRT can ask for Python code, for other files and for network
connections. None of that is wanted of a local image, nor are settings from the environment of the parent process.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping, MutableMapping

#: Prefixes of variables that change what GDAL and PROJ read and how.
_FOREIGN_PREFIXES = ("GDAL_", "OGR_", "CPL_", "VSI_", "GTIFF_", "VRT_", "PROJ_")
#: Credentials for images on the network; without ``--allow-remote`` nothing is opened there. Those of stores (AWS_,
#: AZURE_, GS_) are left as well.
_CREDENTIALS = frozenset(
    f"GDAL_HTTP_{name}" for name in ("USERPWD", "AUTH", "BEARER", "HEADERS", "HEADER_FILE", "NETRC", "NETRC_FILE")
)
#: Prefix of the variables that keep the addresses of the person's proxies.
_KEPT_PROXY = "TERRASPORE_PROXY_"
_NETWORK_DRIVERS = (
    "WMS WMTS WCS HTTP DAAS EEDA EEDAI PLMOSAIC PLSCENES NGW STACTA STACIT OGCAPI WFS OAPIF CSW Elasticsearch CARTO"
)
#: Opens the images of a tile index, of which none is checked; ``image_lists`` reads these files.
_INDEX_DRIVERS = "GTI"
#: A proxy without a listener: every other connection fails at once.
_DEAD_PROXY = "http://127.0.0.1:9"
#: Read by clients other than GDAL's: the netCDF library has its own (addresses such as ``NETCDF:"http:…"``).
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")

SAFE_SETTINGS: Mapping[str, str] = {
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # folders may hold a million files; sidecar files are still found
    "GDAL_SKIP": f"{_NETWORK_DRIVERS} {_INDEX_DRIVERS}",
    "CPL_VSIL_CURL_CACHE_SIZE": str(64 << 20),  # bytes of images on the network that are kept in memory
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none-is-allowed",
    "GDAL_HTTP_PROXY": _DEAD_PROXY,
    "GDAL_HTTPS_PROXY": _DEAD_PROXY,
    "PROJ_NETWORK": "OFF",
    "CPL_LOG": os.devnull,  # GDAL warns about each driver above that it was built without
}


def configure_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Set GDAL's and PROJ's settings and disable the network. Call once, before rasterio and pyogrio are imported.

    Args:
        environment: the variables to change; ``os.environ`` if None.
    """
    variables = os.environ if environment is None else environment
    for name in (*_PROXY_VARIABLES, "no_proxy"):
        value = variables.get(name) or variables.get(name.upper())
        if value and value != _DEAD_PROXY:
            variables[f"{_KEPT_PROXY}{name.upper()}"] = value
    for name in tuple(variables):
        if name.upper() in _CREDENTIALS:
            continue
        if name.upper().startswith(_FOREIGN_PREFIXES) or name.lower() in (*_PROXY_VARIABLES, "no_proxy"):
            del variables[name]
    variables.update(SAFE_SETTINGS)
    # A GeoPackage is flushed once, before it gets its final name; SQLite would wait for the disk at every batch.
    variables["OGR_SQLITE_SYNCHRONOUS"] = "OFF"
    variables.update({spelling: _DEAD_PROXY for name in _PROXY_VARIABLES for spelling in (name, name.upper())})


def find_proxy(address: str) -> str:
    """Return the proxy that the person's environment names for an address; empty for none."""
    url = urllib.parse.urlsplit(address)
    kept = {name: os.environ.get(f"{_KEPT_PROXY}{name.upper()}", "") for name in (*_PROXY_VARIABLES, "no_proxy")}
    bypassed = [name.strip().lstrip(".") for name in kept["no_proxy"].split(",") if name.strip()]
    host = (url.hostname or "").lower()
    if any(name == "*" or host == name.lower() or host.endswith(f".{name.lower()}") for name in bypassed):
        return ""
    return kept[f"{url.scheme}_proxy"] if kept.get(f"{url.scheme}_proxy") else kept["all_proxy"]
