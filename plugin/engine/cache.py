"""The folder in which the engine keeps compiled models and kernels: its size, its limit, and emptying it. No QGIS."""

from __future__ import annotations

from pathlib import Path

#: Kinds of files in the cache: compiled models, measurements, compiled kernels and their index.
_KEPT = frozenset({".blob", ".json", ".nbc", ".nbi"})
#: What a limit takes away: the rest is small and slow to make again.
_LARGE = ".blob"


def entries(folder: Path) -> list[Path]:
    """What the engine keeps in ``folder``; whatever else may lie there is none of ours."""
    return [path for path in folder.rglob("*") if path.suffix in _KEPT and path.is_file()]


def size_of(folder: Path) -> int:
    """Bytes that the engine keeps in ``folder``."""
    return sum(_size(path) for path in entries(folder))


def empty(folder: Path) -> None:
    """Remove what the engine keeps in ``folder``; a file that is in use stays."""
    for path in entries(folder):
        _remove(path)


def trim(folder: Path, limit: int) -> None:
    """Remove compiled models, those not used for longest first, until at most ``limit`` bytes are left.

    Args:
        folder: the cache.
        limit: in bytes; 0 for no limit.
    """
    if limit <= 0:
        return
    kept = {path: _size(path) for path in entries(folder)}
    excess = sum(kept.values()) - limit
    for path in sorted((path for path in kept if path.suffix == _LARGE), key=_last_used):
        if excess <= 0:
            return
        excess -= kept[path]
        _remove(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # another engine may have removed it meanwhile
        return 0


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return
