"""Process-wide settings of MindSpore: mode, device, threads and seed."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import mindspore as ms

from ..engine.errors import OutOfMemoryError, RuntimeUnavailableError, first_line
from .config import TrainConfig
from .distributed import ProcessGroup, join_processes

#: On a CPU the main thread of MindSpore 2.10 spins while its workers compute, and takes a core from them. With this
#: variable it launches operators itself and does not spin: on two cores a step of LEDNet took 0.6 to 1 s instead of
#: 1.4 to 3.6 s.
_NO_SPINNING = ("MS_DEV_HOST_BLOCKING_RUN", "1")

#: in what MindSpore says where memory is lacking; the last is the result of our operators
_NO_MEMORY = re.compile(rf"allocate memory failed|memory not enough|bad_alloc|AOT kernel.* is {errno.ENOMEM}\.", re.I)


@contextmanager
def name_lack_of_memory(action: str, hint: str) -> Iterator[None]:
    """Raise what MindSpore raises for lack of memory inside this context as ``OutOfMemoryError``.

    Args:
        action: completes "There was not enough memory for ...".
        hint: what to do.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise OutOfMemoryError(f"There was not enough memory for {action}.", hint) from error
        raise


def configure_mindspore(config: TrainConfig, seed: int) -> ProcessGroup:
    """Set mode, device, threads and seed of MindSpore, and join the other processes of a distributed run.

    Raises:
        RuntimeUnavailableError: the device cannot be used, or the processes cannot be joined.
    """
    ms.set_context(mode=ms.GRAPH_MODE if config.mode == "graph" else ms.PYNATIVE_MODE)
    try:
        if config.device != "CPU":
            ms.set_device(config.device, config.device_id)
        else:
            os.environ.setdefault(*_NO_SPINNING)
            ms.set_context(device_target="CPU")
    except (RuntimeError, ValueError) as error:
        raise RuntimeUnavailableError(
            f"MindSpore cannot use the device {config.device} {config.device_id}: {first_line(error)}",
            "Set train.device=CPU.",
        ) from error
    if config.threads > 0:
        ms.set_context(runtime_num_threads=config.threads)
    group = join_processes(config.device) if config.distributed else ProcessGroup()
    ms.set_seed(seed)
    return group
