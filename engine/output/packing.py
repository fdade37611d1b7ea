"""Packing bytes of rasters quickly: for files that live as long as a run.

A part that shrinks to little is one zlib stream, which then is quick to make. Of any other part only the words of
eight bytes that are not zero are kept, and a bit for each word: probabilities of roads shrink to about 40 %, in a tenth
of zlib's time.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

_HEADER = struct.Struct("<cQ")  # the kind of a part, and its bytes as packed
_ZLIB, _WORDS = b"z", b"w"
#: Bytes of a part that are tried, and to what share they must shrink for all of it to go through zlib.
_SAMPLE, _WORTHWHILE = 1 << 18, 0.1
_CHUNK = 1 << 20
_WORD = 8


def pack(parts: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    """The packed ``parts``, one after the other, in pieces that are to be written in turn."""
    for part in parts:
        plain = part.cast("B")
        kind, pieces = (_ZLIB, _deflated(plain)) if _shrinks(plain) else (_WORDS, _words(plain))
        yield _HEADER.pack(kind, sum(map(len, pieces)))
        yield from pieces


def unpack(data: bytes, sizes: Sequence[int]) -> list[bytes] | None:
    """The parts, of ``sizes`` bytes, that ``data`` holds as ``pack`` gives them; None where it holds anything else."""
    parts, place = [], 0
    for size in sizes:
        if len(data) < place + _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(data, place)
        body = memoryview(data)[place + _HEADER.size : place + _HEADER.size + length]
        part = _inflated(body, size) if kind == _ZLIB else _filled(body, size) if kind == _WORDS else None
        if part is None or len(body) != length:
            return None
        parts.append(part)
        place += _HEADER.size + length
    return parts if place == len(data) else None


def _shrinks(plain: memoryview) -> bool:
    middle = max(0, len(plain) // 2 - _SAMPLE // 2)
    sample = plain[middle : middle + _SAMPLE]
    return len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)


def _deflated(plain: memoryview) -> list[bytes | memoryview]:
    encoder = zlib.compressobj(1)
    pieces = [encoder.compress(plain[start : start + _CHUNK]) for start in range(0, len(plain), _CHUNK)]
    return [*pieces, encoder.flush()]


def _inflated(body: memoryview, size: int) -> bytes | None:
    decoder = zlib.decompressobj()
    try:
        part = decoder.decompress(body, size + 1)
    except zlib.error:
        return None
    return part if len(part) == size else None


def _words(plain: memoryview) -> list[bytes | memoryview]:
    """A bit for each whole word, the words that are not zero, and what follows the last whole word."""
    end = len(plain) // _WORD * _WORD
    words = np.frombuffer(plain[:end], np.uint64) if end else np.zeros(0, np.uint64)
    used = words != 0
    return [np.packbits(used).tobytes(), words[used].tobytes(), plain[end:]]


def _filled(body: memoryview, size: int) -> bytes | None:
    count, rest = divmod(size, _WORD)
    bits = -(-count // 8)
    used = np.unpackbits(np.array(body[:bits], np.uint8)).view(np.bool_)[:count]
    end = bits + _WORD * int(used.sum())
    if len(used) != count or len(body) != end + rest:
        return None
    words = np.zeros(count, np.uint64)
    if end > bits:
        words[used] = np.frombuffer(body[bits:end], np.uint64)
    return words.tobytes() + bytes(body[end:])
