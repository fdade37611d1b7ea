from __future__ import annotations

import threading
import time

import pytest
from patience import until
from terraspore.engine import concurrency as module
from terraspore.engine.concurrency import ReadAhead, WriteBehind, start_thread
from terraspore.engine.errors import OutOfMemoryError


def threads():
    return {thread.name for thread in threading.enumerate()} & {"read-ahead", "write-behind"}


def test_items_arrive_in_order():
    with ReadAhead(range(100)) as items:
        assert list(items) == list(range(100))
    taken = []
    with WriteBehind(taken.append) as put:
        for item in range(100):
            put(item)
    assert taken == list(range(100))
    assert not threads()


def test_reading_is_ahead_by_no_more_than_the_depth():
    made = []

    def source():
        for item in range(50):
            made.append(item)
            yield item

    with ReadAhead(source(), depth=2) as items:
        next(items)
        until(lambda: len(made) >= 4)
        time.sleep(0.3)
        assert len(made) == 4  # one taken, two in the queue, one in the hand
    assert not threads()


def test_error_while_reading_is_raised_where_items_are_taken():
    def source():
        yield 1
        raise OSError("broken")

    with ReadAhead(source()) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="broken"):
            next(items)
    assert not threads()


def test_error_while_writing_is_raised_where_items_are_put():
    def sink(item):
        raise OSError("full")

    def write():
        with WriteBehind(sink, depth=1) as put:
            for item in range(1000):
                put(item)

    with pytest.raises(OSError, match="full"):
        write()
    assert not threads()


def test_error_with_the_last_item_is_not_lost():
    def sink(item):
        time.sleep(0.05)
        raise OSError("full")

    with pytest.raises(OSError, match="full"), WriteBehind(sink) as put:
        put(1)
    assert not threads()


def test_error_between_ends_both_threads_at_once():
    taken, failed = [], threading.Event()

    def sink(item):
        failed.wait(60)
        time.sleep(0.1)  # so that the error is through before the next item is due
        taken.append(item)

    def copy():
        with ReadAhead(range(10**9)) as items, WriteBehind(sink, depth=50) as put:
            for item in items:
                put(item)
                if item == 40:
                    failed.set()
                    raise KeyError

    with pytest.raises(KeyError):
        copy()
    assert len(taken) < 40
    assert not threads()


def test_a_generator_is_closed_by_the_thread_that_ran_it():
    closed = []

    def source():
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    with ReadAhead(source()) as items:
        next(items)
    assert closed == ["read-ahead"]


class Stillborn(threading.Thread):
    """Ends before it has said that it begins, as where memory runs out."""

    def _bootstrap(self):
        if self.name == "with a number":
            self._set_ident()


@pytest.mark.parametrize("name", ["without a number", "with a number"])
def test_a_thread_that_does_not_begin_is_not_waited_for_for_ever(monkeypatch, name):
    monkeypatch.setattr(module, "_START_SECONDS", 0.1)
    with pytest.raises(OutOfMemoryError, match="another thread"):
        start_thread(Stillborn(name=name))
    begun = start_thread(threading.Thread(target=lambda: None))
    begun.join(60)
    assert not begun.is_alive()


def test_a_thread_that_dies_without_a_word_is_an_error(monkeypatch):
    monkeypatch.setattr(ReadAhead, "_run", lambda self, source: None)
    monkeypatch.setattr(WriteBehind, "_run", lambda self: None)
    with ReadAhead(range(3)) as items, pytest.raises(OutOfMemoryError):
        next(items)

    def write():
        with WriteBehind(lambda item: None, depth=1) as put:
            for item in range(9):
                put(item)

    with pytest.raises(OutOfMemoryError):
        write()
    with pytest.raises(OutOfMemoryError), WriteBehind(lambda item: None):
        pass
