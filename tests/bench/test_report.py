"""The report shows whether each aim is met, and replaces only its own part of the page."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report
import rows
from rows import Row, check_goal, write_rows


@pytest.fixture
def measured(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "FOLDER", tmp_path)
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(report, "PLOT", tmp_path / "images" / "performance.png")
    machine = dict.fromkeys(("processor", "cores", "memory", "system", "libraries", "image"), "something")
    (tmp_path / "machine.json").write_text(json.dumps(machine))
    return tmp_path


def test_table_shows_aims_and_measurements(measured):
    found = [Row("quick", "times", 1.02, 1.05, 1.02, "1 s", "a network", 2048), Row("slow", "times", 1.2, 1.05)]
    write_rows("whole", [check_goal(row) for row in [*found, Row("big", "MB", 1234.5)]])
    text = report.report(update_docs=False)
    assert "| quick | 1.05 times | 1.02 times | yes | 1 s |" in text
    assert "| slow | 1.05 times | 1.2 times | **no** |  |" in text
    assert "| big |  | 1,234 MB |  |  |" in text
    assert "Aims met: 1 of 2." in text


def test_rows_of_other_programs_are_accepted(measured):
    row = {"name": "lines", "unit": "s", "goal": 3, "measured": 2.5, "ratio": None, "met": True, "note": "", "more": 1}
    (measured / "vectors.json").write_text(json.dumps([row]))
    assert "| lines | 3 s | 2.5 s | yes |  |" in report.report(update_docs=False)


def test_only_the_part_between_the_markers_is_rewritten(measured):
    page = measured / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    write_rows("memory", [Row("peak", "MB", 500, series="memory: 8192 columns", x=8192)])
    report.report(update_docs=True)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| peak |  | 500 MB |  |  |" in text
    assert (measured / "images" / "performance.png").stat().st_size > 1000


def test_training_is_a_line_for_each_network(measured):
    found = [
        Row(name, unit, value) for name in ("one", "two") for unit, value in (("s per step", 1.5), ("images/s", 2))
    ]
    write_rows("training", [check_goal(row) for row in [*found, Row("one: a step / PyTorch", "times", 1.1, 1.15)]])
    text = report.report(update_docs=False)
    assert "| | s per step | images/s |\n|---|---|---|\n| one | 1.5 | 2 |\n| two | 1.5 | 2 |" in text
    assert "| one: a step / PyTorch | 1.15 times | 1.1 times | yes |  |" in text
