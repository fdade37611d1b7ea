"""Packed bytes come back as they were, and what was not packed is not unpacked."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.fs.spool import compress_buffers, decompress_buffers

PARTS = st.lists(st.one_of(st.binary(max_size=100), st.integers(0, 5000).map(bytes)), max_size=4)


def packed(parts):
    return b"".join(bytes(piece) for piece in compress_buffers([memoryview(part) for part in parts]))


@given(PARTS)
def test_parts_come_back(parts):
    assert decompress_buffers(packed(parts), [len(part) for part in parts]) == parts


@given(PARTS, st.data())
def test_other_sizes_or_bytes_give_no_false_parts(parts, data):
    sizes = [len(part) for part in parts]
    whole = packed(parts)
    wrong = data.draw(st.lists(st.integers(0, 6000), max_size=4).filter(lambda other: other != sizes))
    assert decompress_buffers(whole, wrong) is None or sum(sizes) == sum(wrong) == 0
    if whole:
        cut = data.draw(st.integers(0, len(whole) - 1))
        assert decompress_buffers(whole[:cut], sizes) is None
        assert decompress_buffers(b"?" + whole[1:], sizes) is None


@pytest.mark.parametrize(
    ("part", "share"),
    [
        (bytes(500_003), 0.01),
        (os.urandom(500_003), 1.02),
        (np.repeat([0, 1], 250_000).astype(np.uint8).tobytes(), 0.01),
    ],
)
def test_what_is_flat_shrinks_and_what_is_dense_hardly_grows(part, share):
    assert len(packed([part])) < share * len(part)


def test_probabilities_of_roads_shrink_to_less_than_half():
    random = np.random.default_rng(1)
    levels = np.zeros((500, 512), np.uint8)
    for row in range(40, 500, 60):
        levels[row : row + 20] = random.integers(0, 251, (20, 512))
    assert len(packed([levels.tobytes()])) < 0.5 * levels.size
