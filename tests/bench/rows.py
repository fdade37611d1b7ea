"""Rows of results: what was measured, beside what it should be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

FOLDER = Path("out/bench")


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: what was measured.
        unit: of ``measured`` and ``goal``.
        measured: the figure.
        goal: what it should be at most, or at least; None where there is no aim.
        ratio: ``measured`` against what it is compared with; None where it is compared with nothing.
        note: what it was compared with, or why an aim is missed.
        series: the line of the plot that it belongs to; empty for none.
        x: its place on that line.
        met: whether the goal is reached; None without a goal.
        at_least: whether the goal is a lower limit.
    """

    name: str
    unit: str
    measured: float
    goal: float | None = None
    ratio: float | None = None
    note: str = ""
    series: str = ""
    x: float = 0.0
    met: bool | None = None
    at_least: bool = False


def judged(row: Row) -> Row:
    """The row with ``met`` set by its goal."""
    if row.goal is None:
        return row
    return replace(row, met=row.measured >= row.goal if row.at_least else row.measured <= row.goal)


def show(row: Row) -> Row:
    """Print a row as soon as it is there, and return it judged."""
    row = judged(row)
    state = "" if row.met is None else "  ok" if row.met else "  MISSED"
    goal = "" if row.goal is None else f" (aim {'at least ' if row.at_least else ''}{row.goal:g})"
    print(f"  {row.name:<62} {row.measured:9.3f} {row.unit}{goal}{state}  {row.note}", flush=True)
    return row


def write_rows(part: str, rows: list[Row]) -> None:
    """Keep the rows of a part of the benchmark where ``report.py`` finds them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    (FOLDER / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def read_rows(part: str) -> list[Row]:
    """The rows of a part; none where it was not measured."""
    path = FOLDER / f"{part}.json"
    if not path.exists():
        return []
    known = {field.name for field in fields(Row)}
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**{key: value for key, value in entry.items() if key in known}) for entry in entries]
