"""The messages of the machine protocol: commands to the engine, and events from it (see docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Union, get_args

if TYPE_CHECKING:
    from ..errors import TerraSporeError

Stage = Literal["read", "infer", "vectorize", "write", "prepare", "images"]
State = Literal["done", "skipped", "failed"]
STATES: tuple[State, ...] = get_args(State)
Level = Literal["info", "warning"]
SummaryValue = Union[float, int, str, None]


@dataclass(frozen=True)
class RunCommand:
    """Run a command line.

    Attributes:
        id: number of the run; its events carry the same.
        arguments: the arguments after ``terraspore``.
    """

    type: ClassVar[str] = "run"
    id: int
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class CancelCommand:
    """Cancel a run that waits or is running."""

    type: ClassVar[str] = "cancel"
    id: int


@dataclass(frozen=True)
class Ping:
    """Ask for a ``Pong``, which shows that the process responds."""

    type: ClassVar[str] = "ping"
    id: int | None = None


@dataclass(frozen=True)
class UnknownCommand:
    """A command of a type that this version does not know; it is ignored."""

    type: str


Command = Union[RunCommand, CancelCommand, Ping, UnknownCommand]


@dataclass(frozen=True)
class Plan:
    """What a run is going to do, sent before the first tile.

    Attributes:
        tiles: number of tiles.
        width: columns of the grid that is computed.
        height: rows of the grid that is computed.
        resolution: ground resolution of the grid in m per pixel.
        tile: edge of a tile in pixels.
        overlap: overlap of neighbouring tiles in pixels.
        model: name of the model.
        runtime: name of the runtime.
        device: name of the device.
        reason: why this runtime and device were chosen.
        memory_bytes: estimated peak memory.
        seconds: estimated duration; None where it is not known.
    """

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
    """Progress of a stage.

    Attributes:
        stage: what is being done.
        done: finished units, at most ``total``.
        total: all units.
        rate: units per second.
        eta: estimated seconds to the end of the stage.
    """

    type: ClassVar[str] = "progress"
    stage: Stage
    done: int
    total: int
    rate: float | None = None
    eta: float | None = None


@dataclass(frozen=True)
class Message:
    """A remark for the user."""

    type: ClassVar[str] = "message"
    text: str
    level: Level = "info"


@dataclass(frozen=True)
class ImageOutcome:
    """What became of one image of a batch.

    Attributes:
        image: the file.
        state: ``done``, ``skipped`` (its output was there already) or ``failed``.
        output: its main output.
        text: what was found, or why it failed, in one sentence.
        seconds: duration.
    """

    image: str
    state: State
    output: str
    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """The end of a run that succeeded, or of a batch.

    Attributes:
        outputs: paths of the written files by role (``vectors``, ``probability``, ...).
        summary: values by name, for programs.
        text: the same for people, in one sentence.
        seconds: duration of the run; set at its end unless given.
        warnings: why the result may not be what was meant, a sentence each.
        images: of a batch, one entry for each image.
        exit_code: exit code of the command line: 0, or 4 if images of a batch failed.
    """

    type: ClassVar[str] = "result"
    outputs: Mapping[str, str]
    summary: Mapping[str, SummaryValue]
    text: str
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    images: tuple[ImageOutcome, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True)
class Failure:
    """The end of a run that failed or was cancelled.

    Attributes:
        code: stable name of the error: an exception of ``engine.errors``, ``UsageError`` or ``InternalError``.
        text: one sentence for people: what is wrong, with which file or value.
        hint: what to do about it.
        exit_code: exit code of the command line for this error.
    """

    type: ClassVar[str] = "error"
    code: str
    text: str
    hint: str | None = None
    exit_code: int = 1

    @classmethod
    def from_error(cls, error: TerraSporeError) -> Failure:
        """Make the event for ``error``."""
        return cls(code=error.code, text=error.text, hint=error.hint, exit_code=error.exit_code)

    @property
    def sentence(self) -> str:
        """The text and, behind it, the hint."""
        return f"{self.text} {self.hint}" if self.hint else self.text


@dataclass(frozen=True)
class Pong:
    """The answer to a ``Ping``; its envelope carries the ping's id."""

    type: ClassVar[str] = "pong"


Event = Union[Plan, Progress, Message, Result, Failure, Pong]


@dataclass(frozen=True)
class Envelope:
    """An event and the id of its run (or ping); None for an event that belongs to none."""

    event: Event
    id: int | None
