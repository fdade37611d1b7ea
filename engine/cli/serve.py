"""``terraspore serve``: commands as JSON lines on stdin, their events as JSON lines on stdout.

    {"type": "run", "id": 1, "arguments": ["extract", "roads", "image.tif", "-o", "roads.gpkg"]}
    {"type": "cancel", "id": 1}
    {"type": "ping"}

Runs are executed one after the other; each ends with one ``result`` or ``error`` which carries its ``id``; after that
the ``id`` is free. Models stay loaded between them. Pings and cancels are answered at once; if a run does not end soon
after its cancel, those which wait are answered with an error, and the process is ended. The end of stdin cancels all
runs and ends the process; unfinished runs can be resumed.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO

import click

from ..concurrency import start_thread
from ..context import CallbackReporter, Cancellation, write_line
from ..errors import ParameterError, StreamError
from ..protocol.codec import MAX_COMMAND_BYTES, ProtocolError, decode_command, encode_envelope, read_lines
from ..protocol.messages import CancelCommand, Envelope, Event, Failure, Ping, Pong, Result, RunCommand, UnknownCommand
from .cli_context import STOP_GRACE, CliContext, current_cli_context, reserve_stdout

#: Runs that may wait at a time.
MAX_QUEUED = 1000
#: Models that stay loaded; the least recently used is closed first.
MAX_SESSIONS = 2


@dataclass(frozen=True)
class QueuedRun:
    """A command line with the number of its run and its own cancellation."""

    id: int
    arguments: tuple[str, ...]
    cancellation: Cancellation = field(default_factory=Cancellation)


class Server:
    """Receives commands in one thread and executes the runs among them in another.

    Args:
        stream: for the events.
        cli_context: the context of every run, with the pool of sessions that runs share.

    Attributes:
        error: why events cannot be written any more; then all runs end.
    """

    def __init__(self, stream: IO[str], cli_context: CliContext) -> None:
        self._stream, self._cli_context = stream, cli_context
        self._queue: queue.Queue[QueuedRun | None] = queue.Queue()
        #: Runs which wait or are executed.
        self._unfinished: dict[int, QueuedRun] = {}
        #: Held while an event is written, so that the client knows of an end before its id is free.
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self.error: StreamError | None = None

    def handle_line(self, line: bytes) -> None:
        """Execute the command in one line of input, or answer with an error."""
        try:
            command = decode_command(line)
            if isinstance(command, RunCommand):
                self._enqueue(command)
        except ProtocolError as error:
            self._write(Failure("ProtocolError", f"A line was not understood: {error}.", exit_code=2), None)
            return
        if isinstance(command, Ping):
            self._write(Pong(), command.id)
        elif isinstance(command, CancelCommand):
            with self._lock:
                run = self._unfinished.get(command.id)
            if run is not None:
                run.cancellation.cancel()
        elif isinstance(command, UnknownCommand):
            sys.stderr.write(f"A message of the unknown type {command.type} was ignored.\n")
            sys.stderr.flush()

    def report(self, event: Event, run: QueuedRun) -> None:
        """Write an event of ``run``; nothing after its end."""
        with self._lock:
            if self._unfinished.get(run.id) is not run:
                return
            if isinstance(event, Result | Failure):
                del self._unfinished[run.id]
            self._write(event, run.id)

    def _write(self, event: Event, number: int | None) -> None:
        """Write an event; if that fails, nobody can be told, and the server ends."""
        with self._lock:
            try:
                write_line(self._stream, encode_envelope(Envelope(event, number)))
            except StreamError as error:
                self.error = self.error or error
                self.stop()

    def end_process(self, code: int) -> None:
        """Answer the runs that wait, and end the process although a cancelled run hangs."""
        failure = Failure("EngineEnded", "The engine was ended because a cancelled run did not stop; start it again.")
        for run in list(self._unfinished.values()):
            self.report(failure, run)
        os._exit(code)

    def _enqueue(self, command: RunCommand) -> None:
        """Add a run to the queue.

        Raises:
            ProtocolError: its id is in use.
        """
        run = QueuedRun(command.id, command.arguments)
        with self._lock:
            if run.id in self._unfinished:
                raise ProtocolError(f"the run with the id {run.id} has not ended")
            if len(self._unfinished) >= MAX_QUEUED:
                text = f"More than {MAX_QUEUED} runs would wait."
                self._write(Failure("ProtocolError", text, exit_code=2), run.id)
                return
            self._unfinished[run.id] = run
        self._queue.put(run)

    def stop(self) -> None:
        """Cancel every run, keeping what can be resumed, and let ``execute_runs`` return."""
        with self._lock:
            self._stopped.set()
            for run in self._unfinished.values():
                run.cancellation.abandon()
            self._queue.put(None)

    def execute_runs(self, group: click.Group) -> None:
        """Execute the runs, one after the other, until ``stop`` is called.

        Args:
            group: the command line's commands.
        """
        from .main import run_group

        while (run := self._queue.get()) is not None and not self._stopped.is_set():
            reporter = CallbackReporter(partial(self.report, run=run))
            end_process = self.end_process if self._cli_context.end_process else None
            cli_context = replace(
                self._cli_context, reporter=reporter, cancellation=run.cancellation, end_process=end_process
            )
            run_group(group, run.arguments, cli_context)
            self.report(Failure("InternalError", "The run ended without a result."), run)  # where it did not say more


@click.command()
def serve() -> None:
    """Take commands as JSON lines on stdin and keep models loaded between them."""
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    cli_context = current_cli_context()
    if cli_context.reporter is not None:
        raise ParameterError("`serve` cannot be run by `serve`.")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_done = threading.Event()
    with reserve_stdout(cli_context.stdout) as stream:
        try:
            with cli_context.session_pool(MAX_SESSIONS) as sessions:
                server = Server(stream, replace(cli_context, sessions=sessions))
                reader = threading.Thread(target=_read_stdin, args=(server, is_done), name="serve-stdin", daemon=True)
                start_thread(reader)
                server.execute_runs(group)
        finally:
            is_done.set()
    if server.error is not None:
        raise server.error


def _read_stdin(server: Server, is_done: threading.Event) -> None:
    """Pass the lines of stdin to ``server``. When stdin ends, stop it, and end the process if it does not stop."""
    # Not sys.stdin: a thread that waits in it would hinder the interpreter's end.
    for line in read_lines(open(sys.stdin.fileno(), "rb", closefd=False), MAX_COMMAND_BYTES):  # noqa: SIM115
        server.handle_line(line)
    server.stop()
    if not is_done.wait(2 * STOP_GRACE):
        os._exit(3)  # native code hangs, and the parent is gone
