"""Two pieces of work at the same time: threads, cancellation and progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ...errors import Cancelled
from ...events import Cancellation, Event, Progress, Reporter

T = TypeVar("T")

#: The total of what ``SharedProgress`` reports.
_PARTS = 1000


@contextmanager
def beside(work: Callable[[Cancellation], T], cancellation: Cancellation) -> Iterator[Future[T]]:
    """Do ``work`` in a thread during the ``with`` block; leaving it ends the work, whether it is done or not.

    Args:
        work: asks the cancellation that it is given between its steps.
        cancellation: cancels the work, too.
    """
    stop = _Linked(cancellation)
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(work, stop)
        finally:
            stop.cancel()


class _Linked(Cancellation):
    """A cancellation that is also requested where another one is."""

    def __init__(self, other: Cancellation) -> None:
        super().__init__()
        self._other = other

    @property
    def requested(self) -> bool:
        """Whether somebody asked for either."""
        return super().requested or self._other.requested

    def check(self) -> None:
        """Raise ``Cancelled`` if somebody asked for either."""
        self._other.check()
        if super().requested:
            raise Cancelled("Cancelled; nothing was written.")


class SharedProgress:
    """Reports pieces of work that go on at the same time as one; one thread at a time calls the reporter.

    Args:
        reporter: hears of it.
        pieces: their number.
    """

    def __init__(self, reporter: Reporter, pieces: int) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._shares = [0.0] * pieces

    def piece(self, number: int) -> Reporter:
        """The reporter for one of the pieces."""
        return _Piece(self, number)

    def emit(self, number: int, event: Event) -> None:
        """Take an event of one of the pieces."""
        with self._lock:
            if isinstance(event, Progress) and event.stage == "vectorize":
                self._shares[number] = event.done / max(event.total, 1)
                share = sum(self._shares) / len(self._shares)
                event = Progress("vectorize", int(_PARTS * share + 1e-9), _PARTS)
            self._reporter.emit(event)


class _Piece:
    """The reporter of a piece of work."""

    def __init__(self, progress: SharedProgress, number: int) -> None:
        self._progress, self._number = progress, number

    def emit(self, event: Event) -> None:
        """Take one event."""
        self._progress.emit(self._number, event)
