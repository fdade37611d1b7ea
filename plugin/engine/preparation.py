"""Set up the engine: make its environment, and prepare it for the first run.

To prepare is to compile kernels and default models. Compiled kernels are kept in the environment's folder, apart for
each copy of the plugin, and are removed with it. The engine compiles them again when their sources have changed, as
an update of the plugin may do.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

from ...__about__ import __version__
from ...engine.protocol.messages import Event, Progress
from ..i18n import tr
from ..paths import LAUNCHER, PLUGIN_FOLDER
from ..settings import Settings
from .env_profiles import LINE_MEGABITS, PREPARATION_SECONDS, EnvProfile, find_profile
from .environment import (
    get_engine_python,
    get_environments_folder,
    get_kernels_folder,
    make_installer_env,
    make_launch,
)
from .errors import EngineCancelledError, EngineError
from .install import EnvSpec, InstallObserver, create_environment
from .interpreters import find_interpreter, format_versions
from .pool import EnginePool
from .process import Listener

#: Name of the file in the folder of kernels that says for which sources they were compiled.
_STAMP = "prepared.txt"
#: Share of the set-up for the installation; the rest is for the preparation.
_INSTALLED = 0.7
_VECTORS = PLUGIN_FOLDER / "engine" / "vector"


def describe_set_up(profile: EnvProfile) -> str:
    """Describe size and time of the set-up of ``profile``."""
    return tr("Download: {download}; on the disk: {disk}; about {n} min at {speed} Mbit/s.").format(
        download=_format_size(profile.download_megabytes),
        disk=_format_size(profile.disk_megabytes),
        n=profile.minutes,
        speed=LINE_MEGABITS,
    )


def _format_size(megabytes: int) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes} MB"


def is_set_up_due(settings: Settings) -> bool:
    """Return whether the plugin's own environment is to be used, and does not exist."""
    return not settings.interpreter and LAUNCHER.is_file() and not get_engine_python(settings).is_file()


def set_up_engine(pool: EnginePool, settings: Settings, wheels: Path | None, observer: InstallObserver) -> Path:
    """Create the environment of ``settings.env_profile``, and prepare it. Blocks.

    An environment that cannot be prepared is kept, and the reason is in the log: the first run then compiles.

    Args:
        pool: runs the engine.
        settings: profile, folders, package index and Python to make it from.
        wheels: folder of wheels for an installation without network; None for the package index.
        observer: receives lines of text and the finished share; may cancel.

    Returns:
        The environment's interpreter.

    Raises:
        EngineError: it could not be made; the sentence says why.
    """
    variables, profile = make_installer_env(), find_profile(settings.env_profile)
    base, why = find_interpreter(settings.base_python, variables, profile.pythons)
    if base is None:
        hint = tr("Install Python {versions}, or choose one under “Python to make it from”.")
        raise EngineError(why, hint.format(versions=format_versions(profile.pythons)))
    target = get_environments_folder(settings) / profile.name
    spec = EnvSpec(profile, target, base, wheels, LAUNCHER, variables, settings.package_index)
    python = create_environment(spec, _observe_part(observer, 0.0, _INSTALLED))
    observer.on_log(tr("Preparing the engine for its first run, about {n} s").format(n=PREPARATION_SECONDS))
    try:
        made = replace(settings, interpreter="", env_profile=profile.name)
        prepare_engine(pool, made, _observe_part(observer, _INSTALLED, 1.0))
    except EngineError as error:
        observer.on_log(str(error))
    return python


def _observe_part(observer: InstallObserver, begin: float, end: float) -> InstallObserver:
    """Return an observer whose shares 0..1 are the part ``begin`` to ``end`` of those of ``observer``."""
    return replace(observer, on_progress=lambda share: observer.on_progress(begin + (end - begin) * share))


def is_preparation_due(settings: Settings) -> bool:
    """Return whether the plugin's environment exists and was not prepared since the plugin's last update."""
    if settings.interpreter or not get_engine_python(settings).is_file():
        return False
    try:
        return (get_kernels_folder(settings) / _STAMP).read_text(encoding="utf-8") != _describe_sources()
    except OSError:
        return True


def prepare_engine(pool: EnginePool, settings: Settings, observer: InstallObserver) -> None:
    """Compile kernels and models in the environment of ``settings``. Blocks.

    Args:
        pool: runs the engine.
        settings: name the environment.
        observer: receives the engine's lines of text and the finished share; may cancel.

    Raises:
        EngineCancelledError: it was cancelled; what was compiled before is kept.
        EngineError: as ``EnginePool.run``.
    """

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.total:
            observer.on_progress(event.done / event.total)

    folder, sources = get_kernels_folder(settings), _describe_sources()
    # numba does not remove kernels whose source has moved within its file. Without a stamp an earlier preparation was
    # not finished, and what it compiled is used.
    if (folder / _STAMP).is_file() and is_preparation_due(settings):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        pool.run(make_launch(settings), ["prepare"], Listener(report, observer.on_log), observer.is_cancelled)
    except EngineCancelledError as error:
        text = tr("Cancelled; what was compiled so far is kept, and is not compiled again.")
        raise EngineCancelledError(text) from error
    with contextlib.suppress(OSError):  # it is prepared again at the next start
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _STAMP).write_text(sources, encoding="utf-8")


def _describe_sources() -> str:
    """Return the plugin's version and the newest date of the files with kernels."""
    newest = max((path.stat().st_mtime_ns for path in _VECTORS.rglob("*.py")), default=0)
    return f"{__version__} {newest}"
