"""Context of a run: where its events go, whether it was cancelled, and its clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Protocol

from .errors import Cancelled
from .protocol.codec import encode_event
from .protocol.messages import Event


class Reporter(Protocol):
    """Takes the events of a run. Called from one thread at a time."""

    def emit(self, event: Event) -> None:
        """Take one event."""


class SilentReporter:
    """Takes events and drops them: for use as a library."""

    def emit(self, event: Event) -> None:
        """Drop ``event``."""


@dataclass
class RecordingReporter:
    """Keeps events in a list: for tests and notebooks."""

    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Keep ``event``."""
        self.events.append(event)


class JsonReporter:
    """Writes each event as one JSON line and flushes it, so that a reader on a pipe sees it at once."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write ``event`` as one line."""
        line = encode_event(event) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


class Cancellation:
    """A flag that another thread or a signal sets and that work asks for between its units."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._abandoned = False

    def cancel(self) -> None:
        """Ask the run to stop; nothing of it is wanted any more."""
        self._event.set()

    def abandon(self) -> None:
        """Ask the run to stop, because who waited for it is gone; what can be resumed is kept."""
        self._abandoned = not self._event.is_set()
        self._event.set()

    @property
    def abandoned(self) -> bool:
        """Whether the run is to stop without that anybody cancelled it."""
        return self._abandoned

    @property
    def requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if somebody asked the run to stop."""
        if self._event.is_set():
            raise Cancelled("Cancelled; nothing was written.")


@dataclass(frozen=True)
class RunContext:
    """What every long operation needs besides its input: one value that is passed down.

    Attributes:
        reporter: receives plan, progress and messages.
        cancellation: checked between units of work.
        clock: seconds from an arbitrary start, for rates and durations; tests pass their own.
    """

    reporter: Reporter = field(default_factory=SilentReporter)
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Callable[[], float] = time.perf_counter

    def report(self, event: Event) -> None:
        """Send one event to the reporter."""
        self.reporter.emit(event)

    def check_cancelled(self) -> None:
        """Raise ``Cancelled`` where the run was cancelled."""
        self.cancellation.check()
