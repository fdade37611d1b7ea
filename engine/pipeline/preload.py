"""Import the vector libraries in a thread while the model is opened, which keeps one core busy at most."""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

from ..concurrency import start_thread
from ..context import Cancellation

#: Seconds between two checks whether the run was cancelled.
_POLL = 0.05


class Preloader:
    """Imports the libraries for roads and warms up their kernels: a second on an idle machine, more on a busy one."""

    def __init__(self) -> None:
        self._loaded = threading.Event()

    def start(self) -> None:
        """Start to load in a daemon thread."""
        start_thread(threading.Thread(target=self._load, name="preload", daemon=True))

    def wait(self, cancellation: Cancellation) -> None:
        """Wait until loading has ended. Where it failed, the caller's own import raises the error again.

        Raises:
            Cancelled: the run was cancelled.
        """
        while not self._loaded.wait(_POLL):
            cancellation.check()

    def _load(self) -> None:
        try:
            with suppress(ImportError, MemoryError):
                importlib.import_module("..vector.roads.extract", __package__)
                from ..vector.roads.warmup import warm_up_kernels

                warm_up_kernels()
        finally:
            self._loaded.set()
