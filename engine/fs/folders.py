"""Folders as outputs: the whole content or none of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError
from .atomic import PREVIOUS, temp_folder, temp_path, translate_os_errors
from .paths import resolve_links
from .rename import rename


@contextmanager
def atomic_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; its content is in ``folder`` if the block ends without an exception.

    Args:
        folder: the folder; its parents are created. Files of another name that it has stay.
        overwrite: whether an existing folder is replaced as a whole.

    Raises:
        OutputError: the folder cannot be written, or has a file of the same name already.
    """
    with temp_folder(folder) as temporary, translate_os_errors(folder):
        yield temporary
        final = resolve_links(folder)
        if not final.exists():
            rename(temporary, final)
        elif overwrite:
            _replace_folder(temporary, final)
        else:
            _move_content(temporary, final)


def _replace_folder(temporary: Path, folder: Path) -> None:
    previous = temp_path(folder, mark=PREVIOUS)
    rename(folder, previous)
    try:
        rename(temporary, folder)
    except OSError:
        rename(previous, folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _move_content(temporary: Path, folder: Path) -> None:
    entries = sorted(temporary.iterdir())
    for entry in entries:
        if (folder / entry.name).exists():
            raise OutputError(f"There is something at {folder / entry.name} already.", "Choose another folder.")
    moved: list[Path] = []
    try:
        for entry in entries:
            rename(entry, folder / entry.name)
            moved.append(folder / entry.name)
    except OSError:
        for path in moved:
            rename(path, temporary / path.name)
        raise
