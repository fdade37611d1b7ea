"""Checks of an output that is a folder, which is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import OutputError, ParameterError
from .atomic import check_output_name, probe_file_mode, translate_os_errors
from .paths import resolve_links


def check_output_folder(path: Path) -> None:
    """Check, before any work, that the folder ``path`` can get its name at the end.

    Raises:
        OutputError: the folder around it is missing or read-only, or there is something else of its name.
    """
    check_output_name(path)
    with translate_os_errors(path):
        real = resolve_links(path)
        if real.is_symlink():
            raise OutputError(f"The output {path} is a link that leads to itself.", "Choose another name.")
        if not real.parent.is_dir():
            raise OutputError(
                f"The output {path} cannot be written: its folder does not exist.", "Create the folder first."
            )
        if real.exists() and not real.is_dir():
            raise OutputError(
                f"The output {path} has no suffix, so it is a folder, but there is a file of this name.",
                "Choose another name; with .gpkg, for one, it becomes a file.",
            )
        if os.path.ismount(real):
            raise OutputError(
                f"The output {path} is the root of a file system, which cannot be replaced as a whole.",
                "Choose a folder within it.",
            )
        probe_file_mode(path)


def check_not_within(folder: Path, files: Iterable[Path]) -> None:
    """Raise ``ParameterError`` where one of ``files``, other outputs or what a run reads, lies within ``folder``."""
    real = resolve_links(folder)
    for file in files:
        if resolve_links(file).is_relative_to(real):
            raise ParameterError(
                f"{file} is within the output {folder}, a folder that is replaced as a whole.", "Choose another output."
            )
