"""Preloaded by workers of the tests: holds one of them at a chosen step, so that a test can act on it exactly there.

The folder in ``TERRASPORE_HOLD`` has a file ``hold`` while a worker is to be held; it contains the step and its number:
``predict`` (the network is about to be called), ``array`` (a part of a block's file was written), ``written`` (a
block's file got its name), ``roads`` (a partition is vectorized), ``partition`` (its file got its name),
``measure`` (the regions of a partition of polygons are measured), ``measured`` (their file got its name), ``trace``
(a part of the polygons was traced) or ``traced`` (their file got its name). The first worker that gets there writes
its process id to ``reached`` and waits until ``hold`` is removed.
"""

from __future__ import annotations

import os
import time
from functools import wraps
from pathlib import Path

HOLD = "TERRASPORE_HOLD"
#: The version of TerraSpore that a worker pretends to have.
PRETENDED_VERSION = "TERRASPORE_PRETENDED_VERSION"


def dask_setup(_worker) -> None:
    """Make the steps of this process hold; called by Dask."""
    from terraspore.engine.cluster import worker
    from terraspore.engine.pipeline import block_store
    from terraspore.engine.runtimes import onnxruntime, registry

    # Batch sizes are measured otherwise, so that the number of batches would depend on the load of the machine.
    onnxruntime.choose_batch_size = lambda *_arguments: 1
    registry.try_in_child = lambda *_arguments: None  # a process more for each worker
    worker.__version__ = os.environ.get(PRETENDED_VERSION, worker.__version__)
    session, store = onnxruntime.OnnxRuntimeSession, block_store.BlockStore
    session.predict = held(session.predict, "predict", before=True)
    block_store._write_array = held(block_store._write_array, "array", before=False)
    store.write = held(store.write, "written", before=False)
    worker.BlockWorker.run_step = with_held_partitions(worker.BlockWorker.run_step)


def with_held_partitions(function):
    """Return ``function`` with the steps of partitions, whose modules take long to import, made to hold on a call."""

    @wraps(function)
    def call(*arguments):
        from terraspore.engine.pipeline import partitions
        from terraspore.engine.vector.partitions import tables
        from terraspore.engine.vector.partitions.polygons import coverage, trace

        if not hasattr(coverage.write_tables, "__wrapped__"):
            for module, name, step in (
                (partitions, "vectorize_road_partition", "roads"),
                (tables, "write_tables", "partition"),
                (coverage, "measure_partition", "measure"),
                (coverage, "write_tables", "measured"),
                (trace, "assemble_block", "trace"),  # while the file is written
                (trace, "write_tables", "traced"),
            ):
                setattr(module, name, held(getattr(module, name), step, before=False))
        return function(*arguments)

    return call


def held(function, step, *, before):
    """Return ``function`` with a point before or after it, at which the process may be held."""

    @wraps(function)
    def call(*arguments, **keywords):
        if before:
            pass_step(step)
        result = function(*arguments, **keywords)
        if not before:
            pass_step(step)
        return result

    return call


def pass_step(step: str) -> None:
    """Count a step; wait where it is the chosen one."""
    folder = Path(os.environ[HOLD])
    hold, reached = folder / "hold", folder / "reached"
    try:
        chosen, number = hold.read_text("utf-8").split()
    except FileNotFoundError:
        return
    if chosen != step:
        return
    for count in range(1, int(number) + 1):  # each worker that passes takes the next number
        try:
            (folder / f"{step}-{count}").touch(exist_ok=False)
        except FileExistsError:
            continue
        if count == int(number):
            reached.write_text(str(os.getpid()), "utf-8")
            while hold.exists():
                time.sleep(0.005)
        return
