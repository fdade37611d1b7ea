"""Memory runs out: an error message that says what to do, and no incomplete output."""

from __future__ import annotations

import sys

import pytest
from conftest import contents, list_names
from terraspore.plugin.engine.errors import make_exit_error
from waiting import wait_for

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit of the address space")


@pytest.mark.parametrize("megabytes", [8, 40, 90, 150])
def test_address_space_that_runs_out(runner, reference, out, megabytes):
    """The engine reports it; where a library ends the process instead, the plugin makes the message.

    Which allocation fails depends on the machine and on the versions of the libraries.
    """
    engine = runner.start(runner.arguments("classes", out, "--tile=512"), MEMORY=str(megabytes << 20))
    wait_for(lambda: not engine.is_running())
    code, events = engine.code, engine.events()
    if code == 0:
        assert contents(out) == reference("classes", "--tile=512").contents
        return
    assert contents(out) == {}
    if events and events[-1]["type"] == "error":
        assert events[-1]["code"] == "OutOfMemoryError", events
        assert "smaller tile" in events[-1]["hint"]
        assert not [name for name in list_names(out) if "partial" in name or "lock" in name]
    else:
        error = make_exit_error(code, engine.errors())
        print(megabytes, code, error.text)
        assert "memory" in error.text or "library" in error.text, engine.errors()
        assert error.hint
    code, last = runner.run(runner.arguments("classes", out, "--tile=512", "--resume"))
    assert code == 0, last
    assert contents(out) == reference("classes", "--tile=512").contents


def test_a_process_killed_for_memory_is_reported():
    error = make_exit_error(-9, "")
    assert error.code == "OutOfMemoryError"
    assert "smaller tile" in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "cannot allocate memory for thread-local data: ABORT",
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
        "Traceback (most recent call last):\nMemoryError",
    ],
)
def test_messages_of_libraries_about_memory_are_recognized(text):
    assert make_exit_error(127, text).code == "OutOfMemoryError"
    assert make_exit_error(127, f"{text}\n1\n2\n3").code != "OutOfMemoryError"
