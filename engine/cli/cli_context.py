"""The context of a command: its streams, its reporter and cancellation, and the sessions of a server."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

import click

from ..concurrency import start_thread
from ..context import SLOW_AFTER, Cancellation, JsonReporter, Reporter, RunContext
from ..errors import Cancelled
from ..fs.atomic import run_abort_cleanups
from ..protocol.messages import Failure, Result

if TYPE_CHECKING:
    from ..runtimes.pool import SessionPool


@dataclass
class CliContext:
    """The context of one command line; click carries it as ``ctx.obj``.

    Attributes:
        network_factory: makes a MindSpore network by name (``training.networks.create_network``), or None
            where the training package is not there. The engine itself never imports it.
        stdout: receives results.
        stderr: receives progress, messages and errors.
        reporter: receives the events instead of the streams (set by ``serve``).
        cancellation: cancels the command instead of signals and stdin (set by ``serve``).
        end_process: ends the process with an exit code although a command hangs; None where that is not allowed.
        watches_stdin: whether the end of stdin ends the command (``--watch-stdin``).
        sessions: the pool whose sessions outlive one command (set by ``serve``).
        slow_after: see ``RunContext``.
    """

    network_factory: Callable[..., Any] | None = None
    stdout: IO[str] = field(default_factory=lambda: sys.stdout)
    stderr: IO[str] = field(default_factory=lambda: sys.stderr)
    reporter: Reporter | None = None
    cancellation: Cancellation | None = None
    end_process: Callable[[int], object] | None = None
    watches_stdin: bool = False
    sessions: SessionPool | None = None
    slow_after: float = SLOW_AFTER

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


def current_cli_context() -> CliContext:
    """Return the context of the running click command; a default one outside of a command line."""
    context = click.get_current_context(silent=True)
    found = context.find_object(CliContext) if context else None
    return found or CliContext()


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` (``as_json``) and ``--watch-stdin``, which only ``run_command`` sees."""

    def remember(context: click.Context, _parameter: click.Parameter, is_watched: bool) -> None:
        """Note in the command's context whether stdin is watched."""
        if cli_context := context.find_object(CliContext):
            cli_context.watches_stdin = is_watched

    text = "Stop when stdin ends, because the program that started this one has ended."
    command = click.option("--watch-stdin", is_flag=True, expose_value=False, callback=remember, help=text)(command)
    text = "Speak the machine protocol: one JSON object a line."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def reports_result(function: Callable[..., Result]) -> Callable[..., None]:
    """Make the function of a click command of one that takes the context of its run first and returns the result.

    It has the options of ``json_option``.
    """

    @json_option
    @functools.wraps(function)
    def run(as_json: bool, **values: Any) -> None:
        grace = CLUSTER_GRACE if values.get("cluster") else STOP_GRACE
        run_command(as_json, lambda context: function(context, **values), grace)

    return run


#: Seconds after a cancel until the process is ended although its run has not returned (a driver hangs), and where it
#: has processes of its own to end.
STOP_GRACE, CLUSTER_GRACE = 1.0, 5.0
_POLL = 0.05


def run_command(as_json: bool, command: Callable[[RunContext], Result], grace: float = STOP_GRACE) -> None:
    """Run ``command`` with the context of a run, and report its result.

    Args:
        as_json: machine protocol on stdout instead of a progress bar.
        command: takes the context and returns the result, to which duration and warnings of the run are added.
        grace: seconds that the command may take to end once it is cancelled; training has a state to save.

    Raises:
        TerraSporeError: whatever ``command`` raises; ``engine.cli.main.run`` turns it into the error event.
    """
    cli_context = current_cli_context()
    cancellation, reporter = cli_context.cancellation or Cancellation(), cli_context.reporter
    with ExitStack() as stack:
        if reporter is None:
            stack.enter_context(_cancel_on_signals(cancellation))
            if as_json:
                reporter = JsonReporter(stack.enter_context(reserve_stdout(cli_context.stdout)))
            else:
                from .console import ConsoleReporter

                reporter = stack.enter_context(ConsoleReporter(cli_context.stdout, cli_context.stderr))
            if cli_context.watches_stdin:
                stack.enter_context(cancel_when_stdin_closes(cancellation))
        context = RunContext(reporter, cancellation, slow_after=cli_context.slow_after)
        start = context.clock()
        with end_after_grace(cancellation, reporter, cli_context, grace):
            result = command(context)
        seconds = result.seconds or context.clock() - start
        reporter.emit(replace(result, seconds=seconds, warnings=tuple(context.warnings)))
    if result.exit_code:
        raise click.exceptions.Exit(result.exit_code)


@contextmanager
def reserve_stdout(stream: IO[str]) -> Iterator[IO[str]]:
    """Redirect descriptor 1 to stderr, so that output of native libraries does not mix with ``stream``.

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
def _cancel_on_signals(cancellation: Cancellation) -> Iterator[None]:
    """Cancel at the first SIGINT or SIGTERM; the second one acts as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        """Cancel, and act as usual the next time."""
        cancellation.cancel()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _cancel_at_wakeup(cancellation):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _cancel_at_wakeup(cancellation: Cancellation) -> Iterator[None]:
    """Cancel at a signal even while the main thread, which runs Python's handlers, is in native code."""
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
def end_after_grace(
    cancellation: Cancellation, reporter: Reporter, cli_context: CliContext, grace: float = STOP_GRACE
) -> Iterator[None]:
    """End the process ``grace`` seconds after a cancel if the run has not returned, because native code may hang.

    Its unfinished files are removed and the error event is sent first. Nothing is done where ``cli_context`` has no
    ``end_process``.
    """
    end_process = cli_context.end_process
    if end_process is None:
        yield
        return
    finished, turn = threading.Event(), threading.Lock()

    def watch() -> None:
        """Wait for the cancel, then for the end of the run."""
        while not cancellation.requested:
            if finished.wait(_POLL):
                return
        if not finished.wait(grace) and turn.acquire(blocking=False):
            run_abort_cleanups()
            failure = Failure.from_error(Cancelled(cancellation.message))
            reporter.emit(failure)
            end_process(failure.exit_code)

    start_thread(threading.Thread(target=watch, name="stop-watch", daemon=True))
    try:
        yield
    finally:
        finished.set()
        turn.acquire()  # for ever where the process is being ended, so that a run has one end


@contextmanager
def cancel_when_stdin_closes(cancellation: Cancellation) -> Iterator[None]:
    """Abandon the run when stdin ends, because the parent process is gone; its journal is kept."""
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
    """Return the file descriptor of ``stream``; None where it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None
