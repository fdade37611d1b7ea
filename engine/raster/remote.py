"""Images on the network, which are read only where the person allows it (``--allow-remote``).

GDAL reads parts of them by range requests. A path keeps only one slash of an address, so an image on the network is
a path such as ``https:/host/a.tif`` or ``/vsis3/bucket/a.tif``; ``gdal_name`` makes GDAL's name of it. The doors stay
closed for everything else: in the settings of a remote image, GDAL may open that file and no other.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message as Headers
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from ..errors import SourceError
from ..fs.paths import find_address
from ..fs.regular_file import FileIdentity
from .gdal_environment import find_proxy

T = TypeVar("T")

#: GDAL's file systems of the stores, by the scheme of their addresses.
_STORES = {
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "az": "/vsiaz/",
    "abfs": "/vsiaz/",
    "abfss": "/vsiaz/",
    "oss": "/vsioss/",
}
_STORE = re.compile(r"/vsi(s3|gs|az|oss)/.+")
_VSICURL = re.compile(r"^/vsicurl/+(?=https?:/)", re.IGNORECASE)
#: GDAL's drivers by suffix; of formats that refer to no other files. Without a known suffix it is a GeoTIFF.
_DRIVERS = {".jp2": "JP2OpenJPEG", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
#: Seconds to connect, seconds without data, and tries.
_CONNECT_SECONDS, _IDLE_SECONDS, _TRIES = 20, 60, 6
_RETRIED = (429, 500, 502, 503, 504)
#: Settings of GDAL's client. GDAL waits longer before every further try.
_CLIENT_SETTINGS: Mapping[str, str] = {
    "GDAL_HTTP_MAX_RETRY": str(_TRIES - 1),
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_RETRY_CODES": "ALL",
    "GDAL_HTTP_CONNECTTIMEOUT": str(_CONNECT_SECONDS),
    "GDAL_HTTP_LOW_SPEED_TIME": str(_IDLE_SECONDS),
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no requests for side files, which COGs do not have
}


def is_remote(path: Path) -> bool:
    """Whether ``path`` is an image on the network."""
    return bool(_STORE.fullmatch(path.as_posix()) or _VSICURL.match(path.as_posix()) or find_address(path))


def gdal_name(path: Path) -> str:
    """Return GDAL's name of an image on the network.

    Raises:
        SourceError: it is on a kind of server that is not supported.
    """
    if _STORE.fullmatch(path.as_posix()):
        return path.as_posix()
    address = _get_address(path)
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("http", "https"):
        return f"/vsicurl/{address}"
    if scheme.lower() in _STORES:
        return _STORES[scheme.lower()] + rest
    raise SourceError(
        f"The image {address} is on a server of a kind that cannot be read.",
        "Addresses with https, s3, gs and az can be read.",
    )


def remote_name(path: Path) -> str:
    """Return the name of an image for people: the last part of its address, without what may be a signature."""
    return Path(path.as_posix().partition("?")[0]).name if is_remote(path) else path.name


def choose_driver(path: Path) -> str:
    """Return the driver that reads an image on the network, as a virtual raster could name files of this machine."""
    return _DRIVERS.get(Path(remote_name(path)).suffix.lower(), "GTiff")


@contextmanager
def allow_opening(path: Path) -> Iterator[str]:
    """Let GDAL open one image on the network, and nothing else there, during the block.

    Its settings of requests hold as long as the image is open.

    Yields:
        GDAL's name of it. It is new each time, because GDAL keeps what it has read by name, also answers that came
        incomplete and those of a file that was changed since.
    """
    name, address = gdal_name(path), _get_address(path)
    if name.startswith("/vsicurl/"):
        name = f"{name}#{uuid.uuid4().hex[:8]}"  # what is behind the # is not sent to the server
    proxy = find_proxy(address or "https://")
    settings = {
        **_CLIENT_SETTINGS,
        "CPL_VSIL_CURL_ALLOWED_FILENAME": name,
        "GDAL_HTTP_PROXY": proxy,  # an empty one is none
        "GDAL_HTTPS_PROXY": proxy,
    }
    with rasterio.Env(**settings):
        yield name


def retry_remote(path: Path, read: Callable[[], T]) -> T:
    """Call ``read``; of an image on the network again where GDAL could not read it.

    GDAL repeats requests that fail, but keeps an answer that came incomplete until the file is closed, so ``read``
    opens the image anew.

    Raises:
        SourceError: it failed every time, or for another reason.
    """
    tries = _TRIES if is_remote(path) else 1
    for _ in range(tries - 1):
        try:
            return read()
        except SourceError as error:
            if not isinstance(error.__cause__, RasterioError | CPLE_BaseError):
                raise
    return read()


def identify_remote(path: Path) -> FileIdentity:
    """Return the state of an image on the network: size, time and ETag as its server gives them.

    Of a store (S3 and others), which needs signed requests, only the address is known here.

    Raises:
        SourceError: there is no such image, or the server does not answer.
    """
    address = _get_address(path)
    clean = (address or gdal_name(path)).partition("?")[0]
    if not address.lower().startswith("http"):
        return FileIdentity(clean, 0, 0, 0)
    headers = _request_headers(address, clean)
    total = re.search(r"/(\d+)$", headers.get("Content-Range", "")) or re.search(
        r"(\d+)$", headers.get("Content-Length", "")
    )
    modified = 0
    with suppress(TypeError, ValueError):  # there is no date, or none that can be read
        modified = int(parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp() * 1e9)
    etag = headers.get("ETag", "")
    mark = int(hashlib.sha256(etag.encode("utf-8", "replace")).hexdigest()[:12], 16) if etag else 0
    return FileIdentity(clean, int(total[1]) if total else 0, modified, mark)


def _get_address(path: Path) -> str:
    """Return the address with both slashes; empty for a store that is named in GDAL's way."""
    return find_address(Path(_VSICURL.sub("", path.as_posix())))


def _request_headers(address: str, shown: str) -> Headers[str, str]:
    """Ask the server for the headers of a file; of servers that refuse that, for its first byte."""
    failure: Any = None
    for method in ("HEAD", "GET"):
        for _ in range(_TRIES):
            try:
                return _open_once(address, method)
            except urllib.error.HTTPError as error:
                failure = error
                if error.code == 404:
                    raise SourceError(f"The image {shown} does not exist on its server (404).") from None
                if error.code not in _RETRIED:
                    break
            except (OSError, HTTPException, ValueError) as error:
                failure = error
    if isinstance(failure, urllib.error.HTTPError) and failure.code in (401, 403):
        hint = "Check its address, or the credentials of GDAL (such as GDAL_HTTP_USERPWD)."
        raise SourceError(f"The server refuses the image {shown} ({failure.code}).", hint) from None
    reason = getattr(failure, "reason", None) or failure
    raise SourceError(f"The server of the image {shown} does not answer: {reason}.", "Try again later.") from None


def _open_once(address: str, method: str) -> Headers[str, str]:
    proxy = find_proxy(address)
    handlers: list[Any] = [urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})]
    bundle = os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=bundle)))
    request = urllib.request.Request(address, method=method)
    if method == "GET":
        request.add_header("Range", "bytes=0-0")
    with urllib.request.build_opener(*handlers).open(request, timeout=_CONNECT_SECONDS) as response:
        headers: Headers[str, str] = response.headers
        return headers
