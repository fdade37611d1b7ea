"""Tasks are submitted a few at a time, their errors are raised, and what fails by chance is tried again."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from types import SimpleNamespace

import pytest
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker
from terraspore.engine.cluster.connection import MEMORY_FOR_TILES, MEMORY_FOR_VECTORS
from terraspore.engine.cluster.dispatch import Task, run_tasks
from terraspore.engine.context import Cancellation, RunContext
from terraspore.engine.errors import Cancelled, ClusterError, DiskFullError, InferenceError


@pytest.fixture(scope="module")
def client():
    """Two workers that are threads of this process."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


_names = count()


def run(client, function, arguments, cancellation=None):
    name = f"{function.__name__}-{next(_names)}"
    tasks = (Task(f"{name}-{index}", f"task {index}", function, (value,)) for index, value in enumerate(arguments))
    return run_tasks(client, tasks, "inproc://", RunContext(cancellation=cancellation or Cancellation()))


def double(value):
    return 2 * value


def test_a_million_tasks_do_not_flood_the_scheduler(client):
    taken = []

    def values():
        for value in range(10**6):
            taken.append(value)
            yield value

    with closing(run(client, double, values())) as results:
        for number, _ in zip(range(50), results, strict=False):
            assert len(taken) <= number + 4  # two workers, a waiting task, and the one whose result was taken


def test_all_results_come(client):
    assert sorted(run(client, double, list(range(30)))) == [2 * value for value in range(30)]


def count_call(folder):
    """Count a call, also of a copy of a function; return how many there were."""
    (folder / f"{len(list(folder.iterdir()))}").touch(exist_ok=False)
    return len(list(folder.iterdir()))


def test_error_of_a_task_is_raised_and_not_tried_again(client, tmp_path):
    def fill_disk(folder):
        return DiskFullError("The disk is full.", f"call {count_call(folder)}")

    with pytest.raises(DiskFullError, match="disk is full") as caught:
        list(run(client, fill_disk, [tmp_path]))
    assert caught.value.hint == "call 1"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [OSError, TimeoutError, MemoryError])
@pytest.mark.parametrize("failures", [2, 3])
def test_other_errors_are_tried_again_twice(client, tmp_path, failures, error):
    def fail_at_first(folder):
        if count_call(folder) <= failures:
            raise error("the network drive was away")
        return "done"

    results = run(client, fail_at_first, [tmp_path])
    if failures == 2:
        assert list(results) == ["done"]
    else:
        with pytest.raises(InferenceError, match="A worker failed at task 0: the network drive was away"):
            list(results)


def test_hint_where_workers_have_too_little_memory(client):
    """Vectors do not depend on the size of a tile."""

    def end_worker(_):
        raise KilledWorker("vectorize", SimpleNamespace(address="tcp://w:1"), 3)

    for hint, named in ((MEMORY_FOR_TILES, True), (MEMORY_FOR_VECTORS, False)):
        task = Task(f"memory-{named}", "partition 1", end_worker, (0,), memory_hint=hint)
        with pytest.raises(ClusterError, match="computed partition 1 ended 4 times") as caught:
            list(run_tasks(client, iter([task]), "inproc://", RunContext()))
        assert ("--tile" in caught.value.hint) == named
        assert "--memory-limit" in caught.value.hint


def test_cancelled_run_ends(client):
    cancellation = Cancellation()
    results = run(client, double, list(range(10)), cancellation)
    next(results)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(results)
