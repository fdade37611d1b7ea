"""Promises in seconds that are checked on a busy machine, too.

A test that says "within two seconds" means an idle machine. What the machine's other work took of the time is measured
and left out, so that a limit can be as tight as the promise without failing where a dozen programs run beside it.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path

#: Linux says here for how long, in microseconds, some process waited for a processor or a disk.
_PRESSURE = (Path("/proc/pressure/cpu"), Path("/proc/pressure/io"))
_SAMPLE_SECONDS = 0.03


class Stopwatch:
    """Measures from its making on, in seconds of an idle machine."""

    def __init__(self):
        self._waited = waited_seconds()
        self._begin = time.monotonic()

    def wall_seconds(self):
        """Seconds since the beginning."""
        return time.monotonic() - self._begin

    def idle_seconds(self):
        """Seconds since the beginning that an idle machine would have needed, too; never more than have gone by."""
        seconds, waited = self.wall_seconds(), waited_seconds() - self._waited
        return max(seconds - waited, 0.0) / slowness()


@contextmanager
def within(seconds):
    """Fail where the block would take ``seconds`` or longer on an idle machine."""
    watch = Stopwatch()
    yield watch
    needed = watch.idle_seconds()
    assert needed < seconds, f"{needed:.2f} s, and {watch.wall_seconds():.2f} s by the clock"


def until(condition, seconds=60.0, meanwhile=lambda: time.sleep(0.01)):
    """Wait until ``condition()`` holds, and give what it gives; fail after ``seconds`` by the clock."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"nothing of it within {seconds:g} s"
        meanwhile()
    return found


def slowness():
    """How much longer computing takes than it would alone, 1 or more."""
    wall, used = time.perf_counter(), time.thread_time()
    while time.thread_time() - used < _SAMPLE_SECONDS:
        pass
    return max(1.0, (time.perf_counter() - wall) / (time.thread_time() - used))


def waited_seconds():
    """For how long processes have had to wait for a processor or a disk since the machine was started."""
    total = 0
    for path in _PRESSURE:
        with suppress(OSError):  # other systems, and kernels that do not measure it
            total += int(re.search(r"^some .*total=(\d+)", path.read_text(), re.MULTILINE)[1])
    return total / 1e6
