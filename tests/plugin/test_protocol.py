"""The protocol's reader on anything that can come: never another exception than its own, never unchecked values."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.plugin.engine.errors import ProtocolError
from terraspore.plugin.engine.exit_codes import exit_error
from terraspore.plugin.engine.protocol import LineSplitter, Progress, Result, parse_line, printable
from terraspore.plugin.processing.arguments import Options, extract_words, number

KINDS = st.sampled_from(["plan", "progress", "message", "result", "error", "pong", "run", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "tiles", "width", "height", "resolution", "tile", "overlap", "model", "runtime", "device", "reason", "memory_bytes",
    "seconds", "stage", "done", "total", "rate", "eta", "level", "text", "outputs", "summary", "code", "hint",
    "exit_code", "id",
)  # fmt: skip
FIELDS = st.sampled_from(NAMES)


@given(st.binary(max_size=300))
def test_any_bytes(data):
    try:
        found = parse_line(data)
    except ProtocolError:
        return
    assert found is None or hasattr(found, "event")


@given(KINDS, st.dictionaries(FIELDS, VALUES, max_size=25))
def test_any_fields(kind, fields):
    try:
        found = parse_line(json.dumps({"type": kind, **fields}).encode())
    except ProtocolError:
        return
    if found is not None and isinstance(found.event, Progress):
        assert 0 <= found.event.done <= found.event.total
        assert found.event.eta is None or math.isfinite(found.event.eta)
    if found is not None and isinstance(found.event, Result):
        assert all(isinstance(path, str) and path for path in found.event.outputs.values())


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))), st.data())
def test_lines_come_out_as_they_went_in_however_they_are_cut(lines, data):
    stream = b"".join(line + b"\n" for line in lines)
    splitter, found = LineSplitter(limit=50), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:size])
        stream = stream[size:]
    assert found == [line for line in lines if line]


def test_endless_line_is_refused_before_it_fills_memory():
    splitter = LineSplitter(limit=100)
    for _ in range(10):
        assert splitter.feed(b"x" * 10) == []
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        splitter.feed(b"x")


@given(st.text())
def test_shown_text_has_no_control_characters_and_an_end(text):
    shown = printable(text * 50)
    assert len(shown) <= 4001
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


@given(st.integers(-(2**31), 2**32 - 1), st.text(max_size=50))
def test_every_exit_code_is_a_sentence(code, details):
    error = exit_error(code, details)
    assert len(str(error)) > 20


@given(
    st.text(min_size=1, max_size=30).filter(lambda name: "\0" not in name and "/" not in name),
    st.text(min_size=1, max_size=20),
)
def test_no_name_becomes_an_option(name, model):
    image, output = Path("/data") / name, Path("/out") / f"{name}.gpkg"
    words = extract_words("roads", image, output, Options(model=model, bands=(3, 2, 1), threshold=0.25), {})
    assert words[:3] == ["extract", "roads", str(image)]
    assert words[2].startswith("/")
    assert [word.split("=")[0] for word in words[3:]] == ["--output", "--model", "--bands", "--threshold"]


@given(st.floats(0, 1e6))
def test_numbers_have_a_point_in_every_locale(value):
    assert float(number(value)) == pytest.approx(value, abs=1e-8)
    assert "," not in number(value)
