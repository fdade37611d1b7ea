"""Names of the hidden files beside an output. The standard library alone, also for the Python of an old QGIS."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

#: What libraries take for more than a part of a name (see ``addresses``).
_UNSAFE = {ord(letter): "_" for letter in "!;?#\n\r\t"}


def hidden_stem(target: Path) -> str:
    """The beginning of every hidden name that belongs to ``target``: short, and its own among those of a folder.

    Names that differ in case or in how accents are composed are one file on some systems, so they share it.
    """
    plain = unicodedata.normalize("NFC", target.name).casefold()
    digest = hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f".{target.stem[:20].translate(_UNSAFE)}-{digest}"


def hidden_path(target: Path, ending: str) -> Path:
    """The hidden file or folder ``ending`` of ``target``, beside it."""
    return target.with_name(f"{hidden_stem(target)}.{ending}")
