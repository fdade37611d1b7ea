from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from terraspore.engine import concurrency as module
from terraspore.engine.concurrency import (
    ReadAhead,
    SharedProgress,
    WriteBehind,
    available_cores,
    limit_threads,
    map_bounded,
    report_if_slow,
    run_in_background,
    start_thread,
)
from terraspore.engine.context import Cancellation, RecordingReporter, RunContext
from terraspore.engine.errors import OutOfMemoryError
from terraspore.engine.protocol.messages import Message, Progress
from waiting import wait_for


def threads():
    return {thread.name for thread in threading.enumerate()} & {"read-ahead", "write-behind"}


def test_what_takes_long_is_reported_while_it_lasts():
    reporter = RecordingReporter()
    with report_if_slow(RunContext(reporter, slow_after=0.0), "Loading."):
        wait_for(lambda: reporter.events)
    with report_if_slow(RunContext(reporter), "Never said."):
        pass
    assert reporter.events == [Message("Loading.")]
    assert "slow-watch" not in {thread.name for thread in threading.enumerate()}


def test_the_cores_that_a_process_may_use_are_counted():
    assert 1 <= available_cores() <= os.cpu_count()
    if sys.platform == "linux":
        assert available_cores() == len(os.sched_getaffinity(0))


def test_more_threads_than_cores_are_not_used_and_that_is_said():
    reporter = RecordingReporter()
    context = RunContext(reporter)
    assert limit_threads(None, context) is None
    assert limit_threads(1, context) == 1
    assert not reporter.events
    assert limit_threads(1_000_000, context) == available_cores()
    (message,) = reporter.events
    assert "1000000 threads are asked for" in message.text


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
        for taken in range(1, 51):
            next(items)
            ahead = min(50, taken + 3)  # two in the queue, and one that waits for room in it
            wait_for(lambda ahead=ahead: len(made) >= ahead)
            assert len(made) == ahead
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
    is_put = threading.Event()

    def sink(item):
        is_put.wait(60)
        raise OSError("full")

    def write():
        with WriteBehind(sink) as put:
            put(1)
            is_put.set()

    with pytest.raises(OSError, match="full"):
        write()
    assert not threads()


def test_error_between_ends_both_threads_at_once():
    written = []

    def sink(item):
        writer._stop.wait(60)
        written.append(item)

    writer = WriteBehind(sink, depth=50)

    def copy():
        with ReadAhead(range(10**9)) as items, writer as put:
            for item in items:
                put(item)
                if item == 40:
                    raise KeyError

    with pytest.raises(KeyError):
        copy()
    assert written in ([], [0])
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


class FailingThread(threading.Thread):
    """A thread that never starts, as when memory runs out: ``start`` raises an error or waits forever."""

    def start(self):
        if self.name == "hangs":
            threading.Event().wait()
        raise {"system": RuntimeError, "memory": MemoryError}[self.name]


@pytest.mark.parametrize("name", ["hangs", "system", "memory"])
def test_a_thread_that_does_not_begin_is_not_waited_for_for_ever(monkeypatch, name):
    monkeypatch.setattr(module, "_START_SECONDS", 0.1)
    with pytest.raises(OutOfMemoryError, match="another thread"):
        start_thread(FailingThread(name=name))


def test_a_thread_that_begins_is_given_back():
    begun = start_thread(threading.Thread(target=lambda: None))
    begun.join(60)
    assert not begun.is_alive()


def test_without_a_thread_for_starting_there_is_an_error(monkeypatch):
    def fail(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", fail)
    with pytest.raises(OutOfMemoryError, match="another thread"):
        start_thread(threading.Thread(target=lambda: None))


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


def test_work_in_the_background_ends_with_the_block_and_with_the_run():
    def forever(stop):
        while True:
            stop.check()
            waiting.wait(0.001)

    waiting, run = threading.Event(), Cancellation()
    with pytest.raises(ZeroDivisionError), run_in_background(forever, run) as future:
        raise ZeroDivisionError
    assert future.exception(timeout=0) is not None
    with run_in_background(forever, run) as future:
        run.cancel()
        assert future.exception(timeout=100) is not None
    with run_in_background(lambda _: 7, Cancellation()) as future:
        assert future.result() == 7


def test_progress_of_two_parts_is_one_that_never_goes_back():
    reporter = RecordingReporter()
    progress = SharedProgress(reporter, 2)
    for number, done, total in ((0, 1, 4), (1, 50, 100), (0, 4, 4), (1, 100, 100)):
        progress.part(number).emit(Progress("vectorize", done, total))
    shares = [(event.done, event.total) for event in reporter.events]
    assert shares == [(125, 1000), (375, 1000), (750, 1000), (1000, 1000)]


def test_map_bounded_takes_few_items_ahead_and_keeps_their_order():
    taken = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(3) as pool:
        for number, result in enumerate(map_bounded(pool, lambda item: 2 * item, items(), 3)):
            assert result == 2 * number
            assert len(taken) <= number + 4
    assert len(taken) == 20
