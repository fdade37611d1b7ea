"""Process-wide settings of MindSpore, each in a separate process."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
from terraspore.training.backend import configure_mindspore
from terraspore.training.config import TrainConfig

configure_mindspore(TrainConfig(), 0)
print(os.environ["MS_DEV_HOST_BLOCKING_RUN"])
"""


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"MS_DEV_HOST_BLOCKING_RUN": "0"}, "0")])
def test_main_thread_does_not_spin_unless_the_user_sets_the_variable(given: dict[str, str], expected: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "MS_DEV_HOST_BLOCKING_RUN"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment | given, capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.split()[-1] == expected
