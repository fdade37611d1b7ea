from __future__ import annotations

import io

import pytest
from terraspore.engine.cli.console import ConsoleReporter, describe_plan, describe_rate, format_duration
from terraspore.engine.protocol.messages import Message, Plan, Progress, Result

PLAN = Plan(
    tiles=361,
    width=8192,
    height=8000,
    resolution=1.0003,
    tile=512,
    overlap=64,
    model="roads-x",
    runtime="openvino",
    device="cpu",
    reason="The quickest.",
    memory_bytes=900_000_000,
    seconds=200.0,
)


def test_what_a_person_sees():
    out, err = io.StringIO(), io.StringIO()
    with ConsoleReporter(out, err) as reporter:
        reporter.emit(PLAN)
        reporter.emit(Message("Odd.", "warning"))
        reporter.emit(Message("[b]Fine[/b]"))
        reporter.emit(Progress("infer", 3, 361, rate=1.5, eta=238.0))
        reporter.emit(Progress("vectorize", 1, 4))
        reporter.emit(Result({}, {}, "2.3 km of road [in 4 lines]"))
    assert out.getvalue() == "2.3 km of road [in 4 lines]\n"
    assert "8192 x 8000 pixels at 1 m: 361 tiles of 512 with roads-x, about 3 min 20 s, up to 900 MB." in err.getvalue()
    assert "Warning: Odd." in err.getvalue()
    assert "[b]Fine[/b]" in err.getvalue()


def test_unknown_times_are_left_out():
    assert "about" not in describe_plan(Plan(**{**vars(PLAN), "seconds": None}))
    assert describe_rate(Progress("infer", 0, 9)) == ""
    assert describe_rate(Progress("infer", 3, 9, rate=1.26, eta=4.8)) == "1.3 tiles/s, 5 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    """A name can hold what colours, moves or renames a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with ConsoleReporter(out, err) as reporter:
        reporter.emit(Message("image \x1b[31mred\r.tif"))
        reporter.emit(Result({}, {}, "two\nlines \x1b]0;title\x07"))
    assert err.getvalue() == "image \\x1b[31mred\\r.tif\n"
    assert out.getvalue() == "two\nlines \\x1b]0;title\\x07\n"
