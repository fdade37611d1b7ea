"""What a run says while it goes on: events, reporters and cancellation.

The events are the machine protocol (see docs/architecture.md): one JSON object a line. A ``Reporter`` takes
events; pipelines know no other way to speak. A ``Cancellation`` is asked between units of work.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ..errors import TerraSporeError

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
