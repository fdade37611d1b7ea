"""Keeps one idle engine alive between runs, so that a model is not loaded again for the next one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Callable

from ...engine.protocol.messages import Result
from .process import EngineProcess, Launch, Limits, Listener


class EngineHost:
    """Gives runs their process. Safe to use from several threads: runs at the same time get processes of their own.

    Args:
        limits: when a process is taken for lost.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._idle: EngineProcess | None = None
        self._timer: threading.Timer | None = None
        self._busy: set[EngineProcess] = set()
        self._closed = False

    def run(
        self,
        launch: Launch,
        arguments: Sequence[str],
        listener: Listener,
        cancelled: Callable[[], bool],
        *,
        keep_seconds: float = 0.0,
    ) -> Result:
        """Run one command in an engine and wait for its result.

        Args:
            launch: how the engine is started where none is idle.
            arguments: the words behind ``terraspore``.
            listener: hears events and log lines.
            cancelled: asked some twenty times a second.
            keep_seconds: how long the process may stay idle afterwards; 0 ends it at once.

        Raises:
            EngineError: as ``EngineProcess.run``.
        """
        process = self._take(launch)
        try:
            return process.run(arguments, listener, lambda: self._closed or cancelled())
        finally:
            self._give_back(process, keep_seconds)

    def close(self) -> None:
        """Cancel what runs, and end the idle process. Runs asked for afterwards end at once."""
        self._closed = True
        self.end_idle()

    def end_idle(self) -> None:
        """End the idle process, if there is one."""
        with self._lock:
            process, self._idle = self._idle, None
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if process is not None:
            process.close()

    def processes(self) -> list[int]:
        """The numbers of the processes that are alive."""
        with self._lock:
            every = [*self._busy, *([self._idle] if self._idle else [])]
        return [process.pid for process in every if process.alive]

    def _take(self, launch: Launch) -> EngineProcess:
        with self._lock:
            kept = self._idle
            if kept is not None and kept.launch == launch and kept.alive:
                self._idle = None
                if self._timer is not None:
                    self._timer.cancel()
                self._busy.add(kept)
                return kept
        self.end_idle()
        process = EngineProcess(launch, self._limits)
        with self._lock:
            self._busy.add(process)
        return process

    def _give_back(self, process: EngineProcess, keep_seconds: float) -> None:
        with self._lock:
            self._busy.discard(process)
            keep = process.alive and keep_seconds > 0 and not self._closed and self._idle is None
            if keep:
                self._idle = process
                self._timer = threading.Timer(keep_seconds, self._expire, args=(process,))
                self._timer.daemon = True
                self._timer.start()
        if not keep:
            process.close()

    def _expire(self, process: EngineProcess) -> None:
        with self._lock:
            if self._idle is not process:
                return
            self._idle, self._timer = None, None
        with contextlib.suppress(OSError):
            process.close()
