"""Rows that are read while they are made."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terraspore.engine.errors import Cancelled, OutputError
from terraspore.engine.fs.spool import BLOCK, RowSpool


def picture(height, width, seed=0):
    """Bytes with large areas of zeros."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    values[: height // 3] = 0
    values[:, : width // 2] = 0
    return values


@given(st.integers(1, 700), st.integers(1, 700), st.data())
def test_any_window_is_what_was_appended(tmp_path_factory, height, width, data):
    whole = picture(height, width)
    with RowSpool(tmp_path_factory.mktemp("store") / "rows", whole.shape, tmp_path_factory.getbasetemp()) as store:
        row = 0
        while row < height:
            count = data.draw(st.integers(1, height - row))
            store.append(whole[row : row + count])
            row += count
        for _ in range(5):
            y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
            h, w = data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x))
            np.testing.assert_array_equal(store.read(y, x, h, w), whole[y : y + h, x : x + w])


def test_readers_wait_for_rows(tmp_path):
    whole, found = picture(3 * BLOCK + 10, 300), []
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as store:

        def read():
            for row in range(0, len(whole), 50):
                count = min(50, len(whole) - row)
                found.append(store.read(row, 0, count, 300))

        readers = [threading.Thread(target=read)]
        readers[0].start()
        store.append(whole[: BLOCK - 1])
        time.sleep(0.1)
        assert found == []
        store.append(whole[BLOCK - 1 :])
        readers[0].join(100)
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_who_waits_for_rows_that_do_not_come_is_told(tmp_path):
    whole, errors = picture(2 * BLOCK, 40), []
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as store:
        store.append(whole[:BLOCK])

        def read():
            try:
                store.read(BLOCK, 0, 10, 40)
            except Cancelled as error:
                errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        store.abort()
        reader.join(100)
        assert len(errors) == 1
        np.testing.assert_array_equal(store.read(0, 0, BLOCK, 40), whole[:BLOCK])


def test_a_complete_store_stays_readable_when_it_is_given_up(tmp_path):
    whole = picture(100, 100)
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out") as store:
        store.append(whole)
        store.abort()
        np.testing.assert_array_equal(store.read(0, 0, 100, 100), whole)


def test_a_file_that_was_cut_is_one_sentence(tmp_path):
    whole = np.full((600, 600), 7, np.uint8)
    with RowSpool(tmp_path / "rows", whole.shape, tmp_path / "out.gpkg") as store:
        store.append(whole)
        (tmp_path / "rows").write_bytes(b"")
        with pytest.raises(OutputError, match=r"out\.gpkg cannot be made"):
            store.read(300, 0, 10, 600)
