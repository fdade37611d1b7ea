"""What a raster that refers to other files may ask for.

GDAL recognises a virtual raster (VRT) by its content, so any file may be one, whatever its name, and so may every file
that it refers to. Its XML reader is lenient: names in any case, attributes in the place of elements, CDATA, comments,
character references anywhere. So the text is not parsed but laid open, and whatever stands in it is looked at.

GDAL itself can be told to run no Python and to open no connections (``environment``). It cannot be told to leave raw
bytes of other files alone, and it waits for ever where a file that it is told to read is a pipe.
"""

from __future__ import annotations

import html
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceError

_LARGEST = 256 << 20
_HEAD = 4096
#: How often a text may be escaped: a VRT can stand, escaped, within a VRT.
_DEEPEST_ESCAPE = 8
_DEEPEST_FILE = 32
_LONGEST_PATH = 4096

_NETWORK = "connects to the network"
_FORBIDDEN = (
    (re.compile(r"VRTRawRasterBand", re.IGNORECASE), "reads raw bytes of other files"),
    (re.compile(r"PixelFunctionLanguage\W{1,20}Python|PixelFunctionCode", re.IGNORECASE), "holds program code"),
    (re.compile(r"MEM:::|DATAPOINTER\s*=", re.IGNORECASE), "reads the program's own memory"),
    (re.compile(r"/vsistd(in|out)", re.IGNORECASE), "reads the program's own input"),
    # Archives and parts of local files are the only virtual file systems that a local image has a use for.
    (re.compile(r"/vsi(?!zip/|gzip/|tar/|7z/|rar/|subfile/|sparse/|mem/)\w+", re.IGNORECASE), _NETWORK),
    (re.compile(r"(SourceFilename|SourceDataset)[^<>]{0,200}[>=]\s*[\"']?\s*(https?|ftp):", re.IGNORECASE), _NETWORK),
    (
        re.compile(
            r"\b(NETCDF|DODS|HDF\w+|ZARR|WCS|WMT?S|STAC\w+|MVT|VRT|OGCAPI)\s*:\W{0,8}(https?|ftp):", re.IGNORECASE
        ),
        _NETWORK,
    ),
    (re.compile(r"<GDAL_WMS\b", re.IGNORECASE), _NETWORK),
)
#: Texts of elements and values of attributes.
_VALUE = re.compile(r">([^<>]+)<|=\s*\"([^\"]*)\"|=\s*'([^']*)'")
_PREFIX = re.compile(r"^\w+:")
_NO_PATH = re.compile(r"[\s\d.,;:eE+-]*|Byte|U?Int\d+|C?Float\d+|Gray|Red|Green|Blue|Alpha|Undefined|Area|Point")


def check_references(path: Path) -> None:
    """Raise ``SourceError`` where ``path`` is a file that asks for more than pixels of local files.

    The files that it names are looked at in the same way; those that do not exist are left to GDAL to miss.

    Args:
        path: a regular file.
    """
    seen: set[tuple[int, int]] = set()
    for file in (path, path.with_name(path.name + ".aux.xml")):
        if file == path or _is_there(file):
            _Search(path, seen).look_at(file, ())


def _is_there(path: Path) -> bool:
    """Whether ``path`` is a file; a name that is too long for the system is of none."""
    try:
        return path.is_file()
    except OSError:
        return False


@dataclass
class _Search:
    """One search through a file and all that it refers to."""

    origin: Path
    seen: set[tuple[int, int]]
    known: dict[str, None] = field(default_factory=dict)

    def look_at(self, path: Path, within: tuple[tuple[int, int], ...]) -> None:
        """Check ``path``, which the files ``within`` (device and inode of each) led to."""
        try:
            with path.open("rb") as handle:
                status = os.fstat(handle.fileno())
                me = (status.st_dev, status.st_ino)
                if me in self.seen:
                    return
                self.seen.add(me)
                head = handle.read(_HEAD)
                if b"<VRTDataset" not in head and not head.lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"<"):
                    return
                if status.st_size > _LARGEST:
                    raise self._refusal(f"has more than {_LARGEST >> 20} MB of text")
                content = head + handle.read(_LARGEST)
        except OSError as error:
            raise SourceError(f"The image {path} cannot be opened: {error.strerror or error}.") from error
        if len(within) >= _DEEPEST_FILE:
            raise self._refusal(f"leads through more than {_DEEPEST_FILE} files")
        for text in _layers(content.decode("utf-8", "surrogateescape")):
            for pattern, what in _FORBIDDEN:
                if pattern.search(text):
                    raise self._refusal(what)
            for value in _values(text):
                self._look_at_value(value, path.parent, (*within, me))

    def _look_at_value(self, value: str, folder: Path, within: tuple[tuple[int, int], ...]) -> None:
        """Check the file that ``value`` names, if it names one."""
        for name in _names(value):
            if not name or len(name) > _LONGEST_PATH or "\0" in name or _NO_PATH.fullmatch(name):
                continue
            for place in (folder / name, Path(name)):
                key = str(place)
                if key in self.known:
                    continue
                self.known[key] = None
                self._look_at_file(place, within)

    def _look_at_file(self, place: Path, within: tuple[tuple[int, int], ...]) -> None:
        try:
            status = place.stat()
        except (OSError, ValueError):  # not there, or no path at all
            return
        if stat.S_ISDIR(status.st_mode):
            return
        if not stat.S_ISREG(status.st_mode):
            raise self._refusal(f"reads {place}, which is not a regular file")
        if (status.st_dev, status.st_ino) in within:
            raise self._refusal("contains itself")
        if os.access(place, os.R_OK):
            self.look_at(place, within)

    def _refusal(self, what: str) -> SourceError:
        return SourceError(
            f"The image {self.origin} is a virtual raster that {what}, which is not allowed.",
            "Save it as a GeoTIFF first.",
        )


def _layers(text: str) -> Iterator[str]:
    """``text`` with CDATA laid open, with and without comments; then again with character references replaced."""
    text = text.replace("<![CDATA[", "").replace("]]>", "")
    for _ in range(_DEEPEST_ESCAPE):
        yield text
        # What looks like a comment may stand in an attribute, and is none there: both are looked at.
        if "<!--" in text:
            yield _without_comments(text)
        plain = html.unescape(text)
        if plain == text:
            return
        text = plain


def _without_comments(text: str) -> str:
    kept, start = [], 0
    while (begin := text.find("<!--", start)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept.append(text[start:begin])
        start = end + 3
    return "".join((*kept, text[start:]))


def _values(text: str) -> Iterator[str]:
    for found in _VALUE.finditer(text):
        value = html.unescape(found[1] or found[2] or found[3] or "").strip()
        if value:
            yield value


def _names(value: str) -> Iterator[str]:
    """What in ``value`` may be the path of a file: all of it, or a part of a connection's words."""
    parts = re.split(r"[\"'?|,]", value)
    words = [_PREFIX.sub("", part) for part in parts]
    yield from dict.fromkeys((value, *parts, *words, *re.split(r"[:\"'?|,]", value)))
