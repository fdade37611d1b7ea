"""The cache folder of the engine (compiled models and kernels): size, limit, clearing. Needs no QGIS."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: Suffixes of the cache's files: compiled models, measurements, compiled kernels and their index.
_SUFFIXES = frozenset({".blob", ".json", ".nbc", ".nbi"})
#: Suffix of compiled models; the other files are small, and slow to make again.
_MODEL_SUFFIX = ".blob"


def measure_cache(folder: Path) -> int:
    """Return the size of the cache in bytes. Other files in ``folder`` do not count."""
    return sum(size for _path, size, _used in _list_files(folder))


def clear_cache(folder: Path) -> None:
    """Remove the files of the cache, except those in use."""
    for path, _size, _used in _list_files(folder):
        with contextlib.suppress(OSError):
            path.unlink()


def trim_cache(folder: Path, limit: int) -> None:
    """Remove the least recently used compiled models until the cache fits.

    Args:
        folder: the cache.
        limit: in bytes; 0 for no limit.
    """
    if limit <= 0:
        return
    files = _list_files(folder)
    excess = sum(size for _path, size, _used in files) - limit
    for path, size, _used in sorted(files, key=lambda file: file[2]):
        if excess > 0 and path.suffix == _MODEL_SUFFIX:
            excess -= size
            with contextlib.suppress(OSError):
                path.unlink()


def _list_files(folder: Path) -> list[tuple[Path, int, float]]:
    """List the cache's files with their sizes in bytes and modification times."""
    files = []
    for path in folder.rglob("*"):
        if path.suffix in _SUFFIXES and path.is_file():
            with contextlib.suppress(OSError):  # another engine may have removed it meanwhile
                status = path.stat()
                files.append((path, status.st_size, status.st_mtime))
    return files
