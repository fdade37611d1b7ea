"""The wire format is read alike from memory and from a file, and nothing damaged passes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.protobuf import (
    FileView,
    ProtobufError,
    as_floats,
    as_integers,
    as_text,
    as_view,
    encode_varint,
    read_fields,
)


def fields_of(message):
    """Numbers and values of all fields, views as bytes; or the error's text."""
    try:
        return [(number, value if isinstance(value, int) else bytes(value)) for number, value in read_fields(message)]
    except ProtobufError as error:
        return str(error)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_a_file_is_read_like_memory(tmp_path, content, offset):
    path = tmp_path / "message"
    path.write_bytes(bytes(offset) + content + b"behind")
    with path.open("rb") as file:
        view = FileView(file, offset, offset + len(content))
        assert bytes(view) == content
        assert fields_of(view) == fields_of(memoryview(content))


@given(st.integers(0, 2**64 - 1), st.binary(max_size=200), st.floats(width=32), st.floats())
def test_all_kinds_of_values(number, content, single, double):
    message = b"".join(
        (
            b"\x08" + encode_varint(number),
            b"\x12" + encode_varint(len(content)) + content,
            b"\x1d" + struct.pack("<f", single),
            b"\x21" + struct.pack("<d", double),
        )
    )
    values = dict(read_fields(memoryview(message)))
    assert values[1] == number
    assert list(as_integers(values[1])) == [number if number < 2**63 else number - 2**64]
    assert bytes(as_view(values[2])) == content
    assert struct.pack("<f", *as_floats(values[3])) == struct.pack("<f", single)
    assert struct.pack("<d", *as_floats(values[4], double=True)) == struct.pack("<d", double)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_packed_integers(numbers):
    packed = b"".join(encode_varint(number % 2**64) for number in numbers)
    assert list(as_integers(memoryview(packed))) == numbers


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"\x08", "cut off"),
        (b"\x08\xff", "cut off"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than 64 bits"),
        (b"\x12\x02a", "2 bytes passes the end"),
        (b"\x12" + encode_varint(2**63) + b"a", "passes the end"),
        (b"\x1d\0\0\0", "passes the end"),
        (b"\x00\x01", "number 0"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_damage_is_refused(message, text):
    assert text in fields_of(memoryview(message))


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (as_view, 3),
        (as_view, b"\0\0\0\0"),
        (as_text, memoryview(b"\xff")),
        (lambda value: list(as_integers(value)), b"\0\0\0\0"),
        (lambda value: list(as_integers(value)), memoryview(b"\x80")),
        (as_floats, 3),
        (as_floats, bytes(8)),
        (as_floats, memoryview(bytes(6))),
    ],
)
def test_values_of_the_wrong_kind_are_refused(convert, value):
    with pytest.raises(ProtobufError):
        convert(value)
