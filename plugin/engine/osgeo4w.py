"""Pythons of OSGeo4W and of QGIS's installer on Windows: ``<root>/apps/Python312``.

Their libraries are in ``<root>/bin``, which QGIS itself has on its search path. Other programs need it as well: to
start such a Python (its own DLL), and to load extension modules such as ``ssl``, for which Windows does not look at
``PATH``. Needs no QGIS.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: The line with the base's folder in the configuration of a virtual environment.
_HOME = "home"


def find_library_folder(python: Path) -> Path | None:
    """Find the folder with the libraries of the interpreter ``python``; None where it needs none.

    Args:
        python: ``<root>/apps/Python312/python.exe``, or the interpreter of a virtual environment made from it.
    """
    prefix = _find_base(python.parent)
    folder = prefix.parent.parent / "bin"
    return folder if prefix.parent.name.lower() == "apps" and folder.is_dir() else None


def add_library_folder(environment: Mapping[str, str], python: Path) -> dict[str, str]:
    """Return the variables for a run of ``python``, with its library folder on ``PATH`` if it needs one."""
    folder = find_library_folder(python)
    if folder is None:
        return dict(environment)
    return {**environment, "PATH": os.pathsep.join(filter(None, (str(folder), environment.get("PATH", ""))))}


def make_path_line(folder: Path) -> str:
    """Make the line of a ``.pth`` file with which a virtual environment finds libraries in ``folder``; it is ASCII."""
    return f"import os; hasattr(os, 'add_dll_directory') and os.add_dll_directory({str(folder)!a})\n"


def _find_base(folder: Path) -> Path:
    """Return the folder of the Python from which the virtual environment of ``folder`` was made, else ``folder``."""
    try:
        lines = (folder.parent / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return folder
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return Path(values.get(_HOME) or folder)
