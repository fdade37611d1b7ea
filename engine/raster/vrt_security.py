"""Check what a raster asks for that refers to other files.

GDAL recognizes a virtual raster (VRT) by its content, so any file may be one, whatever its name, and so may every file
that it refers to. GDAL's XML parser is lenient: names in any case, attributes in place of elements, CDATA, comments and
character references anywhere. So the text is not parsed but normalized, and every value in it is checked.

GDAL can be configured to run no Python and to open no connections (``gdal_environment``). It cannot be kept from raw
bytes of other files, and it blocks forever on a file that is a pipe.
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

_MAX_BYTES = 256 << 20
_HEAD_BYTES = 4096
#: How often a text may be escaped: a VRT can contain an escaped VRT.
_MAX_ESCAPES = 8
_MAX_DEPTH = 32
_MAX_PATH_LENGTH = 4096

_NETWORK = "connects to the network"
_FORBIDDEN_PATTERNS = (
    (r"VRTRawRasterBand", "reads raw bytes of other files"),
    (r"PixelFunctionLanguage\W{1,20}Python|PixelFunctionCode", "holds program code"),
    (r"MEM:::|DATAPOINTER\s*=", "reads the program's own memory"),
    (r"/vsistd(in|out)", "reads the program's own input"),
    # Archives and parts of local files are the only virtual file systems that a local image needs.
    (r"/vsi(?!zip/|gzip/|tar/|7z/|rar/|subfile/|sparse/|mem/)\w+", _NETWORK),
    (r"(SourceFilename|SourceDataset)[^<>]{0,200}[>=]\s*[\"']?\s*(https?|ftp):", _NETWORK),
    (r"\b(NETCDF|DODS|HDF\w+|ZARR|WCS|WMT?S|STAC\w+|MVT|VRT|OGCAPI)\s*:\W{0,8}(https?|ftp):", _NETWORK),
    (r"<GDAL_WMS\b", _NETWORK),
)
_FORBIDDEN = [(re.compile(pattern, re.IGNORECASE), action) for pattern, action in _FORBIDDEN_PATTERNS]
#: Texts of elements and values of attributes.
_VALUE = re.compile(r">([^<>]+)<|=\s*\"([^\"]*)\"|=\s*'([^']*)'")
_PREFIX = re.compile(r"^\w+:")
_NO_PATH = re.compile(r"[\s\d.,;:eE+-]*|Byte|U?Int\d+|C?Float\d+|Gray|Red|Green|Blue|Alpha|Undefined|Area|Point")

#: Device and inode of a file.
FileKey = tuple[int, int]


def check_references(path: Path) -> list[Path]:
    """Raise ``SourceError`` if ``path`` is a file that asks for more than pixels of local files.

    Files that it names are checked in the same way; if they do not exist, GDAL reports it.

    Args:
        path: a regular file.

    Returns:
        The existing files that it names, and those that they name.
    """
    checker = _ReferenceChecker(path)
    checker.check_file(path, ())
    sidecar = path.with_name(path.name + ".aux.xml")
    if os.path.isfile(sidecar):  # noqa: PTH113 (False also where the name is too long for the file system)
        checker.check_file(sidecar, ())
    return checker.references


@dataclass
class _ReferenceChecker:
    """Check a file and all that it refers to.

    Attributes:
        origin: the image, for messages.
        checked_files: files that were checked.
        checked_names: paths that were looked up, whether they exist or not.
        references: files that are referred to.
    """

    origin: Path
    checked_files: set[FileKey] = field(default_factory=set)
    checked_names: set[str] = field(default_factory=set)
    references: list[Path] = field(default_factory=list)

    def check_file(self, path: Path, parents: tuple[FileKey, ...]) -> None:
        """Check ``path``, which the files ``parents`` led to."""
        try:
            with path.open("rb") as handle:
                status = os.fstat(handle.fileno())
                key = (status.st_dev, status.st_ino)
                if key in self.checked_files:
                    return
                self.checked_files.add(key)
                head = handle.read(_HEAD_BYTES)
                if b"<VRTDataset" not in head and not head.lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"<"):
                    return
                if status.st_size > _MAX_BYTES:
                    raise self._refusal(f"has more than {_MAX_BYTES >> 20} MB of text")
                content = head + handle.read(_MAX_BYTES)
        except OSError as error:
            raise SourceError(f"The image {path} cannot be opened: {error.strerror or error}.") from error
        if len(parents) >= _MAX_DEPTH:
            raise self._refusal(f"leads through more than {_MAX_DEPTH} files")
        for text in _normalize(content.decode("utf-8", "surrogateescape")):
            for pattern, action in _FORBIDDEN:
                if pattern.search(text):
                    raise self._refusal(action)
            for match in _VALUE.finditer(text):
                value = html.unescape(match[1] or match[2] or match[3] or "").strip()
                for name in _possible_paths(value):
                    for candidate in (path.parent / name, Path(name)):
                        if str(candidate) not in self.checked_names:
                            self.checked_names.add(str(candidate))
                            self._check_reference(candidate, (*parents, key))

    def _check_reference(self, path: Path, parents: tuple[FileKey, ...]) -> None:
        """Check ``path`` if it is an existing file."""
        try:
            status = path.stat()
        except (OSError, ValueError):  # does not exist, or is not a path
            return
        if stat.S_ISDIR(status.st_mode):
            return
        if not stat.S_ISREG(status.st_mode):
            raise self._refusal(f"reads {path}, which is not a regular file")
        if (status.st_dev, status.st_ino) in parents:
            raise self._refusal("contains itself")
        self.references.append(path)
        if os.access(path, os.R_OK):
            self.check_file(path, parents)

    def _refusal(self, action: str) -> SourceError:
        return SourceError(
            f"The image {self.origin} is a virtual raster that {action}, which is not allowed.",
            "Save it as a GeoTIFF first.",
        )


def _normalize(text: str) -> Iterator[str]:
    """Yield ``text`` without CDATA marks, with and without comments; then again with character references replaced."""
    text = text.replace("<![CDATA[", "").replace("]]>", "")
    for _ in range(_MAX_ESCAPES):
        yield text
        # What looks like a comment is none inside an attribute, so both variants are checked.
        if "<!--" in text:
            yield _remove_comments(text)
        plain = html.unescape(text)
        if plain == text:
            return
        text = plain


def _remove_comments(text: str) -> str:
    kept, start = [], 0
    while (begin := text.find("<!--", start)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept.append(text[start:begin])
        start = end + 3
    return "".join((*kept, text[start:]))


def _possible_paths(value: str) -> Iterator[str]:
    """Yield what in ``value`` may be the path of a file: all of it, or a part of a connection string."""
    tokens = re.split(r"[\"'?|,]", value)
    without_prefix = [_PREFIX.sub("", token) for token in tokens]
    for name in dict.fromkeys((value, *tokens, *without_prefix, *re.split(r"[:\"'?|,]", value))):
        if name and len(name) <= _MAX_PATH_LENGTH and "\0" not in name and not _NO_PATH.fullmatch(name):
            yield name
