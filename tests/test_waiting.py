"""The limits of waiting in tests."""

import subprocess
import sys

import pytest
from waiting import kill_if_late, wait_for


def hang():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], stdout=subprocess.PIPE)


def test_reading_from_a_process_that_hangs_finds_its_end():
    with hang() as process, kill_if_late(process, 0.0):
        assert process.stdout.readline() == b""


def test_a_process_does_not_outlive_a_test_that_fails():
    with pytest.raises(ZeroDivisionError), hang() as process, kill_if_late(process):
        raise ZeroDivisionError
    assert process.returncode


def test_a_condition_that_never_holds_fails():
    with pytest.raises(AssertionError, match="did not hold within 0 s"):
        wait_for(lambda: False, 0.0)
