"""Waiting for a condition or a process in tests, with a limit."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager


def wait_for(condition, seconds=300.0, meanwhile=lambda: time.sleep(0.01)):
    """Wait until ``condition()`` holds, and return what it returns.

    Args:
        condition: called again and again.
        seconds: fail after this time. It only ends a test that hangs, so it is far longer than the wait takes.
        meanwhile: called between two calls.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"the condition did not hold within {seconds:g} s"
        meanwhile()
    return found


@contextmanager
def kill_if_late(process, seconds=600.0):
    """Kill ``process`` where the block takes longer or fails, so that no read from it and no wait for it hangs.

    Args:
        process: a ``subprocess.Popen``.
        seconds: as of ``wait_for``; what reads from a killed process finds the end of its output.
    """
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
