"""Lines to messages and back: whatever comes in, there is a checked message or a ``ProtocolError``."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.protocol.codec import (
    MAX_COMMAND_BYTES,
    MAX_EVENT_BYTES,
    ProtocolError,
    decode_command,
    decode_event,
    encode_command,
    encode_envelope,
    encode_event,
    make_printable,
    read_lines,
)
from terraspore.engine.protocol.messages import (
    CancelCommand,
    Envelope,
    Failure,
    ImageOutcome,
    Message,
    Ping,
    Plan,
    Pong,
    Progress,
    Result,
    RunCommand,
    UnknownCommand,
)

ROOT = Path(__file__).parents[3]

EVENTS = [
    Plan(4, 100, 80, 0.5, 64, 16, "model", "openvino", "cpu", "it is the only one", 1_000_000, 2.5),
    Progress("infer", 3, 4, rate=10.0, eta=0.1),
    Progress("write", 0, 0),
    Message("Łódź ✓", "warning"),
    Result({"vectors": "/a b.gpkg"}, {"roads": 3, "length_km": 1.5, "model": "m", "area": None}, "Done.", 1.25),
    Result({}, {}, "Nothing.", 0.5, ("Nothing reached the threshold.", "No CRS.")),
    Failure("SourceError", "It is not an image.", "Choose another.", 2),
    Failure("Cancelled", "Cancelled.", None, 3),
    Pong(),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
@pytest.mark.parametrize("number", [0, 7, None])
def test_events_are_decoded_as_they_were_encoded(event, number):
    line = encode_envelope(Envelope(event, number))
    assert "\n" not in line
    assert line.isascii()
    assert decode_event(line.encode()) == Envelope(event, number)
    assert decode_event(encode_event(event).encode()) == Envelope(event, None)
    assert "id" not in json.loads(encode_event(event))


def test_values_outside_json_are_not_encoded():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_event(Progress("infer", 1, 2, eta=math.nan))


@pytest.mark.parametrize(
    "command",
    [RunCommand(3, ("info", "a b\n\t'\"", "Łódź ✓", "\udce9")), RunCommand(0, ()), CancelCommand(3), Ping(), Ping(9)],
)
def test_commands_are_decoded_as_they_were_encoded(command):
    line = encode_command(command)
    assert line.count(b"\n") == 1
    assert decode_command(line) == command


def test_lines_may_end_as_those_of_windows_do():
    """Python writes them so to a text stream there."""
    line = encode_envelope(Envelope(Message("text"), 3)).encode()
    (split,) = read_lines(io.BytesIO(line + b"\r\n"), 1000)
    assert decode_event(split) == Envelope(Message("text"), 3)
    (split,) = read_lines(io.BytesIO(encode_command(Ping()).rstrip(b"\n") + b"\r\n"), 1000)
    assert decode_command(split) == Ping()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b'{"type": "run", "id": 0, "arguments": ["\\udce9"]}', RunCommand(0, ("\udce9",))),
        (b'{"type": "ping"}', Ping(None)),
        (b'{"type": "ping", "id": null}', Ping(None)),
        (b'{"type": "dance\\n", "with": [[[]]]}', UnknownCommand("dance?")),
    ],
)
def test_other_spellings_of_commands(line, command):
    assert decode_command(line) == command


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (b" " * (MAX_COMMAND_BYTES + 1), "more than 1048576 bytes"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'{"type":' * 100_000, "nested too deeply|not JSON"),
        (b"NaN", "not JSON"),
        (b'{"type": "ping", "id": Infinity}', "not JSON"),
        (b"[]", "not an object"),
        (b'{"type": 5}', "not an object with a type"),
        (b'{"type": "run", "id": 1, "arguments": "info"}', "list of texts"),
        (b'{"type": "run", "id": 1, "arguments": [1]}', "list of texts"),
        (b'{"type": "run", "id": 1}', "list of texts"),
        (b'{"type": "run", "id": true, "arguments": []}', "whole number"),
        (b'{"type": "run", "id": -1, "arguments": []}', "whole number"),
        (b'{"type": "run", "id": 1.5, "arguments": []}', "whole number"),
        (b'{"type": "run", "id": 99999999999999999999, "arguments": []}', "whole number"),
        (b'{"type": "run", "id": 1, "arguments": [], "shell": true}', "other fields"),
        (b'{"type": "run", "id": 1, "arguments": ["a\\u0000b"]}', "no command line"),
        (b'{"type": "run", "id": 1, "arguments": ["\\ud800"]}', "no command line"),
        (b'{"type": "run", "id": 1, "arguments": [' + b'"",' * 1000 + b'""]}', "too many"),
        (b'{"type": "run", "id": 1, "arguments": ["' + b"x" * 40_000 + b'"]}', "too long"),
        (b'{"type": "cancel"}', "whole number"),
        (b'{"type": "ping", "id": []}', "whole number"),
    ],
)
def test_commands_that_are_refused(line, pattern):
    with pytest.raises(ProtocolError, match=pattern) as caught:
        decode_command(line)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (b" " * (MAX_EVENT_BYTES + 1), "more than 4194304 bytes"),
        (b'{"type": ["a"]}', "type is not a text"),
        (b'{"type": "pong", "id": -1}', "id is not a whole number"),
        (b'{"type": "pong", "id": true}', "id is not a whole number"),
        (b'{"type": "result"}', "outputs or its summary"),
        (b'{"type": "result", "outputs": {"a": 3}, "summary": {}, "seconds": 1, "text": ""}', "not a path"),
        (b'{"type": "result", "outputs": {"a": ""}, "summary": {}, "seconds": 1, "text": ""}', "not a path"),
        (b'{"type": "result", "outputs": {"a": "\\u0000"}, "summary": {}, "seconds": 1, "text": ""}', "not a path"),
        (b'{"type": "result", "outputs": {}, "summary": {"a": {}}, "seconds": 1, "text": ""}', "neither a text"),
        (b'{"type": "result", "outputs": {}, "summary": {"a": 1e301}, "seconds": 1, "text": ""}', "neither a text"),
        (b'{"type": "progress", "stage": "infer", "done": -1, "total": 2}', "done is not a number"),
        (b'{"type": "progress", "stage": "infer", "done": 1e300, "total": 2}', "done is not a number"),
        (b'{"type": "progress", "stage": "infer", "done": 1.5, "total": 2}', "done is not a whole number"),
        (b'{"type": "progress", "stage": "infer", "done": true, "total": 2}', "done is not a number"),
        (b'{"type": "error", "code": null, "text": "x"}', "code is not a text"),
        (b'{"type": "error", "code": "a", "text": "x", "exit_code": 1.5}', "exit_code"),
        (b'{"type": "message"}', "text is not a text"),
    ],
)
def test_events_that_are_refused(line, pattern):
    with pytest.raises(ProtocolError, match=pattern):
        decode_event(line)


@pytest.mark.parametrize("line", [b"hello", b"\xff", b"NaN", b"[]", b"{}", b"[" * 100_000, b'{"type": "later"}'])
def test_lines_of_libraries_and_of_later_versions_are_no_events(line):
    assert decode_event(line) is None


def test_text_is_cut_and_counts_are_limited():
    event = decode_event(b'{"type": "message", "level": "loud", "text": "a\\u001b' + b"x" * 5000 + b'"}').event
    assert event.level == "info"
    assert event.text.startswith("a x")
    assert len(event.text) == 4001
    progress = decode_event(b'{"type": "progress", "stage": "later", "done": 9, "total": 2}').event
    assert (progress.stage, progress.done, progress.total) == ("later", 2, 2)


@given(st.binary(max_size=300))
def test_any_bytes(data):
    for decode in (decode_command, decode_event):
        with contextlib.suppress(ProtocolError):
            decode(data)


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


@given(KINDS, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=25))
def test_any_fields(kind, fields):
    try:
        found = decode_event(json.dumps({"type": kind, **fields}).encode())
    except ProtocolError:
        return
    if found is not None and isinstance(found.event, Progress):
        assert 0 <= found.event.done <= found.event.total
        assert found.event.eta is None or math.isfinite(found.event.eta)
    if found is not None and isinstance(found.event, Result):
        assert all(isinstance(path, str) and path for path in found.event.outputs.values())


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))))
def test_lines_come_out_as_they_went_in(lines):
    assert list(read_lines(io.BytesIO(b"\n".join(lines)), 50)) == [line for line in lines if line.strip()]


def test_lines_that_are_too_long_are_cut():
    stream = io.BytesIO(b"x" * 1000 + b"\nnext\n" + b"a" * 100 + b"\n" + b"b" * 200 + b"\nc\n" + b"d" * 200)
    assert list(read_lines(stream, 100)) == [b"x" * 101, b"next", b"a" * 100, b"b" * 101, b"c", b"d" * 101]


def test_a_line_is_read_as_soon_as_it_is_complete_or_too_long():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as target:
        lines = read_lines(stream, 100)
        for written, expected in ((b"one\ntw", b"one"), (b"o\n", b"two"), (b"x" * 101, b"x" * 101)):
            target.write(written)
            assert next(lines) == expected


@given(st.text())
def test_printable_text_has_no_control_characters_and_an_end(text):
    shown = make_printable(text * 50)
    assert len(shown) <= 4001
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_package_needs_nothing_else_of_the_engine_and_no_new_python():
    """QGIS imports it: a Python 3.9 with the standard library alone."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['numpy', 'rasterio', 'click', 'osgeo']))\n"
        "import terraspore.engine.protocol.codec\n"
        "print(*(name for name in sys.modules if name.startswith('terraspore.engine.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = sorted(name.removeprefix("terraspore.engine.") for name in done.stdout.split())
    assert found == ["protocol", "protocol.codec", "protocol.messages"]
    for path in (ROOT / "engine" / "protocol").glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_images_of_a_batch_come_back():
    images = (
        ImageOutcome("/a.tif", "done", "/out/a.gpkg", "2 lines", 1.5),
        ImageOutcome("/b.tif", "failed", "/b", "no"),
    )
    result = Result({}, {"failed": 1}, "text", 2.0, images=images, exit_code=4)
    assert decode_event(encode_event(result).encode()).event == result


@pytest.mark.parametrize("change", [{"state": "lost"}, {"image": ""}, {"output": None}, {"seconds": -1}, {"text": 3}])
def test_wrong_images_of_a_batch_are_refused(change):
    image = {"image": "/a.tif", "state": "done", "output": "/a.gpkg", "text": "", "seconds": 1, **change}
    event = {"type": "result", "outputs": {}, "summary": {}, "text": "", "seconds": 1, "images": [image]}
    with pytest.raises(ProtocolError):
        decode_event(json.dumps(event).encode())
