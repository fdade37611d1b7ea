"""Protocol buffers at the level of the wire: checked, without generated classes.

A message is a run of fields; each is a key (field number and wire type) and a value. Format:
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import GraphError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, "int | memoryview"]


def fields(data: memoryview) -> Iterator[Field]:
    """The fields of one message, in order.

    Args:
        data: the message's bytes.

    Yields:
        Field number, wire type and value: an int for varints (unsigned, 64 bits), a view of the bytes otherwise.

    Raises:
        GraphError: the bytes are not a message.
    """
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, position = _varint(data, position)
        elif kind in {FIXED32, FIXED64}:
            length = 4 if kind == FIXED32 else 8
        else:
            raise GraphError(f"The file is damaged: a field has the wire type {kind}, which does not exist.")
        if number == 0 or position + length > end:
            raise GraphError("The file is damaged or cut off: a field reaches beyond the end of its message.")
        yield number, kind, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """The varint at ``position`` and the position behind it."""
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
    raise GraphError("The file is damaged or cut off: a number has no end.")


def signed(value: int | memoryview) -> int:
    """A varint as the signed 64-bit integer that it stands for."""
    number = varint(value)
    return number - (1 << 64) if number >= 1 << 63 else number


def varint(value: int | memoryview) -> int:
    """A value that has to be a varint."""
    if not isinstance(value, int):
        raise GraphError("The file is damaged: a number was expected where bytes are.")
    return value


def chunk(value: int | memoryview) -> memoryview:
    """A value that has to be bytes."""
    if isinstance(value, int):
        raise GraphError("The file is damaged: bytes were expected where a number is.")
    return value


def text(value: int | memoryview) -> str:
    """A value that has to be text in UTF-8."""
    try:
        return bytes(chunk(value)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise GraphError("The file is damaged: a name is not valid text.") from error


def integers(kind: int, value: int | memoryview) -> list[int]:
    """One entry, or a packed run, of a repeated signed integer field."""
    if kind == VARINT:
        return [signed(value)]
    data, position, found = chunk(value), 0, []
    while position < len(data):
        number, position = _varint(data, position)
        found.append(signed(number))
    return found


def floats(kind: int, value: int | memoryview, *, double: bool = False) -> list[float]:
    """One entry, or a packed run, of a repeated float (or double) field."""
    data = chunk(value)
    size = 8 if double else 4
    if kind not in {BYTES, FIXED64 if double else FIXED32} or len(data) % size:
        raise GraphError("The file is damaged: floating-point numbers have the wrong length.")
    return list(struct.unpack(f"<{len(data) // size}{'d' if double else 'f'}", data))
