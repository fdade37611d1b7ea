"""Rows of results: a measurement and its aim."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

FOLDER = Path("out/bench")


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        name: what was measured.
        unit: of ``measured`` and ``goal``.
        measured: the value.
        goal: upper limit, or lower limit if ``at_least``; None if there is no aim.
        ratio: ``measured`` relative to a reference; None without a reference.
        note: the reference, or the reason for a missed aim.
        series: name of its line in the plot; empty for none.
        x: its position on that line.
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


def check_goal(row: Row) -> Row:
    """Return the row with ``met`` set by its goal."""
    if row.goal is None:
        return row
    return replace(row, met=row.measured >= row.goal if row.at_least else row.measured <= row.goal)


def show(row: Row) -> Row:
    """Print a row immediately and return it with ``met`` set."""
    row = check_goal(row)
    state = "" if row.met is None else "  ok" if row.met else "  MISSED"
    goal = "" if row.goal is None else f" (aim {'at least ' if row.at_least else ''}{row.goal:g})"
    print(f"  {row.name:<62} {row.measured:9.3f} {row.unit}{goal}{state}  {row.note}", flush=True)
    return row


def write_rows(part: str, rows: list[Row]) -> None:
    """Write the rows of a part of the benchmark to ``out/bench``, where ``report.py`` reads them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    (FOLDER / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def read_rows(part: str) -> list[Row]:
    """Read the rows of a part; none if it was not measured."""
    path = FOLDER / f"{part}.json"
    if not path.exists():
        return []
    known = {field.name for field in fields(Row)}
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**{key: value for key, value in entry.items() if key in known}) for entry in entries]
