"""Memory that runs out: one sentence that says what to do, and nothing under a final name."""

from __future__ import annotations

import sys

import pytest
from conftest import contents, names
from terraspore.plugin.engine.exit_codes import make_exit_error

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit of the address space")


@pytest.mark.parametrize("megabytes", [8, 40, 90, 150])
def test_address_space_that_runs_out(world, reference, out, megabytes):
    """The libraries may end the process where they get no memory; then the plugin has the sentence.

    Which allocation fails, and so who hears of it, is another from one machine and library to the next.
    """
    started = world.start(world.words("classes", out, "--tile=512"), MEMORY=str(megabytes << 20))
    started.wait()
    code, said = started.code, started.events()
    if code == 0:
        assert contents(out) == reference("classes", "--tile=512")[0]
        return
    assert contents(out) == {}
    if said and said[-1]["type"] == "error":
        assert said[-1]["code"] == "OutOfMemoryError", said
        assert "smaller tile" in said[-1]["hint"]
        assert not [name for name in names(out) if "partial" in name or "lock" in name]
    else:
        error = make_exit_error(code, started.errors())
        print(megabytes, code, error.text)
        assert "memory" in error.text or "library" in error.text, started.errors()
        assert error.hint
    code, last = world.run(world.words("classes", out, "--tile=512", "--resume"))
    assert code == 0, last
    assert contents(out) == reference("classes", "--tile=512")[0]


def test_killed_for_memory_is_said_so():
    error = make_exit_error(-9, "")
    assert error.code == "OutOfMemoryError"
    assert "smaller tile" in error.hint


@pytest.mark.parametrize(
    "words",
    [
        "cannot allocate memory for thread-local data: ABORT",
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
        "Traceback (most recent call last):\nMemoryError",
    ],
)
def test_last_words_about_memory_are_understood(words):
    assert make_exit_error(127, words).code == "OutOfMemoryError"
    assert make_exit_error(127, f"{words}\n1\n2\n3").code != "OutOfMemoryError"
