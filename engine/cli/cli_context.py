"""What a command gets from its surroundings: streams, and where it was started by a server, reporter and sessions."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click

from ..concurrency import start_thread
from ..context import Cancellation, JsonReporter, Reporter, RunContext
from ..errors import Cancelled
from ..fs.atomic import run_abort_cleanups
from ..protocol.messages import Failure, Result

if TYPE_CHECKING:
    from ..runtimes.pool import SessionPool


@dataclass
class Services:
    """The surroundings of one command; click carries it as ``ctx.obj``.

    Attributes:
        network_factory: makes a MindSpore network by name (``training.networks.create_network``), or None
            where the training package is not there. The engine itself never imports it.
        stdout: where results go.
        stderr: where everything else for people goes.
        reporter: takes the events instead of the streams (set by ``serve``).
        cancellation: cancels the command instead of signals and stdin (set by ``serve``).
        owns_process: whether the process is the command's own, so that it may be ended where nothing else helps.
        sessions: the pool whose sessions outlive one command (set by ``serve``).
    """

    network_factory: Callable[..., Any] | None = None
    stdout: IO[str] = field(default_factory=lambda: sys.stdout)
    stderr: IO[str] = field(default_factory=lambda: sys.stderr)
    reporter: Reporter | None = None
    cancellation: Cancellation | None = None
    owns_process: bool = False
    sessions: SessionPool | None = None

    def session_pool(self, capacity: int = 0) -> SessionPool:
        """Return the server's pool; for a single command a new one.

        Args:
            capacity: sessions that a new pool keeps between two uses.
        """
        if self.sessions is not None:
            return self.sessions
        from ..runtimes.cache import default_cache_folder
        from ..runtimes.pool import SessionPool

        return SessionPool(capacity, cache=default_cache_folder(), network_factory=self.network_factory)


def current_services() -> Services:
    """The surroundings of the click command that is running; defaults where it was called on its own."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Services) if context else None
    return found or Services()


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Speak the machine protocol: one JSON object a line."
)
#: Seconds from a cancel until a process whose run does not come to an end (a model is being loaded, a driver hangs)
#: is ended as it is.
STOP_GRACE = 1.0
_POLL = 0.05


def run_reported(as_json: bool, command: Callable[[RunContext], Result], grace: float = STOP_GRACE) -> None:
    """Run ``command`` with the context of a run, and report its result.

    Args:
        as_json: machine protocol on stdout instead of a progress bar.
        command: takes the context and returns the last event.
        grace: seconds that the command may take to end once it is cancelled; training has a state to save.

    Raises:
        TerraSporeError: whatever ``command`` raises; ``engine.cli.main.run`` turns it into the error event.
    """
    services = current_services()
    cancellation = services.cancellation or Cancellation()
    if services.reporter is not None:
        with stop_watch(cancellation, services.reporter, services, grace):
            services.reporter.emit(command(RunContext(services.reporter, cancellation)))
        return
    with ExitStack() as stack:
        stack.enter_context(_signals(cancellation))
        reporter = stack.enter_context(_reporter(as_json, services))
        if as_json:
            stack.enter_context(stdin_watch(cancellation))
        stack.enter_context(stop_watch(cancellation, reporter, services, grace))
        reporter.emit(command(RunContext(reporter, cancellation)))


@contextmanager
def _reporter(as_json: bool, services: Services) -> Iterator[Reporter]:
    if as_json:
        with private_stdout(services.stdout) as stream:
            yield JsonReporter(stream)
        return
    from .console import ConsoleReporter

    with ConsoleReporter(services.stdout, services.stderr) as reporter:
        yield reporter


@contextmanager
def private_stdout(stream: IO[str]) -> Iterator[IO[str]]:
    """Keep ``stream`` for the caller alone: what native libraries print on descriptor 1 goes to stderr meanwhile.

    Yields:
        A stream to what was stdout; ``stream`` itself where it is not the process's descriptor 1.
    """
    if _descriptor(stream) != 1 or _descriptor(sys.stderr) != 2:
        yield stream
        return
    stream.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "w", encoding="utf-8", closefd=False) as private:
            yield private
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _signals(cancellation: Cancellation) -> Iterator[None]:
    """SIGINT and SIGTERM cancel once; the second time they act as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        """Cancel, and act as usual the next time."""
        cancellation.cancel()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _signal_watch(cancellation):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _signal_watch(cancellation: Cancellation) -> Iterator[None]:
    """Cancel at a signal at once, also while the main thread, which runs Python's handlers, is in native code."""
    taken, given = socket.socketpair()
    given.setblocking(False)
    before = signal.set_wakeup_fd(given.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        """Cancel at the first signal."""
        if taken.recv(1) not in (b"", b"\0"):  # the number of the signal; 0 is the end of the block
            cancellation.cancel()

    thread = start_thread(threading.Thread(target=watch, name="signal-watch", daemon=True))
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        with suppress(OSError):
            given.send(b"\0")
        thread.join()
        taken.close()
        given.close()


@contextmanager
def stop_watch(
    cancellation: Cancellation, reporter: Reporter, services: Services, grace: float = STOP_GRACE
) -> Iterator[None]:
    """See to it that a cancelled run is over after ``grace`` seconds, also where it hangs in native code.

    Its unfinished files are removed, the error event is sent, and the process ends, if it is the command's own.
    """
    if not services.owns_process:
        yield
        return
    finished = threading.Event()

    def watch() -> None:
        """End the process where it does not end in time."""
        while not cancellation.requested:
            if finished.wait(_POLL):
                return
        if not finished.wait(grace):
            run_abort_cleanups()
            failure = Failure.from_error(Cancelled("Cancelled; nothing was written."))
            reporter.emit(failure)
            os._exit(failure.exit_code)

    start_thread(threading.Thread(target=watch, name="stop-watch", daemon=True))
    try:
        yield
    finally:
        finished.set()


@contextmanager
def stdin_watch(cancellation: Cancellation) -> Iterator[None]:
    """Stop when stdin ends, which says that the parent has closed it or is gone; what can be resumed is kept.

    Only a pipe or a socket is watched: ``/dev/null`` and files end at once and mean nothing.
    """
    if not _is_pipe(sys.stdin):
        yield
        return
    finished = threading.Event()

    def watch() -> None:
        """Cancel at the end of stdin."""
        while os.read(0, 4096):
            pass
        if not finished.is_set():
            cancellation.abandon()

    start_thread(threading.Thread(target=watch, name="stdin-watch", daemon=True))
    try:
        yield
    finally:
        finished.set()


def _descriptor(stream: IO[str] | None) -> int | None:
    """The file descriptor of ``stream``, or None where it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def _is_pipe(stream: IO[str] | None) -> bool:
    descriptor = _descriptor(stream)
    if descriptor != 0:
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
