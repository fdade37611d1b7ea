"""From the settings to the engine's command, variables and folders.

QGIS sets variables for its own Python, GDAL and PROJ. A child that inherits them loads the wrong libraries, and
``PYTHONEXECUTABLE`` even makes the Python of a virtual environment miss its own packages.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import quote

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from ..i18n import tr
from ..paths import LAUNCHER, PLUGIN_FOLDER
from ..settings import Settings
from .errors import EngineError
from .install import get_env_python
from .interpreters import add_library_folder
from .process import Launch, Timeouts

#: Variables of pip and of the certificates that it checks; the engine needs none of them.
_PIP_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE")


def get_data_folder() -> Path:
    """Return the folder for environments, models and cache: outside the plugin, shared by all profiles."""
    location = QStandardPaths.StandardLocation.GenericDataLocation
    return Path(QStandardPaths.writableLocation(location)) / "TerraSpore"


def get_environments_folder(settings: Settings) -> Path:
    """Return the folder of the plugin's environments."""
    return Path(settings.environments) if settings.environments else get_data_folder() / "environments"


def get_models_folder(settings: Settings) -> Path:
    """Return the folder of the user's own models."""
    return Path(settings.models_folder) if settings.models_folder else get_data_folder() / "models"


def get_cache_folder(settings: Settings) -> Path:
    """Return the folder for compiled models."""
    return Path(settings.cache_folder) if settings.cache_folder else get_data_folder() / "cache"


def get_kernels_folder(settings: Settings) -> Path:
    """Return the folder of compiled kernels: in the plugin's environment, or in the cache for another interpreter."""
    if settings.interpreter:
        return get_cache_folder(settings) / "kernels"
    copy = hashlib.sha256(str(PLUGIN_FOLDER).encode()).hexdigest()[:8]  # each profile of QGIS may have one
    return get_environments_folder(settings) / settings.env_profile / "kernels" / copy


def get_engine_python(settings: Settings) -> Path:
    """Return the interpreter of the engine; it need not exist."""
    if settings.interpreter:
        return Path(settings.interpreter)
    return get_env_python(get_environments_folder(settings) / settings.env_profile)


def explain_missing_engine(settings: Settings) -> str | None:
    """Explain in one sentence why there is no engine to start; None where there is one."""
    python = get_engine_python(settings)
    if not LAUNCHER.is_file():
        text = tr("The plugin's folder is incomplete: {path} is missing. Install the plugin again.")
        return text.format(path=LAUNCHER)
    if python.is_file():
        return None
    if settings.interpreter:
        text = tr("The chosen interpreter {path} does not exist. Choose another in Settings > Options > TerraSpore.")
        return text.format(path=python)
    return tr("The inference engine is not installed yet. Create its environment in Settings > Options > TerraSpore.")


def make_launch(settings: Settings) -> Launch:
    """Make the command and the variables that start the engine.

    Raises:
        EngineError: there is none; the sentence says what to do.
    """
    missing = explain_missing_engine(settings)
    if missing is not None:
        raise EngineError(missing, code="EngineMissing")
    python = get_engine_python(settings)
    command = (str(python), "-I", "-X", "utf8", str(LAUNCHER))
    return Launch(command, add_library_folder(make_engine_env(settings), python))


def make_timeouts(settings: Settings) -> Timeouts:
    """Make the timeouts of engine processes."""
    return Timeouts(unresponsive=float(max(10, settings.unresponsive_seconds)))


def make_engine_env(settings: Settings) -> dict[str, str]:
    """Make the engine's variables: the user's without those of QGIS, and the engine's folders."""
    extra = {
        "TERRASPORE_CACHE": str(get_cache_folder(settings)),
        "TERRASPORE_CACHE_MEGABYTES": str(settings.cache_megabytes),
        "TERRASPORE_MODELS": str(get_models_folder(settings)),
        "NUMBA_CACHE_DIR": str(get_kernels_folder(settings)),  # by default beside the source
    }
    cuda = get_env_python(get_environments_folder(settings) / "cuda")
    if settings.env_profile != "cuda" and cuda.is_file():  # the engine can run ONNX Runtime in another interpreter
        extra["TERRASPORE_ONNXRUNTIME_PYTHON"] = str(cuda)
    if settings.threads:
        extra["OMP_NUM_THREADS"] = str(settings.threads)
    return _make_env(extra)


def make_installer_env() -> dict[str, str]:
    """Make the variables of pip: the user's without those of QGIS, pip's own and certificates, and QGIS's proxy."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_PIP_VARIABLES)}
    return _make_env({**kept, **get_proxy_variables()})


def get_proxy_variables() -> Mapping[str, str]:
    """Return QGIS's proxy as the variables that pip reads; empty where QGIS uses none."""
    store = QgsSettings()
    kind, host, port, user, password = (
        store.value(f"proxy/proxy{name}", "", type=str) for name in ("Type", "Host", "Port", "User", "Password")
    )
    if not store.value("proxy/proxyEnabled", False, type=bool) or not host or kind == "DefaultProxy":
        return {}
    scheme = "socks5" if kind == "Socks5Proxy" else "http"
    account = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    url = f"{scheme}://{account}{host}{f':{port}' if port else ''}"
    return {"HTTP_PROXY": url, "HTTPS_PROXY": url, "http_proxy": url, "https_proxy": url}


def _make_env(extra: Mapping[str, str]) -> dict[str, str]:
    folder = QgsApplication.prefixPath()
    if sys.platform == "win32":  # the prefix is <root>/apps/qgis; programs are everywhere below the root
        folder = str(Path(folder).parents[1]) if len(Path(folder).parents) > 1 else folder
    return make_child_env(os.environ, qgis_folder=folder, separator=os.pathsep, extra=extra)


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
        make_path = PureWindowsPath if separator == ";" else PurePath  # the case of a name means nothing on Windows
        entries = variables["PATH"].split(separator)
        kept = (entry for entry in entries if not make_path(entry).is_relative_to(make_path(qgis_folder)))
        variables["PATH"] = separator.join(kept)
    variables.update(extra or {})
    return variables


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
