"""One engine process: started, asked, watched, ended.

The process is ``terraspore serve``: it takes runs as JSON lines on its stdin and answers with events on its
stdout. When QGIS dies, its stdin ends and so does the process. Everything here blocks and belongs in a worker thread.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Callable

from ...engine.protocol.codec import (
    MAX_EVENT_BYTES,
    LineSplitter,
    ProtocolError,
    decode_event,
    encode_command,
    make_printable,
)
from ...engine.protocol.messages import (
    CancelCommand,
    Envelope,
    Event,
    Failure,
    Ping,
    Pong,
    Result,
    RunCommand,
)
from .errors import EngineCancelledError, EngineError, EngineMissingError, EngineProtocolError
from .exit_codes import exit_error

#: Longest request: what fits into a pipe's buffer, so that writing never waits for a process that hangs.
MAX_REQUEST_BYTES = 60_000
_POLL_SECONDS = 0.05
_STDERR_LINES = 100
#: Lines on stdout that are not the protocol before the process is taken for something else than the engine.
_MAX_FOREIGN_LINES = 500


@dataclass(frozen=True)
class Launch:
    """How the engine is started; two equal ones are the same engine.

    Attributes:
        command: program and arguments, up to and without the engine's sub-command.
        environment: all variables of the child.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Limits:
    """Seconds after which a process is taken for lost.

    Attributes:
        cancel: from the person's cancel until the process is ended by force.
        unresponsive: without any answer to a ping (a native library that hangs, a stopped process).
        stalled: alive, but without any event of the run.
    """

    cancel: float = 1.4
    unresponsive: float = 90.0
    stalled: float = 900.0


@dataclass(frozen=True)
class Listener:
    """Who hears what a run says: ``event`` for its events, ``log`` for lines of text. Called in the worker thread."""

    event: Callable[[Event], None] = lambda _event: None
    log: Callable[[str], None] = lambda _line: None


@dataclass
class _Watch:
    """Times of the last signs of life, in seconds of ``time.monotonic``."""

    answer: float
    progress: float
    ping: float
    cancel: float | None = None


@dataclass(eq=False)
class EngineProcess:
    """A running engine. Not shared between threads: one run at a time.

    Args:
        launch: how to start it.
        limits: when it is taken for lost.

    Raises:
        EngineMissingError: the program does not start.
    """

    launch: Launch
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._popen = _start(self.launch)
        self._items: queue.Queue[bytes | None] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._unlogged: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._foreign = 0
        self._threads = [
            threading.Thread(target=self._read_stdout, name="terraspore-stdout", daemon=True),
            threading.Thread(target=self._read_stderr, name="terraspore-stderr", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._popen.poll() is None

    def run(self, arguments: Sequence[str], listener: Listener, cancelled: Callable[[], bool]) -> Result:
        """Have the engine carry out one command and wait for its end.

        Args:
            arguments: the words of the command line behind ``terraspore``.
            listener: hears events and log lines meanwhile.
            cancelled: asked some twenty times a second.

        Returns:
            The engine's result.

        Raises:
            EngineCancelledError: ``cancelled`` said so; the run has ended within ``limits.cancel``.
            EngineProtocolError: the process does not speak the protocol; it was ended.
            EngineError: the engine failed, crashed, or was lost; the sentence says which.
        """
        number = next(self._numbers)
        self._send(RunCommand(number, tuple(arguments)))
        now = time.monotonic()
        watch = _Watch(answer=now, progress=now, ping=now)
        try:
            while True:
                self._pass_log(listener)
                self._check_cancel(number, watch, cancelled)
                envelope = self._next(listener)
                if envelope is None:
                    self._check_life(watch)
                    continue
                watch.answer = time.monotonic()
                if isinstance(envelope.event, Pong) or envelope.id not in (None, number):
                    continue
                watch.progress = watch.answer
                ending = _ending(envelope.event, cancelled=watch.cancel is not None)
                if ending is not None:
                    return ending
                listener.event(envelope.event)
        except EngineProtocolError:
            self.kill()
            raise
        finally:
            self._pass_log(listener)

    def close(self) -> None:
        """End the process: close its stdin and, where that does not do within a second, by force."""
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        try:
            self._popen.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the process and its children by force, now."""
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._popen.pid, signal.SIGKILL)
            else:
                self._popen.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=5.0)
        self._release()

    def _release(self) -> None:
        for thread in self._threads:
            thread.join(timeout=1.0)
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _send(self, command: RunCommand | CancelCommand | Ping) -> None:
        data = encode_command(command)
        if len(data) > MAX_REQUEST_BYTES:
            raise EngineError("The request to the engine is too long.", "Use shorter paths and fewer parameters.")
        stdin = self._popen.stdin
        try:
            if stdin is None or stdin.closed:
                raise BrokenPipeError
            stdin.write(data)
            stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _ended(self) -> EngineError:
        """The error for a process that has gone away."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=2.0)
        if self._popen.returncode is None:
            self.kill()
        self._threads[1].join(timeout=1.0)
        return exit_error(self._popen.returncode or 0, "\n".join(self._stderr))

    def _next(self, listener: Listener) -> Envelope | None:
        """The next event, or None where there was none for a moment."""
        try:
            item = self._items.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            return None
        if item is None:
            raise self._ended()
        try:
            envelope = decode_event(item)
        except ProtocolError as error:
            raise EngineProtocolError(
                f"The engine sent a message that is not valid and was stopped: {error}.",
                "Repair the engine in Settings > Options > TerraSpore.",
                code="ProtocolError",
            ) from error
        if envelope is None:
            self._foreign += 1
            if self._foreign > _MAX_FOREIGN_LINES:
                raise EngineProtocolError(
                    "The engine does not speak the machine protocol; it was stopped.",
                    "Repair the engine in Settings > Options > TerraSpore.",
                    code="ProtocolError",
                )
            listener.log(make_printable(item.decode("utf-8", "replace")))
        return envelope

    def _check_cancel(self, number: int, watch: _Watch, cancelled: Callable[[], bool]) -> None:
        if watch.cancel is None and cancelled():
            watch.cancel = time.monotonic()
            self._send(CancelCommand(number))
        if watch.cancel is not None and time.monotonic() - watch.cancel > self.limits.cancel:
            self.kill()
            raise EngineCancelledError("Cancelled; nothing was written.", code="Cancelled")

    def _check_life(self, watch: _Watch) -> None:
        now = time.monotonic()
        silent, stalled = now - watch.answer, now - watch.progress
        if silent > self.limits.unresponsive or stalled > self.limits.stalled:
            self.kill()
            seconds, what = (
                (self.limits.unresponsive, "did not answer")
                if silent > self.limits.unresponsive
                else (self.limits.stalled, "made no progress")
            )
            raise EngineError(
                f"The engine {what} for {seconds:.0f} seconds and was ended.",
                "Choose another device or runtime in Settings > Options > TerraSpore.",
                code="EngineHung",
                details="\n".join(self._stderr),
            )
        # One ping at a time, so that a process that does not read cannot fill the pipe.
        if watch.ping <= watch.answer and now - watch.answer > min(2.0, self.limits.unresponsive / 3):
            watch.ping = now
            self._send(Ping())

    def _pass_log(self, listener: Listener) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                listener.log(self._unlogged.get_nowait())

    def _read_stdout(self) -> None:
        splitter = LineSplitter(MAX_EVENT_BYTES)
        for chunk in _chunks(self._popen.stdout):
            for line in splitter.feed(chunk):
                self._items.put(line)
        self._items.put(None)

    def _read_stderr(self) -> None:
        rest = b""
        for chunk in _chunks(self._popen.stderr):
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-4000:]
            for line in lines:
                self._take_stderr(line)
        self._take_stderr(rest)

    def _take_stderr(self, line: bytes) -> None:
        text = make_printable(line.decode("utf-8", "replace")).strip()
        if text:
            self._stderr.append(text)
            if self._unlogged.qsize() < _MAX_FOREIGN_LINES:
                self._unlogged.put(text)


def _ending(event: Event, *, cancelled: bool) -> Result | None:
    """The result where ``event`` is one; an error where it is the end of a run that failed; else None."""
    if isinstance(event, Result):
        return event
    if isinstance(event, Failure):
        if cancelled or event.code == "Cancelled":
            raise EngineCancelledError(event.text, code="Cancelled")
        raise EngineError(event.text, event.hint, code=event.code)
    return None


def _chunks(stream: IO[bytes] | None) -> Any:
    """What can be read from ``stream``, as it comes."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        while True:
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                return
            yield chunk


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.CREATE_NO_WINDOW}
    try:
        # The program is the interpreter of the engine's environment; no shell is involved.
        return subprocess.Popen(  # nosec B603
            [*launch.command, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.environment),
            cwd=tempfile.gettempdir(),
            bufsize=0,
            **flags,
        )
    except OSError as error:
        raise EngineMissingError(
            f"The engine's interpreter {launch.command[0]} does not start: {error.strerror or error}.",
            "Repair or choose the engine's environment in Settings > Options > TerraSpore.",
            code="EngineMissing",
        ) from error
