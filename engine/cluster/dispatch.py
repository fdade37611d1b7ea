"""Submit tasks to a scheduler, a bounded number at a time, and take their results as they come."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from distributed import Client, Future
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from ..context import RunContext
from ..errors import ClusterError, InferenceError, TerraSporeError, first_line
from .connection import MEMORY_FOR_TILES, WAIT_FOR_WORKERS, check_paused, no_worker_error

T = TypeVar("T")

#: One task for each worker is submitted, and one more for so many workers, which waits for the first that is idle. A
#: worker with several threads would take any further ones, and run them one after the other.
_WORKERS_PER_WAITING_TASK = 4
#: How often Dask computes a task again that failed by something other than the person's mistake.
_RETRIES = 2
#: Seconds between two looks at the cancellation, and at the number of workers.
_POLL, _COUNT_EVERY = 0.1, 2.0


@dataclass(frozen=True)
class Task:
    """A call of a function on a worker.

    Attributes:
        key: unique name.
        title: for messages, such as ``block 3, 4``.
        function: importable, because it is sent by its name.
        arguments: of the function.
        workers: addresses of the workers that are to run it while they are there; None for any.
        resources: Dask's resources that it takes.
        memory_hint: what to do where it takes more memory than workers have.
    """

    key: str
    title: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    workers: list[str] | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    memory_hint: str = MEMORY_FOR_TILES


class _Workers:
    """The workers, asked for now and then; raises where there has been none for long, or all are paused."""

    def __init__(self, client: Client, address: str) -> None:
        self._client, self._address = client, address
        self._asked = self._seen = 0.0
        self._active = time.monotonic()
        self._count = 1

    def note_result(self) -> None:
        """Note that a task has just ended."""
        self._active = time.monotonic()

    def count(self) -> int:
        """Return the number of workers, at least 1."""
        now = time.monotonic()
        if now - self._asked > _COUNT_EVERY:
            self._asked = now
            try:
                self._count = len(self._client.nthreads())
                if now - self._active > WAIT_FOR_WORKERS:
                    self._active = now
                    check_paused(self._client)
            except (OSError, ValueError, RuntimeError) as error:  # TimeoutError and CommClosedError are OSErrors
                raise connection_lost(self._address) from error
            if self._count or not self._seen:
                self._seen = now
            elif now - self._seen > WAIT_FOR_WORKERS:
                raise no_worker_error(self._address)
        return max(1, self._count)


def connection_lost(address: str) -> ClusterError:
    """Return the error for a scheduler that has ended, or cannot be reached any more."""
    return ClusterError(f"The connection to the scheduler at {address} was lost.")


def run_tasks(client: Client, tasks: Iterator[Task], address: str, context: RunContext) -> Generator[Any, None, None]:
    """Yield the results of ``tasks`` as they come; all tasks are cancelled where the generator is closed early.

    Args:
        client: connected to the scheduler.
        tasks: taken when a worker is about to need them.
        address: of the scheduler, for messages.
        context: checked for cancellation.

    Raises:
        Cancelled: the run was cancelled.
        ClusterError: the connection was lost, or the workers that ran a task have ended again and again.
        TerraSporeError: a task failed.
    """
    done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    pending: dict[str, tuple[Task, Future[Any]]] = {}
    workers = _Workers(client, address)
    has_more = True
    try:
        while True:
            while has_more and len(pending) < _count_tasks(workers.count()):
                task = next(tasks, None)
                has_more = task is not None
                if task is not None:
                    pending[task.key] = (task, _submit(client, task, done))
            if not pending:
                return
            context.check_cancelled()
            workers.count()
            with suppress(queue.Empty):
                future = done.get(timeout=_POLL)
                key = str(future.key)
                result = _take_result(client, pending[key][0], future, address, context)
                del pending[key]
                workers.note_result()
                yield result
    finally:
        if pending:
            with suppress(OSError, RuntimeError, FutureCancelledError):  # the scheduler may be gone
                client.cancel([future for _, future in pending.values()], asynchronous=False, force=True)


def _count_tasks(workers: int) -> int:
    """Return how many tasks may be submitted at the same time."""
    return workers + -(-workers // _WORKERS_PER_WAITING_TASK)


def _submit(client: Client, task: Task, done: queue.SimpleQueue[Future[Any]]) -> Future[Any]:
    future = client.submit(
        task.function,
        *task.arguments,
        key=task.key,
        workers=task.workers,
        allow_other_workers=task.workers is not None,  # one that has ended would be waited for in vain
        resources=dict(task.resources) or None,
        retries=_RETRIES,
    )
    future.add_done_callback(done.put)
    return future


def _take_result(client: Client, task: Task, future: Future[Any], address: str, context: RunContext) -> Any:
    """Return the result of a task that is done; it is waited for again where the worker that had it has ended."""
    while True:
        context.check_cancelled()
        try:
            error = future.exception(timeout=_POLL)
        except TimeoutError:
            continue
        except (FutureCancelledError, OSError) as lost:
            raise connection_lost(address) from lost
        try:
            result = _fetch(client, future, context) if error is None else None
        except (FutureCancelledError, CancelledError, OSError) as lost:
            raise connection_lost(address) from lost
        if error is not None:
            raise _explain_failure(task, error) from error
        if isinstance(result, TerraSporeError):
            raise result
        return result


def _fetch(client: Client, future: Future[Any], context: RunContext) -> Any:
    """Fetch the result of a task; Dask's own limit of time would leave a fetch behind that the next one fails with."""
    loop: Any = client.loop
    fetched = asyncio.run_coroutine_threadsafe(client.gather(future, asynchronous=True), loop.asyncio_loop)
    while not wait([fetched], _POLL).done:
        context.check_cancelled()
    return fetched.result()


def _explain_failure(task: Task, error: BaseException) -> TerraSporeError:
    """Return the error to raise for what a task raised, or for what Dask says of it."""
    if isinstance(error, TerraSporeError):
        return error
    if isinstance(error, KilledWorker):
        return ClusterError(
            f"The workers that computed {task.title} ended {error.allowed_failures + 1} times, the last one was "
            f"{error.last_worker.address}; each may have had too little memory.",
            task.memory_hint,
        )
    return InferenceError(f"A worker failed at {task.title}: {first_line(Exception(str(error)))}.")
