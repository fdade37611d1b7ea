"""Context of a run: where its events go, whether it was cancelled, and its clock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Protocol, TypeVar

from .errors import Cancelled, StreamError, make_sentence
from .protocol.codec import encode_event
from .protocol.messages import Event, Message, Progress, Stage

#: Seconds after which a person is told what a run waits for.
SLOW_AFTER = 30.0
#: Seconds between two progress events.
PROGRESS_INTERVAL = 0.2
T = TypeVar("T")


class Reporter(Protocol):
    """Receives the events of a run, from one thread at a time."""

    def emit(self, event: Event, /) -> object:
        """Receive one event."""


@dataclass(frozen=True)
class CallbackReporter:
    """Calls a function with each event."""

    emit: Callable[[Event], object]


@dataclass
class RecordingReporter:
    """Collects events in a list, for tests and notebooks."""

    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Append ``event``."""
        self.events.append(event)


class JsonReporter:
    """Writes each event as one JSON line and flushes it, so that a reader on a pipe receives it at once."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write ``event`` as one line."""
        with self._lock:
            write_line(self._stream, encode_event(event))


def write_line(stream: IO[str], text: str) -> None:
    """Write ``text`` as one line and flush it. After an error, and once the reader has gone, everything is dropped.

    Raises:
        StreamError: it cannot be written.
    """
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # what is buffered would fail again
        os.close(null)
        if not isinstance(error, BrokenPipeError):
            raise StreamError(f"The result cannot be written to stdout: {error.strerror or error}.") from error


class Cancellation:
    """A flag that another thread or a signal handler sets, and that a run checks between units of work.

    Args:
        parent: the cancellation of a longer run of which this is one part: the part is cancelled with it, while its
            own ``cancel`` and ``commit`` concern only the part.

    Attributes:
        message: what a person reads of the end; a run that leaves something sets it.
    """

    def __init__(self, parent: Cancellation | None = None) -> None:
        self.message = "Cancelled; nothing was written."
        self._parent, self._event = parent, threading.Event()
        self._is_committed = self._is_abandoned = False
        self._lock = threading.RLock()  # a signal handler may cancel in the thread that is just committing

    @property
    def abandoned(self) -> bool:
        """Whether the end was requested by ``abandon`` and not by ``cancel``."""
        return self._is_abandoned or (self._parent is not None and self._parent.abandoned)

    def cancel(self) -> None:
        """Request the end of the run; what it could be resumed from is removed. No effect after ``commit``."""
        with self._lock:
            self._event.set()

    def abandon(self) -> None:
        """Request the end of the run because its parent process has ended; what it can be resumed from is kept."""
        self._is_abandoned = not self._event.is_set()
        self.cancel()

    def commit(self) -> None:
        """Pass the point of the run from which on it is not cancelled, because its outputs get their names.

        Raises:
            Cancelled: the end of the run was requested before.
        """
        with self._lock:
            self.check()
            self._is_committed = True

    @property
    def requested(self) -> bool:
        """Whether the end of the run was requested, before it was committed."""
        is_requested = self._event.is_set() or (self._parent is not None and self._parent.requested)
        return is_requested and not self._is_committed

    def check(self) -> None:
        """Raise ``Cancelled`` if the end of the run was requested."""
        if self.requested:
            raise Cancelled(self.message)


@dataclass(frozen=True)
class RunContext:
    """What every long operation needs besides its input, passed down as one value.

    Attributes:
        reporter: receives plan, progress and messages; drops them unless given.
        cancellation: checked between units of work.
        clock: returns seconds from an arbitrary start, for rates and durations.
        slow_after: seconds after which a single step that shows no progress is reported.
        warnings: what ``warn`` was told, in its order; the result and its files carry them.
    """

    reporter: Reporter = CallbackReporter(lambda _event: None)
    cancellation: Cancellation = field(default_factory=Cancellation)
    clock: Callable[[], float] = time.perf_counter
    slow_after: float = SLOW_AFTER
    warnings: list[str] = field(default_factory=list)

    def report(self, event: Event) -> None:
        """Send one event to the reporter; a warning is kept for the result, and a repeated one is dropped."""
        if isinstance(event, Message):
            event = replace(event, text=make_sentence(event.text))
            if event.level == "warning":
                if event.text in self.warnings:
                    return
                self.warnings.append(event.text)
        self.reporter.emit(event)

    def warn(self, text: str) -> None:
        """Report a sentence about a doubtful result; see ``report``."""
        self.report(Message(text, "warning"))

    def track(self, stage: Stage, items: Sequence[T]) -> Iterator[T]:
        """Yield ``items``, and report how many of them are done; ``Cancelled`` where the run was cancelled."""
        last = self.clock()
        for number, item in enumerate(items, 1):
            self.check_cancelled()
            yield item
            if self.clock() - last >= PROGRESS_INTERVAL or number == len(items):
                last = self.clock()
                self.report(Progress(stage, number, len(items)))

    def check_cancelled(self) -> None:
        """Raise ``Cancelled`` if the run was cancelled."""
        self.cancellation.check()
