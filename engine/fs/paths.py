"""Names of the hidden files next to an output. Standard library only, Python 3.9: the QGIS plugin imports it."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
import unicodedata
from pathlib import Path

#: Characters that libraries parse as more than a part of a name (see ``pyogrio_path``).
_UNSAFE = {ord(letter): "_" for letter in "!;?#\n\r\t"}

#: An address, of which a path has kept only one slash.
_ADDRESS = re.compile(r"((?:https?|ftp|s3|gs|az|abfss?|wms|wmts|wcs):)/+(.+)", re.IGNORECASE)

#: Names of devices, whatever their suffix, and what names must not have, on Windows.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_REFUSED = re.compile(r'[<>:"|?*\x00-\x1f]')


def explain_refused_name(name: str) -> str:
    """Explain in half a sentence why Windows refuses ``name``, or makes another of it; empty where it does not."""
    if found := _REFUSED.search(name):
        return f"on Windows its name must not contain {found[0]!r}"
    if name.endswith((".", " ")):
        return "on Windows its name must not end with a dot or a space"
    if _DEVICE.fullmatch(name):
        return "its name is that of a device of Windows"
    return ""


def find_address(path: Path) -> str:
    """Return the address on the network that was given as ``path``; empty if it is none."""
    address = _ADDRESS.match(str(path))
    return f"{address[1]}//{address[2]}" if address else ""


def hidden_stem(target: Path) -> str:
    """Return the prefix of all hidden names that belong to ``target``: short, and unique in its folder.

    Names that differ only in case or in Unicode composition get the same stem, because some systems treat them as one
    file.
    """
    plain = unicodedata.normalize("NFC", target.name).casefold()
    digest = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f".{target.stem[:20].translate(_UNSAFE)}-{digest}"


def hidden_path(target: Path, ending: str) -> Path:
    """Return the path of the hidden file or folder ``ending`` next to the file that ``target`` stands for."""
    real = resolve_links(target)
    return real.with_name(f"{hidden_stem(real)}.{ending}")


def resolve_links(path: Path) -> Path:
    """Return the file that ``path`` stands for, also where a link leads to a file that does not exist yet."""
    return Path(os.path.realpath(path))


def is_same_owner(status: os.stat_result, folder: Path) -> bool:
    """Whether a hidden file in ``folder`` with this ``status`` was made by this user, and not planted by another.

    Some network shares give all files the owner of the folder.
    """
    return sys.platform == "win32" or status.st_uid in (os.geteuid(), folder.stat().st_uid)


def is_name_too_long(path: Path) -> bool:
    """Whether the file system can have no file of that name."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False
