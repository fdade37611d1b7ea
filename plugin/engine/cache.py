"""The cache folder of the engine: its size, and clearing. The engine itself keeps it below its limit. Needs no QGIS."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: Suffixes of the cache's files: compiled models, measurements, compiled kernels and their index.
_SUFFIXES = frozenset({".blob", ".json", ".nbc", ".nbi"})


def measure_cache(folder: Path) -> int:
    """Return the size of the cache in bytes. Other files in ``folder`` do not count."""
    return sum(size for _path, size in _list_files(folder))


def clear_cache(folder: Path) -> None:
    """Remove the files of the cache, except those in use."""
    for path, _size in _list_files(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def _list_files(folder: Path) -> list[tuple[Path, int]]:
    """List the cache's files with their sizes in bytes."""
    files = []
    for path in folder.rglob("*"):
        if path.suffix in _SUFFIXES and path.is_file():
            with contextlib.suppress(OSError):  # another engine may have removed it meanwhile
                files.append((path, path.stat().st_size))
    return files
