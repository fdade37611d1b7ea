"""A pool of engine processes that keeps one idle, so that the next run finds its model loaded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Callable

from ...engine.protocol.messages import Result
from .process import EngineProcess, Launch, Listener, Timeouts


class EnginePool:
    """Provides each run with a process of its own. Safe to use from several threads.

    Args:
        timeouts: when a process is ended by force.
    """

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts or Timeouts()
        self._lock = threading.Lock()
        self._idle: EngineProcess | None = None
        self._timer: threading.Timer | None = None
        self._busy: set[EngineProcess] = set()
        self._is_closed = False

    def run(
        self,
        launch: Launch,
        arguments: Sequence[str],
        listener: Listener,
        is_cancelled: Callable[[], bool],
        *,
        keep_seconds: float = 0.0,
    ) -> Result:
        """Run one command in an engine and wait for its result.

        Args:
            launch: how the engine is started where none is idle.
            arguments: the arguments after ``terraspore``.
            listener: receives events and log lines.
            is_cancelled: asked some twenty times a second.
            keep_seconds: how long the process may stay idle afterwards; 0 ends it at once.

        Raises:
            EngineError: as ``EngineProcess.run``.
        """
        process = self._acquire(launch)
        try:
            return process.run(arguments, listener, lambda: self._is_closed or is_cancelled())
        finally:
            self._release(process, keep_seconds)

    def close(self) -> None:
        """Cancel all runs and end the idle process. Later runs are cancelled at once."""
        self._is_closed = True
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

    def list_pids(self) -> list[int]:
        """List the ids of the processes that are alive."""
        with self._lock:
            processes = [*self._busy, *([self._idle] if self._idle else [])]
        return [process.pid for process in processes if process.is_alive]

    def _acquire(self, launch: Launch) -> EngineProcess:
        """Take the idle process where it was started by an equal ``launch``, else start one in its place."""
        with self._lock:
            idle = self._idle
            if idle is not None and idle.launch == launch and idle.is_alive:
                self._idle = None
                if self._timer is not None:
                    self._timer.cancel()
                self._busy.add(idle)
                return idle
        self.end_idle()
        process = EngineProcess(launch, self._timeouts)
        with self._lock:
            self._busy.add(process)
        return process

    def _release(self, process: EngineProcess, keep_seconds: float) -> None:
        with self._lock:
            self._busy.discard(process)
            keep = process.is_alive and keep_seconds > 0 and not self._is_closed and self._idle is None
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
