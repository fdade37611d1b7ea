"""Which engine is used: from the settings to a command that starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from ..i18n import tr
from ..paths import LAUNCHER
from ..settings import Settings
from .child_env import child_environment
from .errors import EngineMissingError
from .install import environment_python
from .process import Launch, Limits


def data_folder() -> Path:
    """Folder for environments, models and cache: outside the plugin and of the profile, shared by all profiles."""
    location = QStandardPaths.StandardLocation.GenericDataLocation
    return Path(QStandardPaths.writableLocation(location)) / "TerraSpore"


def environments_folder(settings: Settings) -> Path:
    """Folder of the plugin's environments."""
    return Path(settings.environments) if settings.environments else data_folder() / "environments"


def models_folder(settings: Settings) -> Path:
    """Folder of the person's own models."""
    return Path(settings.models_folder) if settings.models_folder else data_folder() / "models"


def cache_folder(settings: Settings) -> Path:
    """Folder for compiled models."""
    return Path(settings.cache_folder) if settings.cache_folder else data_folder() / "cache"


def engine_python(settings: Settings) -> Path:
    """The interpreter of the engine as set; it may not be there."""
    if settings.interpreter:
        return Path(settings.interpreter)
    return environment_python(environments_folder(settings) / settings.family)


def engine_missing(settings: Settings) -> str | None:
    """Why there is no engine to start, as a sentence for the person; None where there is one."""
    python = engine_python(settings)
    if not LAUNCHER.is_file():
        return tr("The plugin's folder is incomplete: {path} is missing. Install the plugin again.").format(
            path=LAUNCHER
        )
    if python.is_file():
        return None
    if settings.interpreter:
        return tr(
            "The chosen interpreter {path} is not there. Choose another in Settings > Options > TerraSpore."
        ).format(path=python)
    return tr("The inference engine is not installed yet. Create its environment in Settings > Options > TerraSpore.")


def make_launch(settings: Settings) -> Launch:
    """How the engine is started.

    Raises:
        EngineMissingError: there is none; the sentence says what to do.
    """
    missing = engine_missing(settings)
    if missing is not None:
        raise EngineMissingError(missing, code="EngineMissing")
    command = (str(engine_python(settings)), "-I", "-X", "utf8", str(LAUNCHER))
    return Launch(command, engine_environment(settings))


def make_limits(settings: Settings) -> Limits:
    """When the engine is taken for lost."""
    return Limits(unresponsive=float(max(10, settings.unresponsive_seconds)))


def engine_environment(settings: Settings) -> dict[str, str]:
    """The variables for the engine: the user's without QGIS's, and the place of the cache."""
    cache = cache_folder(settings)
    extra = {
        "TERRASPORE_CACHE": str(cache),
        "TERRASPORE_MODELS": str(models_folder(settings)),
        "NUMBA_CACHE_DIR": str(cache / "kernels"),  # else beside the source: nothing is written into the plugin
    }
    cuda = environment_python(environments_folder(settings) / "cuda")
    if settings.family != "cuda" and cuda.is_file():  # the other family's runtime is used through its own interpreter
        extra["TERRASPORE_ONNXRUNTIME_PYTHON"] = str(cuda)
    if settings.threads:
        extra["OMP_NUM_THREADS"] = str(settings.threads)
    return _child_environment(extra)


def installer_environment() -> dict[str, str]:
    """The variables for the set-up: the user's without QGIS's, and QGIS's proxy."""
    return _child_environment(proxy_variables())


def proxy_variables() -> Mapping[str, str]:
    """QGIS's proxy as variables that pip knows; empty where QGIS uses none."""
    store = QgsSettings()
    kind = store.value("proxy/proxyType", "", type=str)
    host = store.value("proxy/proxyHost", "", type=str)
    if not store.value("proxy/proxyEnabled", False, type=bool) or not host or kind == "DefaultProxy":
        return {}
    port = store.value("proxy/proxyPort", "", type=str)
    user = store.value("proxy/proxyUser", "", type=str)
    password = store.value("proxy/proxyPassword", "", type=str)
    scheme = "socks5" if kind == "Socks5Proxy" else "http"
    account = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    url = f"{scheme}://{account}{host}{f':{port}' if port else ''}"
    return {"HTTP_PROXY": url, "HTTPS_PROXY": url, "http_proxy": url, "https_proxy": url}


def _child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    folder = QgsApplication.prefixPath()
    if sys.platform == "win32":  # prefix is <root>/apps/qgis; the programs are all over the root
        folder = str(Path(folder).parents[1]) if len(Path(folder).parents) > 1 else folder
    return child_environment(os.environ, qgis_folder=folder, separator=os.pathsep, extra=extra)
