"""Files that cannot be used are refused with a message, in little time and memory."""

from __future__ import annotations

import re
import resource
import signal

import pytest
import refused_files
from corpus_files import read_all
from terraspore.engine.errors import UserError, shown


@pytest.fixture(autouse=True)
def fail_on_hang():
    """A read that blocks in native code cannot be interrupted by an exception, so the alarm ends the process."""
    signal.alarm(200)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("name", refused_files.MAKERS)
def test_file_is_refused(tmp_path, name):
    maker, pattern = refused_files.MAKERS[name]
    path = maker(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        read_all(path)
    text = str(caught.value)
    assert re.search(pattern, text), text
    assert "\n" not in text
    assert text.endswith(".")
    assert caught.value.exit_code == 2
    assert shown(path.name)[:60] in text or name == "2^31 columns"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # kB
