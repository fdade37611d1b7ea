"""The environment variables that the engine's process gets: the user's, without what belongs to QGIS or to Python.

QGIS sets variables for its own Python, GDAL and PROJ. A child that inherits them loads the wrong libraries, or
takes QGIS's folder for its own. ``PYTHONEXECUTABLE`` even makes a virtual environment believe that it is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

_PREFIXES = (
    "PYTHON",
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
_NAMES = frozenset({"VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "GEOTIFF_CSV", "QT_PLUGIN_PATH", "O4W_QT_PREFIX"})
#: Prefixes that QGIS shares with the whole system, so that their programs are not QGIS's own.
_SHARED_PREFIXES = frozenset({"/", "/usr", "/usr/local", "/app"})


def child_environment(
    environ: Mapping[str, str], *, qgis_folder: str, separator: str, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables for a child process.

    Args:
        environ: the variables of this process.
        qgis_folder: where QGIS is installed; entries of ``PATH`` below it are left out.
        separator: what stands between entries of ``PATH`` (``os.pathsep``).
        extra: variables to add at the end (a proxy, for example).

    Returns:
        A new mapping.
    """
    kept = {name: value for name, value in environ.items() if not _is_foreign(name)}
    if "PATH" in kept:
        entries = kept["PATH"].split(separator)
        kept["PATH"] = separator.join(entry for entry in entries if not _is_below(entry, qgis_folder))
    kept.update(extra or {})
    return kept


def _is_foreign(name: str) -> bool:
    upper = name.upper()
    return upper in _NAMES or upper.startswith(_PREFIXES)


def _is_below(entry: str, folder: str) -> bool:
    if not folder or folder.rstrip("/") in _SHARED_PREFIXES or folder == "/":
        return False
    parts, root = PurePath(entry).parts, PurePath(folder).parts
    return parts[: len(root)] == root
