"""What vectors need, loaded while the model is opened: that keeps one core busy at most."""

from __future__ import annotations

import importlib
import threading
from contextlib import AbstractContextManager, suppress

from ..concurrency import start_thread
from ..context import Cancellation
from ..models.registry import Model
from ..runtimes.base import Session
from .request import OpenSession, RuntimeOptions

#: Seconds between looks at whether the run is cancelled.
_POLL = 0.05


class Preloader:
    """The libraries for roads; they take a second on an idle machine, and several on a busy one."""

    def __init__(self) -> None:
        self._loaded = threading.Event()

    def start_with(self, open_session: OpenSession) -> OpenSession:
        """``open_session`` that begins to load when it is called, in a thread that nobody has to wait for."""

        def open_model(model: Model, options: RuntimeOptions, tile: int) -> AbstractContextManager[tuple[Session, str]]:
            """See ``OpenSession``."""
            start_thread(threading.Thread(target=self._load, name="load-libraries", daemon=True))
            return open_session(model, options, tile)

        return open_model

    def wait(self, stop: Cancellation) -> None:
        """Wait until they are there, or cannot be loaded: who needs them loads them again, and raises."""
        while not self._loaded.wait(_POLL):
            stop.check()

    def _load(self) -> None:
        try:
            with suppress(ImportError, MemoryError):
                importlib.import_module("..vector.roads.extract", __package__)
                from ..vector.roads.warmup import warm_up_kernels

                warm_up_kernels()
        finally:
            self._loaded.set()
