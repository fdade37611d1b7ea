"""A limit of the address space: looked at before libraries are loaded, and no wait without an end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce the limit")

#: Seconds after which a program that hangs fails its test.
DEADLINE = 100.0


def run_limited(kilobytes, *command):
    line = f'ulimit -v {kilobytes}; exec "$@"'
    words = ["bash", "-c", line, "-", sys.executable, *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)


@pytest.mark.parametrize("kilobytes", [800_000, 1_600_000])
def test_a_limit_that_is_too_low_is_refused_before_the_work(kilobytes):
    done = run_limited(kilobytes, "-m", "terraspore", "info", "a.tif", "--json")
    assert done.returncode == 2, done.stderr
    event = json.loads(done.stdout)
    assert "2 GB are needed" in event["text"]
    assert "ulimit -v" in event["hint"]


def test_under_a_sufficient_limit_libraries_are_loaded_with_one_thread_before_the_work():
    code = (
        "import os, sys\n"
        "from terraspore.engine.cli.startup import prepare_address_space\n"
        "prepare_address_space()\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'], 'scipy.linalg' in sys.modules)\n"
    )
    done = run_limited(4_000_000, "-c", code)
    assert done.stdout == "1 True\n", done.stderr


def test_an_import_that_hangs_with_pythons_lock_ends_the_process(tmp_path):
    """No thread of Python runs any more, and no handler of a signal."""
    (tmp_path / "hanging.py").write_text("import ctypes\nctypes.PyDLL(None).pause()\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from terraspore.engine.cli import address_space\n"
        "address_space._LIBRARIES, address_space._TIMEOUT = ('hanging',), 1.0\n"
        "address_space.prepare_address_space()\n"
    )
    assert run_limited(4_000_000, "-c", code).returncode == 1
