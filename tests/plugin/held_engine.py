"""The real engine, stopped at a known point of a run: ``python held_engine.py -I -X utf8 LAUNCHER serve``.

Tests kill or abandon a run in its middle, however fast it is and however busy the machine. Variables
choose the point:

    HOLD_AT_TILE   the run waits after this many tiles until it is cancelled or abandoned; the process still answers
    KILL_AT_ROW    the process is killed when this many rows of tiles are in the run's journal
"""

import importlib.util
import os
import runpy
import signal
import sys
import threading
from pathlib import Path

launcher, *arguments = sys.argv[4:]
spec = importlib.util.spec_from_file_location("launch", launcher)
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
launch.load_package(Path(launcher).parents[1])

from terraspore.engine.context import Cancellation
from terraspore.engine.fs.journal import JournalWriter
from terraspore.engine.pipeline.runner import ProgressTracker


def run_afterwards(owner, name, action):
    """Make the method ``name`` of ``owner`` call ``action()`` when it has done its work."""
    method = getattr(owner, name)

    def replacement(*values, **named):
        found = method(*values, **named)
        action(*values, **named)
        return found

    setattr(owner, name, replacement)


def hold_at_tile(limit):
    stopped, done = threading.Event(), []

    def wait(_tracker, tiles, _empty):
        done.extend([None] * tiles)
        if len(done) >= limit:
            stopped.wait()

    def end(cancellation):
        if type(cancellation) is Cancellation:  # not that of a thread beside the run, which ends by itself
            stopped.set()

    run_afterwards(ProgressTracker, "advance", wait)
    for name in ("cancel", "abandon"):
        run_afterwards(Cancellation, name, end)


def kill_at_row(limit):
    def kill(writer, row, *_pixels):
        if row + 1 >= limit:
            writer.commit()
            os.kill(os.getpid(), signal.SIGKILL)

    run_afterwards(JournalWriter, "append", kill)


if "HOLD_AT_TILE" in os.environ:
    hold_at_tile(int(os.environ["HOLD_AT_TILE"]))
if "KILL_AT_ROW" in os.environ:
    kill_at_row(int(os.environ["KILL_AT_ROW"]))
sys.argv = [launcher, *arguments]
runpy.run_module("terraspore.__main__", run_name="__main__", alter_sys=True)
