"""Rename files that other programs may have open.

Windows refuses to rename or replace such files. Antivirus programs and indexers open every new file for a moment, so a
refused rename is repeated before it counts.

Standard library only, Python 3.9: the QGIS plugin imports it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

#: Windows' access denied (of a file that is replaced), sharing violation and lock violation.
_IN_USE = frozenset({5, 32, 33})
#: Seconds before each repetition.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


def is_in_use(error: BaseException | None) -> bool:
    """Whether ``error`` says that Windows refused access to a file that another program has open."""
    return getattr(error, "winerror", None) in _IN_USE


def rename(source: Path, target: Path) -> None:
    """Rename the file or folder ``source`` to ``target``; a file of that name is replaced.

    Raises:
        OSError: it is not possible.
    """
    _repeat(lambda: source.replace(target))


def check_not_in_use(path: Path) -> None:
    """Raise ``OSError`` if the existing file ``path`` could not be replaced, because another program has it open."""
    _repeat(lambda: path.rename(path))  # changes nothing, but needs the same access on Windows


def rename_beside(source: Path, target: Path) -> Path:
    """Rename ``source`` to an unused name like that of ``target``, ``roads-1.gpkg`` for example; return the new path.

    Raises:
        OSError: it is not possible.
    """
    found = find_unused_name(target)
    rename(source, found)
    return found


def find_unused_name(target: Path) -> Path:
    """Find a name like that of ``target`` that no file has, nor another file of the same stem."""
    names = {entry.name for entry in target.parent.iterdir()}
    for number in itertools.count(1):
        stem = f"{target.stem}-{number}"
        if not any(name == stem or name.startswith(f"{stem}.") for name in names):
            return target.with_name(stem + target.suffix)
    raise AssertionError


def _repeat(operation: Callable[[], object]) -> None:
    for pause in _PAUSES:
        try:
            operation()
            return
        except OSError as error:
            if not is_in_use(error):
                raise
        time.sleep(pause)
    operation()
