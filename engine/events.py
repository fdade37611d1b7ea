"""What a run says while it goes on: events, reporters and cancellation.

The events are the machine protocol (see docs/architecture.md): one JSON object a line. A ``Reporter`` takes
events; pipelines know no other way to speak. A ``Cancellation`` is asked between units of work.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar, Literal, Protocol

from .errors import Cancelled, TerraSporeError

Stage = Literal["read", "infer", "vectorize", "write"]


@dataclass(frozen=True)
class Plan:
    """What a run is going to do, said before it begins."""

    type: ClassVar[str] = "plan"
    tiles: int
    width: int
    height: int
    resolution: float
    tile: int
    overlap: int
    model: str
    runtime: str
    device: str
    reason: str
    memory_bytes: int
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a stage is; ``rate`` in units per second, ``eta`` in seconds."""

    type: ClassVar[str] = "progress"
    stage: Stage
    done: int
    total: int
    rate: float | None = None
    eta: float | None = None


@dataclass(frozen=True)
class Message:
    """A remark for the person."""

    type: ClassVar[str] = "message"
    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True)
class Result:
    """The end of a run that succeeded: files by role, and figures."""

    type: ClassVar[str] = "result"
    outputs: dict[str, str]
    summary: dict[str, float | int | str | None]
    seconds: float
    text: str


@dataclass(frozen=True)
class Failure:
    """The end of a run that did not succeed."""

    type: ClassVar[str] = "error"
    code: str
    text: str
    hint: str | None = None
    exit_code: int = 1

    @classmethod
    def of(cls, error: TerraSporeError) -> Failure:
        """The event that tells of ``error``."""
        return cls(code=error.code, text=error.text, hint=error.hint, exit_code=error.exit_code)


Event = Plan | Progress | Message | Result | Failure


def to_json(event: Event) -> str:
    """One line of the machine protocol for ``event`` (without the newline)."""
    values = {"type": event.type, **dataclasses.asdict(event)}
    return json.dumps(values, ensure_ascii=True, allow_nan=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not part of the machine protocol")


class Reporter(Protocol):
    """Takes the events of a run. Called from one thread at a time."""

    def emit(self, event: Event) -> None:
        """Take one event."""


class SilentReporter:
    """Takes events and drops them: for use as a library."""

    def emit(self, event: Event) -> None:
        """Drop ``event``."""


@dataclass
class RecordingReporter:
    """Keeps events in a list: for tests and notebooks."""

    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Keep ``event``."""
        self.events.append(event)


class JsonReporter:
    """Writes each event as one JSON line and flushes it, so that a reader on a pipe sees it at once."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write ``event`` as one line."""
        line = to_json(event) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


class Cancellation:
    """A flag that another thread or a signal sets and that work asks for between its units."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._abandoned = False

    def cancel(self) -> None:
        """Ask the run to stop; nothing of it is wanted any more."""
        self._event.set()

    def abandon(self) -> None:
        """Ask the run to stop, because who waited for it is gone; what can be resumed is kept."""
        self._abandoned = not self._event.is_set()
        self._event.set()

    @property
    def abandoned(self) -> bool:
        """Whether the run is to stop without that anybody cancelled it."""
        return self._abandoned

    @property
    def requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if somebody asked the run to stop."""
        if self._event.is_set():
            raise Cancelled("Cancelled; nothing was written.")
