"""Process-wide settings of MindSpore, and its lack of memory, each in a separate process."""

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
        [sys.executable, "-c", SCRIPT], env=environment | given, capture_output=True, text=True, timeout=500, check=True
    )
    assert done.stdout.split()[-1] == expected


# Memory is limited once the libraries are loaded and the images are there.
MEMORY_SCRIPT = """
import resource, sys
import mindspore as ms
from mindspore import nn, ops
from terraspore.engine.errors import OutOfMemoryError, RuntimeUnavailableError
from terraspore.training.backend import configure_mindspore, name_lack_of_memory
from terraspore.training.config import TrainConfig
from terraspore.training.onednn import select_convolutions

configure_mindspore(TrainConfig(), 0)
layer = nn.Conv2d(64, 64, 3)
if sys.argv[1] == "onednn":
    try:
        layer = select_convolutions(TrainConfig(convolution="onednn"))[0](layer)
    except RuntimeUnavailableError as error:
        sys.exit(f"unavailable: {error}")
images = ops.ones((4, 64, 512, 512))
layer(images[:1, :, :9, :9]).asnumpy()
network = layer if sys.argv[1] == "onednn" else lambda x: ops.cat((x, x, x))
with open("/proc/self/statm") as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 300 * 2**20,) * 2)
try:
    with name_lack_of_memory("a step", "Lower train.batch."):
        network(images).asnumpy()
except OutOfMemoryError as error:
    print("named:", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("convolution", ["mindspore", "onednn"])
def test_lack_of_memory_has_a_sentence(convolution: str) -> None:
    command = [sys.executable, "-c", MEMORY_SCRIPT, convolution]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    if "unavailable" in done.stderr:
        pytest.skip(done.stderr)
    assert "named: There was not enough memory for a step. Lower train.batch." in done.stdout, done.stderr
