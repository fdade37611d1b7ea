"""``terraspore serve``: commands as JSON lines on stdin, their events as JSON lines on stdout.

    {"type": "run", "id": 1, "arguments": ["extract", "roads", "image.tif", "-o", "roads.gpkg"]}
    {"type": "cancel", "id": 1}
    {"type": "ping"}

Runs go one after the other; each ends with one ``result`` or ``error`` that carries its ``id``. Models stay loaded
between them. Pings and cancels are answered at once; a run that is not over soon after its cancel ends the process.
The end of stdin stops everything and ends the process; unfinished runs can be resumed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import click

from ..concurrency import start_thread
from ..context import Cancellation
from ..protocol.commands import MAX_LINE, CancelMessage, PingMessage, RunMessage, UnknownMessage, parse_message
from ..protocol.messages import Event, Failure, to_json
from .cli_context import STOP_GRACE, Services, current_services, private_stdout
from .sessions import close_sessions

#: Runs that may wait at a time.
MAX_WAITING = 1000


@dataclass(frozen=True)
class Run:
    """One command: its number, its words, and its own cancellation."""

    id: int
    arguments: tuple[str, ...]
    cancellation: Cancellation = field(default_factory=Cancellation)


class Channel:
    """Writes events with the number of their run, from any thread."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, values: Mapping[str, Any]) -> None:
        """Write one object as one line."""
        with self._lock:
            self._stream.write(json.dumps(values, ensure_ascii=True, allow_nan=False) + "\n")
            self._stream.flush()

    def emit_for(self, run: int | None, event: Event) -> None:
        """Write ``event`` of run number ``run``."""
        self.send({**json.loads(to_json(event)), "id": run})


@dataclass(frozen=True)
class RunReporter:
    """The reporter of one run."""

    channel: Channel
    run: int

    def emit(self, event: Event) -> None:
        """Send ``event``."""
        self.channel.emit_for(self.run, event)


class Server:
    """Takes lines, keeps the runs that wait, and runs them.

    Args:
        channel: where events go.
        services: the surroundings of every run.
    """

    def __init__(self, channel: Channel, services: Services) -> None:
        self._channel, self._services = channel, services
        self._waiting: queue.Queue[Run | None] = queue.Queue()
        self._open: dict[int, Run] = {}
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def take(self, line: bytes) -> None:
        """Act on one line of input, or answer with an error."""
        try:
            message = parse_message(line)
            if isinstance(message, RunMessage):
                self._start(message)
        except ValueError as error:
            self._channel.emit_for(None, Failure("ProtocolError", f"A line was not understood: {error}.", exit_code=2))
            return
        if isinstance(message, PingMessage):
            self._channel.send({"type": "pong", "id": message.id})
        elif isinstance(message, CancelMessage):
            self._cancel(message.id)
        elif isinstance(message, UnknownMessage):
            sys.stderr.write(f"A message of the unknown type {message.type} was passed over.\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Stop everything, because nobody listens any more, and let ``work`` return."""
        self.ended.set()
        with self._lock:
            for run in self._open.values():
                run.cancellation.abandon()
        self._waiting.put(None)

    def work(self, group: click.Group) -> None:
        """Run what comes, one after the other, until ``end`` is called."""
        from .main import run_group

        while (run := self._waiting.get()) is not None:
            if self.ended.is_set():
                break
            services = Services(
                network_factory=self._services.network_factory,
                reporter=RunReporter(self._channel, run.id),
                cancellation=run.cancellation,
                owns_process=self._services.owns_process,
                sessions=self._services.sessions,
            )
            run_group(group, run.arguments, services)
            with self._lock:
                self._open.pop(run.id, None)

    def _start(self, message: RunMessage) -> None:
        """Put a run behind those that wait; ValueError where that cannot be."""
        run = Run(message.id, message.arguments)
        with self._lock:
            if run.id in self._open:
                raise ValueError("there is a run with its id already")
            if len(self._open) >= MAX_WAITING:
                raise ValueError(f"more than {MAX_WAITING} runs would wait")
            self._open[run.id] = run
        self._waiting.put(run)

    def _cancel(self, number: int) -> None:
        with self._lock:
            run = self._open.get(number)
        if run is not None:
            run.cancellation.cancel()


@click.command()
def serve() -> None:
    """Take commands as JSON lines on stdin and keep models loaded between them."""
    group = click.get_current_context().find_root().command
    assert isinstance(group, click.Group)
    services = current_services()
    services.sessions = {}
    with private_stdout(services.stdout) as stream:
        server = Server(Channel(stream), services)
        done = threading.Event()
        start_thread(threading.Thread(target=_read, args=(server, done), name="serve-stdin", daemon=True))
        try:
            server.work(group)
        finally:
            close_sessions(services.sessions, len(services.sessions))
            done.set()


def _read(server: Server, done: threading.Event) -> None:
    """Feed ``server`` with stdin until that ends, then see to it that the process ends as well."""
    for line in _lines(sys.stdin.fileno()):
        server.take(line)
    server.end()
    if not done.wait(2 * STOP_GRACE):
        os._exit(3)  # something hangs in native code, and nobody is left to wait for it


def _lines(descriptor: int) -> Iterator[bytes]:
    """Lines of a descriptor without their ends; one that is too long is cut, and so not understood."""
    rest = b""
    while chunk := os.read(descriptor, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
        rest = rest[: MAX_LINE + 1]
    if rest.strip():
        yield rest
