"""What all runtimes share: the base class of sessions and the translation of errors."""

import numpy as np
import pytest
from terraspore.engine.errors import InferenceError, OutOfMemoryError
from terraspore.engine.runtimes.base import Session, SessionConfig, map_batches, translate_error


def test_lack_of_memory_is_told_from_other_failures():
    assert isinstance(translate_error(RuntimeError("std::bad_alloc"), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(MemoryError(), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(RuntimeError("CUDA error 2: out of memory"), "it ran"), OutOfMemoryError)
    assert isinstance(translate_error(RuntimeError("a\nb"), "it ran"), InferenceError)


def test_map_batches_calls_once_for_each_batch_and_keeps_none_in_its_place():
    calls = []

    def predict(tiles):
        calls.append(len(tiles))
        return tiles / 2

    results = list(map_batches(predict)([None, np.ones(3), None, np.ones(1)], 8))
    assert [None if result is None else len(result) for result in results] == [None, 3, None, 1]
    assert calls == [3, 1]


def test_a_run_cannot_change_the_batch_of_a_session(random_network):
    session = HalvingSession("any", "float32", random_network("dlinknet34").card, SessionConfig("cpu", 64))
    assert session.batch == 1
    with pytest.raises(AttributeError):
        session.batch = 8


class HalvingSession(Session):
    """A session which gives half of each tile."""

    def predict(self, tiles, batch=None):
        return tiles / 2

    def close(self):
        pass
