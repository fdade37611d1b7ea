"""MindSpore's process-wide settings: device, mode, threads, seed, and the group of processes."""

from __future__ import annotations

import os
from dataclasses import dataclass

import mindspore as ms

from ..engine.errors import RuntimeUnavailableError
from .config import TrainConfig
from .mpi import cluster_variables, start_scheduler

#: how many seconds processes on CPUs wait for each other. MindSpore's 30 end a training while the first process still
#: saves a large state, or while another has more images to judge.
_PATIENCE = ("MS_CPU_COMM_OP_TIMEOUT", "3600")

#: On a processor the main thread of MindSpore 2.10 spins while its workers compute, and takes a core from them. Where
#: it launches operators itself it does not: on two cores a step of LEDNet took 0.6 to 1 s instead of 1.4 to 3.6 s.
_NO_SPINNING = ("MS_DEV_HOST_BLOCKING_RUN", "1")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: its number.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0


def set_up(config: TrainConfig, seed: int) -> Ranks:
    """Prepare MindSpore for a run; returns this process's place among the ranks.

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
            f"MindSpore cannot use the device {config.device} {config.device_id}: {_first_line(error)}",
            "Set train.device=CPU.",
        ) from error
    if config.threads > 0:
        ms.set_context(runtime_num_threads=config.threads)
    ranks = join(config.device) if config.distributed else Ranks()
    ms.set_seed(seed)
    return ranks


def join(device: str) -> Ranks:
    """Join the processes that ``msrun``, ``mpirun`` or a rank table started.

    Args:
        device: MindSpore's device target.

    Raises:
        RuntimeUnavailableError: they cannot be joined.
    """
    from mindspore import communication

    if device == "CPU":
        os.environ.setdefault(*_PATIENCE)
        variables = cluster_variables(os.environ)
        os.environ.update(variables)
        if variables.get("MS_NODE_ID") == "0":
            start_scheduler(os.environ)
    try:
        communication.init()
        return Ranks(communication.get_rank(), communication.get_group_size())
    except (RuntimeError, ValueError, TypeError) as error:
        raise RuntimeUnavailableError(
            f"The processes cannot be joined: {_first_line(error)}",
            "Start them with `msrun` or `mpirun`, or set train.distributed=false.",
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
