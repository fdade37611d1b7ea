"""The version, read from ``metadata.txt`` so that it stands in one place."""

from __future__ import annotations

import configparser
from pathlib import Path


def _read_version() -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(Path(__file__).parent / "metadata.txt", encoding="utf-8")
    return parser["general"]["version"]


__version__ = _read_version()
