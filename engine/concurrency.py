"""Threads of a run: reading ahead, writing behind, and work in the background.

An error in a thread is raised in the thread that takes its items or results. The threads end with the ``with`` block,
for whatever reason it is left.
"""

from __future__ import annotations

import _thread
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Generic, TypeVar

import psutil

from .context import CallbackReporter, Cancellation, Reporter, RunContext
from .errors import OutOfMemoryError
from .protocol.messages import Event, Message, Progress

T = TypeVar("T")
R = TypeVar("R")
_POLL = 0.1  # seconds between two checks of the flag that ends a thread waiting for a full or empty queue
_START_SECONDS = 60.0  # enough for a thread to start on a machine that is busy, or stops for a while
_PROGRESS_TOTAL = 1000  # the total that ``SharedProgress`` reports


def start_thread(thread: threading.Thread) -> threading.Thread:
    """Start ``thread`` and return it.

    ``Thread.start`` waits without a limit for the new thread, which never answers where memory runs out during its
    start. Therefore it is called in a helper thread, and waited for with a limit.

    Raises:
        OutOfMemoryError: the thread does not start.
    """
    finished, started = threading.Event(), threading.Event()

    def start() -> None:
        with suppress(RuntimeError, MemoryError):
            thread.start()
            started.set()
        finished.set()

    with suppress(RuntimeError, MemoryError):
        _thread.start_new_thread(start, ())
        finished.wait(_START_SECONDS)
    if not started.is_set():
        raise _out_of_memory()
    return thread


def _out_of_memory() -> OutOfMemoryError:
    return OutOfMemoryError("There was not enough memory for another thread.", "Try a smaller tile (--tile).")


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    process = psutil.Process()
    # macOS has no affinity of processes.
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1


def limit_threads(threads: int | None, context: RunContext) -> int | None:
    """Limit a number of threads to the processor cores, since more of them would only wait; None stays None."""
    cores = available_cores()
    if threads is None or threads <= cores:
        return threads
    context.report(Message(f"{threads} threads are asked for; {cores} are used, one for each processor core."))
    return cores


class _End:
    """Marks the end of a queue and carries the error that caused it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """Iterates over ``source`` in a thread, ``depth`` items ahead; a context manager that returns the items.

    Args:
        source: any iterable; only the thread uses it.
        depth: how many items may wait.
    """

    def __init__(self, source: Iterable[T], depth: int = 1) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(source,), name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        """Start the thread and return the items."""
        start_thread(self._thread)
        return self._items()

    def __exit__(self, *_: object) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _items(self) -> Iterator[T]:
        while True:
            try:
                item = self._queue.get(timeout=_POLL)
            except queue.Empty:
                if not self._thread.is_alive() and self._queue.empty():
                    raise _out_of_memory() from None  # every other end is in the queue
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
                if not _put_until(self._queue, item, self._stop):
                    return
        except Exception as error:  # noqa: BLE001 (raised in the other thread)
            end = _End(error)
        finally:
            if isinstance(source, Generator):
                source.close()  # in this thread, because what it has opened belongs to it
        _put_until(self._queue, end, self._stop)


class WriteBehind(Generic[T]):
    """Calls ``sink`` in a thread for each item; a context manager that returns the function to put items.

    Args:
        sink: called with one item at a time, by the thread only, in the order of the items.
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
        """Start the thread and return the function that puts an item."""
        start_thread(self._thread)
        return self._put

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until the thread has written everything, or, after an error, end it at once."""
        if kind is not None:
            self._stop.set()
        taken = _put_until(self._queue, _End(), self._failed if kind is None else self._stop, self._thread)
        self._thread.join()
        if kind is None and (self._error is not None or not taken or not self._queue.empty()):
            raise self._error or _out_of_memory()

    def _put(self, item: T) -> None:
        if not _put_until(self._queue, item, self._failed, self._thread):
            raise self._error or _out_of_memory()

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
            except Exception as error:  # noqa: BLE001 (raised in the other thread)
                self._error = error
                self._failed.set()
                return


def _put_until(
    target: queue.Queue[Any], item: Any, stop: threading.Event, consumer: threading.Thread | None = None
) -> bool:
    """Put ``item`` as soon as there is room; False where ``stop`` was set instead, or ``consumer`` has ended."""
    while not stop.is_set() and (consumer is None or consumer.is_alive()):
        try:
            target.put(item, timeout=_POLL)
        except queue.Full:
            continue
        return True
    return False


def map_bounded(pool: Executor, function: Callable[[T], R], items: Iterable[T], limit: int) -> Iterator[R]:
    """Apply ``function`` to items in a pool; yield the results in order.

    Unlike ``Executor.map``, items are taken only as results are consumed, so that few of them are in memory.

    Args:
        pool: runs the calls.
        function: called with one item.
        items: iterated in the calling thread.
        limit: number of calls that may be pending while the next item is made.
    """
    pending: deque[Future[R]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > limit:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def run_in_background(function: Callable[[Cancellation], T], cancellation: Cancellation) -> Iterator[Future[T]]:
    """Run ``function`` in a thread during the block; leaving the block cancels it and waits for its end.

    Args:
        function: checks the cancellation that it receives between its steps.
        cancellation: cancels the function as well.

    Yields:
        The future of its result.
    """
    part, future = Cancellation(cancellation), Future[T]()

    def run() -> None:
        try:
            future.set_result(function(part))
        except BaseException as error:  # noqa: BLE001 (raised by Future.result)
            future.set_exception(error)

    thread = start_thread(threading.Thread(target=run, name="background", daemon=True))
    try:
        yield future
    finally:
        part.cancel()
        thread.join()


class SharedProgress:
    """Reports the progress of several parts that run at the same time as the progress of one whole.

    Args:
        reporter: receives the events, from one thread at a time.
        parts: number of parts.
    """

    def __init__(self, reporter: Reporter, parts: int) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._shares = [0.0] * parts

    def part(self, index: int) -> Reporter:
        """Return the reporter for one of the parts."""
        return CallbackReporter(partial(self._report, index))

    def _report(self, index: int, event: Event) -> None:
        """Report an event of part ``index``; its progress in vectorizing is turned into that of the whole."""
        with self._lock:
            if isinstance(event, Progress) and event.stage == "vectorize":
                self._shares[index] = event.done / max(event.total, 1)
                share = sum(self._shares) / len(self._shares)
                event = Progress("vectorize", int(_PROGRESS_TOTAL * share + 1e-9), _PROGRESS_TOTAL)
            self._reporter.emit(event)


@contextmanager
def report_if_slow(context: RunContext, text: str) -> Iterator[None]:
    """Report ``text`` once if the block takes long, so that a person knows what is waited for."""
    timer = threading.Timer(context.slow_after, context.report, [Message(text)])
    timer.daemon = True
    start_thread(timer)
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
