"""Waiting for a condition in tests."""

from __future__ import annotations

import time


def wait_for(condition, seconds=100.0, meanwhile=lambda: time.sleep(0.01)):
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
