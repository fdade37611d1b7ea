"""Environment variables for the engine's process: the user's, without those of QGIS and Python.

QGIS sets variables for its own Python, GDAL and PROJ. A child that inherits them loads the wrong libraries, and
``PYTHONEXECUTABLE`` even makes the Python of a virtual environment miss its own packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

_PREFIXES = (
    "PYTHON",
    "__PYVENV_LAUNCHER__",  # of macOS: makes a child start another program
    "PIP_",
    "PROJ_",
    "GDAL_",
    "CPL_",
    "OGR_",
    "DYLD_",
    "SSL_CERT_",
    "CONDA_",
    "QT_",
    "QGIS_",
    "OSGEO4W",
)
_NAMES = frozenset({"VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "GEOTIFF_CSV", "O4W_QT_PREFIX"})
#: Where QGIS is installed for the whole system; other programs are there as well.
_SHARED_FOLDERS = frozenset({"/", "/usr", "/usr/local", "/app"})


def make_child_env(
    environ: Mapping[str, str], *, qgis_folder: str, separator: str, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make the variables for a child process.

    Args:
        environ: the variables of this process.
        qgis_folder: where QGIS is installed; entries of ``PATH`` below it are left out.
        separator: separator of the entries of ``PATH`` (``os.pathsep``).
        extra: variables to add (a proxy, for example).

    Returns:
        A new mapping.
    """
    variables = {
        name: value
        for name, value in environ.items()
        if name.upper() not in _NAMES and not name.upper().startswith(_PREFIXES)
    }
    if "PATH" in variables and qgis_folder and (qgis_folder.rstrip("/") or "/") not in _SHARED_FOLDERS:
        root = PurePath(qgis_folder).parts
        entries = variables["PATH"].split(separator)
        variables["PATH"] = separator.join(entry for entry in entries if PurePath(entry).parts[: len(root)] != root)
    variables.update(extra or {})
    return variables
