"""Spools give back what was appended, and compressed buffers what was compressed."""

from __future__ import annotations

import errno
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.errors import Cancelled, DiskFullError, OutputError
from terraspore.engine.fs import spool as spool_module
from terraspore.engine.fs.spool import BLOCK, ArraySpool, RowSpool, compress_buffers, decompress_buffers
from waiting import wait_for

BUFFERS = st.lists(st.one_of(st.binary(max_size=100), st.integers(0, 5000).map(bytes)), max_size=4)


def compress(buffers):
    return b"".join(bytes(piece) for piece in compress_buffers([memoryview(buffer) for buffer in buffers]))


@given(BUFFERS)
def test_compressed_buffers_come_back(buffers):
    assert decompress_buffers(compress(buffers), [len(buffer) for buffer in buffers]) == buffers


@given(BUFFERS, st.data())
def test_other_sizes_or_bytes_give_no_false_buffers(buffers, data):
    sizes = [len(buffer) for buffer in buffers]
    whole = compress(buffers)
    wrong = data.draw(st.lists(st.integers(0, 6000), max_size=4).filter(lambda other: other != sizes))
    assert decompress_buffers(whole, wrong) is None or sum(sizes) == sum(wrong) == 0
    if whole:
        cut = data.draw(st.integers(0, len(whole) - 1))
        assert decompress_buffers(whole[:cut], sizes) is None
        assert decompress_buffers(bytes([whole[0] ^ 1]) + whole[1:], sizes) is None


@pytest.mark.parametrize(
    ("buffer", "share"),
    [
        (bytes(500_003), 0.01),
        (os.urandom(500_003), 1.02),
        (np.repeat([0, 1], 250_000).astype(np.uint8).tobytes(), 0.01),
    ],
)
def test_constant_data_shrinks_and_random_data_hardly_grows(buffer, share):
    assert len(compress([buffer])) < share * len(buffer)


def test_probabilities_of_roads_shrink_to_less_than_half():
    random = np.random.default_rng(1)
    values = np.zeros((500, 512), np.uint8)
    for row in range(40, 500, 60):
        values[row : row + 20] = random.integers(0, 251, (20, 512))
    assert len(compress([values.tobytes()])) < 0.5 * values.size


def make_pixels(height, width, seed=0):
    """Pixels with large areas of zeros."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    values[: height // 3] = 0
    values[:, : width // 2] = 0
    return values


@given(st.integers(1, 700), st.integers(1, 700), st.data())
def test_any_window_is_what_was_appended(tmp_path_factory, height, width, data):
    whole = make_pixels(height, width)
    with RowSpool(tmp_path_factory.mktemp("spool") / "rows", whole.shape, tmp_path_factory.getbasetemp()) as spool:
        row = 0
        while row < height:
            count = data.draw(st.integers(1, height - row))
            spool.append(whole[row : row + count])
            row += count
        for _ in range(5):
            y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
            h, w = data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x))
            np.testing.assert_array_equal(spool.read(y, x, h, w), whole[y : y + h, x : x + w])


def test_readers_wait_for_rows(tmp_path):
    whole, found = make_pixels(3 * BLOCK + 10, 300), []
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as spool:

        def read():
            for row in range(0, len(whole), 50):
                count = min(50, len(whole) - row)
                found.append(spool.read(row, 0, count, 300))

        readers = [threading.Thread(target=read)]
        readers[0].start()
        spool.append(whole[: BLOCK - 1])
        wait_for(lambda: spool._change._waiters)
        assert found == []
        spool.append(whole[BLOCK - 1 :])
        readers[0].join(100)
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_abort_cancels_waiting_readers(tmp_path):
    whole, errors = make_pixels(2 * BLOCK, 40), []
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as spool:
        spool.append(whole[:BLOCK])

        def read():
            try:
                spool.read(BLOCK, 0, 10, 40)
            except Cancelled as error:
                errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        spool.abort()
        reader.join(100)
        assert len(errors) == 1
        np.testing.assert_array_equal(spool.read(0, 0, BLOCK, 40), whole[:BLOCK])


def test_a_complete_spool_stays_readable_after_an_abort(tmp_path):
    whole = make_pixels(100, 100)
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as spool:
        spool.append(whole)
        spool.abort()
        np.testing.assert_array_equal(spool.read(0, 0, 100, 100), whole)


def test_a_truncated_file_is_an_output_error(tmp_path):
    whole = np.full((600, 600), 7, np.uint8)
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out.gpkg") as spool:
        spool.append(whole)
        (tmp_path / "rows").write_bytes(b"")
        with pytest.raises(OutputError, match=r"out\.gpkg cannot be written"):
            spool.read(300, 0, 10, 600)


def test_spooled_arrays_come_back(tmp_path):
    arrays = [np.arange(12, dtype=np.int32).reshape(3, 4), np.zeros((0, 2)), np.array([1.5, np.inf])]
    with ArraySpool(tmp_path) as spool:
        spooled = spool.append(arrays[:2]) + spool.append(arrays[2:])
        for array, expected in zip(spool.read(spooled[::-1]), arrays[::-1], strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_is_reported(monkeypatch, tmp_path, number):
    class Full:
        """A file that takes nothing."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return

        def seek(self, _offset):
            return

        def write(self, _data):
            raise OSError(number, "no")

    monkeypatch.setattr(spool_module.tempfile, "TemporaryFile", lambda dir: Full())  # noqa: A006
    with (
        ArraySpool(tmp_path) as spool,
        pytest.raises(DiskFullError if number == errno.ENOSPC else OutputError, match=tmp_path.name),
    ):
        spool.append([np.arange(3)])
