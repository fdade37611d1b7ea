"""Situations that people reported of programs like this one, as rows of tables.

Each ``test_<topic>.py`` of this folder has a table ``SITUATIONS``; a row says in one line what a person has and does,
how the input is made, and what the right outcome is. A new situation is a new row::

    Situation(
        "a land-cover raster with the codes 10 to 100 and no palette",
        make=lambda folder: ("vectorize", write_raster(folder / "a.tif", codes()), "-o", folder / "a.gpkg"),
        says="classes",
        check=lambda outcome: outcome.summary["polygons"] == 3,
    )

The commands run in this process, so a situation takes a fraction of a second. What needs processes, signals or
MindSpore is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import run_events


@dataclass(frozen=True)
class Outcome:
    """What a command gave.

    Attributes:
        code: the exit code.
        events: its JSON events; the last one is the result or the error.
        folder: where its files are.
    """

    code: int
    events: list[dict[str, Any]]
    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        """Values of the result by name."""
        return self.events[-1]["summary"]

    @property
    def warnings(self) -> list[str]:
        """Warnings of the result."""
        return self.events[-1]["warnings"]

    @property
    def sentences(self) -> str:
        """Every sentence that a person sees, one a line."""
        names = ("text", "hint", "reason")
        return "\n".join(str(event[name]) for event in self.events for name in names if event.get(name))


@dataclass(frozen=True)
class Situation:
    """One situation.

    Attributes:
        name: what a person has and does, in one line; the test's id.
        make: writes the input to an empty folder and returns the arguments after ``terraspore``; paths are made texts.
        code: the right exit code.
        says: texts that the sentences shown to the person contain, whatever their case.
        never_says: texts that they do not contain.
        check: returns whether the outcome is right; it may also use ``assert``.
        report: where it was reported, as ``owner/repository#number``; empty if found otherwise.
    """

    name: str
    make: Callable[[Path], Sequence[object]]
    code: int = 0
    says: str | tuple[str, ...] = ()
    never_says: str | tuple[str, ...] = ()
    check: Callable[[Outcome], bool | None] | None = None
    report: str = ""


def each(situations: Sequence[Situation]) -> pytest.MarkDecorator:
    """Make a test's parameter ``situation`` run over a table."""
    return pytest.mark.parametrize("situation", situations, ids=[situation.name for situation in situations])


def run_situation(situation: Situation, folder: Path) -> None:
    """Make the input in ``folder``, run the command, and compare its outcome with the right one."""
    outcome = run_command(situation.make(folder), folder)
    sentences = outcome.sentences
    assert outcome.code == situation.code, sentences
    for text in _as_tuple(situation.says):
        assert text.lower() in sentences.lower(), sentences
    for text in _as_tuple(situation.never_says):
        assert text.lower() not in sentences.lower(), sentences
    assert "a fault of the program" not in sentences.lower(), sentences
    if situation.check is not None:
        assert situation.check(outcome) in (None, True), outcome.events[-1]


def run_command(arguments: Sequence[object], folder: Path) -> Outcome:
    """Run one command line with the machine protocol."""
    code, events = run_events(*arguments)
    return Outcome(code, events, folder)


def _as_tuple(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts
