"""Reading ahead and writing behind: two threads with short queues around the one that computes.

An error in either thread is raised in the computing thread, and leaving the ``with`` block for whatever reason ends
both threads.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

from .context import Cancellation, Reporter
from .errors import Cancelled, OutOfMemoryError
from .protocol.messages import Event, Progress

T = TypeVar("T")
_POLL = 0.1  # seconds between looks at the flag that ends a thread which waits for a full or empty queue
_START_SECONDS = 20.0  # in which a thread begins even on a busy machine


class _BoundedEvent(threading.Event):
    """An event that is waited for some time at most."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it; see ``threading.Event.wait``."""
        return super().wait(_START_SECONDS if timeout is None else timeout)


def start_thread(thread: threading.Thread) -> threading.Thread:
    """Start ``thread`` and give it back.

    Where memory has run out a new thread can end before it has said that it began, for which ``Thread.start`` waits
    for ever. It has no limit of its own, so it is given an event that has one.

    Raises:
        OutOfMemoryError: the thread does not begin.
    """
    thread._started = _BoundedEvent()  # type: ignore[attr-defined]
    try:
        thread.start()
        thread.join(0)  # refused for a thread that has not begun
    except RuntimeError as error:
        raise _no_memory() from error
    return thread


def _no_memory() -> OutOfMemoryError:
    return OutOfMemoryError("There was not enough memory for another thread.", "Try a smaller tile (--tile).")


class _End:
    """Marks the end of a queue and carries the error that caused it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """Iterates over ``source`` in a thread, ``depth`` items ahead.

    Args:
        source: any iterable; it is only ever touched by the thread.
        depth: how many items may wait.
    """

    def __init__(self, source: Iterable[T], depth: int = 1) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(source,), name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        """Start the thread and give the items."""
        start_thread(self._thread)
        return self._items()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _items(self) -> Iterator[T]:
        while True:
            try:
                item = self._queue.get(timeout=_POLL)
            except queue.Empty:
                if not self._thread.is_alive() and self._queue.empty():
                    raise _no_memory() from None  # every other end puts something into the queue
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def _run(self, source: Iterable[T]) -> None:
        end = _End()
        try:
            for item in source:
                if not _offer(self._queue, item, self._stop):
                    return
        except Exception as error:  # noqa: BLE001 (carried to the other thread, which raises it)
            end = _End(error)
        finally:
            if isinstance(source, Generator):
                source.close()  # what it has opened belongs to this thread
        _offer(self._queue, end, self._stop)


class WriteBehind(Generic[T]):
    """Calls ``sink`` in a thread for each item put, at most ``depth`` items behind.

    Args:
        sink: takes one item; only ever called by the thread, in the order of the items.
        depth: how many items may wait.
    """

    def __init__(self, sink: Callable[[T], Any], depth: int = 2) -> None:
        self._sink = sink
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._failed = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)

    def __enter__(self) -> Callable[[T], None]:
        """Start the thread and give the function that takes items."""
        start_thread(self._thread)
        return self._put

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the thread finish what waits, or, after an error, end it as it is."""
        if kind is not None:
            self._stop.set()
        taken = _offer(self._queue, _End(), self._failed if kind is None else self._stop, self._thread)
        self._thread.join()
        if kind is None and (self._error is not None or not taken):
            raise self._error or _no_memory()

    def _put(self, item: T) -> None:
        if not _offer(self._queue, item, self._failed, self._thread):
            raise self._error or _no_memory()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_POLL)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                return
            try:
                self._sink(item)
            except Exception as error:  # noqa: BLE001 (carried to the other thread, which raises it)
                self._error = error
                self._failed.set()
                return


def _offer(target: queue.Queue[Any], item: Any, stop: threading.Event, taker: threading.Thread | None = None) -> bool:
    """Put ``item`` as soon as there is room; False where ``stop`` was set instead, or ``taker`` is no more."""
    while not stop.is_set() and (taker is None or taker.is_alive()):
        try:
            target.put(item, timeout=_POLL)
        except queue.Full:
            continue
        return True
    return False


#: The total of what ``SharedProgress`` reports.
_PARTS = 1000


@contextmanager
def run_in_background(work: Callable[[Cancellation], T], cancellation: Cancellation) -> Iterator[Future[T]]:
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
