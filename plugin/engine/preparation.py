"""Prepare an environment: compile kernels and default models, so that the first run does not wait for them.

Compiled kernels are kept in the environment's folder, apart for each copy of the plugin, and are removed with it. numba
compiles them again when their source has another date or size, which an update of the plugin changes.
"""

from __future__ import annotations

import contextlib
import shutil

from ...__about__ import __version__
from ...engine.protocol.messages import Event, Progress
from ..paths import PLUGIN_FOLDER
from ..settings import Settings
from .environment import get_engine_python, get_kernels_folder, make_launch
from .install import InstallObserver
from .pool import EnginePool
from .process import Listener

#: Name of the file in the folder of kernels that says for which sources they were compiled.
_STAMP = "prepared.txt"
_VECTORS = PLUGIN_FOLDER / "engine" / "vector"


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
        EngineError: as ``EnginePool.run``.
    """

    def report(event: Event) -> None:
        if isinstance(event, Progress) and event.total:
            observer.on_progress(event.done / event.total)

    folder, sources = get_kernels_folder(settings), _describe_sources()
    if is_preparation_due(settings):  # numba does not remove kernels whose source has moved within its file
        shutil.rmtree(folder, ignore_errors=True)
    pool.run(make_launch(settings), ["prepare"], Listener(report, observer.on_log), observer.is_cancelled)
    with contextlib.suppress(OSError):  # it is prepared again at the next start
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _STAMP).write_text(sources, encoding="utf-8")


def _describe_sources() -> str:
    """Return the plugin's version and the newest date of the files with kernels."""
    newest = max((path.stat().st_mtime_ns for path in _VECTORS.rglob("*.py")), default=0)
    return f"{__version__} {newest}"
