"""Process-wide settings of MindSpore (mode, device, threads and seed), and the processes of a distributed run."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ..engine.errors import OutOfMemoryError, RuntimeUnavailableError, first_line
from .checkpoint_io import assign
from .config import TrainConfig

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


#: Seconds that processes on CPUs wait for each other. MindSpore's default of 30 ends a run while the main process
#: saves a large state, or while another process has more images to evaluate.
_TIMEOUT = ("MS_CPU_COMM_OP_TIMEOUT", "3600")

#: Code of the scheduler process; it ends when all workers have left.
_SCHEDULER = """
import mindspore
mindspore.set_context(device_target="CPU")
from mindspore import communication
communication.init()
"""


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those of a distributed run, and reductions over all of them.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """Mean of ``value`` over all processes, the same number in each of them."""
        if self.size == 1:
            return value
        total = ops.AllReduce()(Tensor(np.array([value], np.float32)))
        return float(total.asnumpy()[0]) / self.size

    def sum_counts(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Exact sum of non-negative counts over all processes, in three parts that float32 holds without rounding."""
        if self.size == 1:
            return counts
        reduce = ops.AllReduce()
        total = np.zeros_like(counts)
        for shift in (0, 20, 40):
            part = (counts >> shift) & 0xFFFFF
            summed = reduce(Tensor(part.astype(np.float32))).asnumpy()
            total += summed.astype(np.int64) << shift
        return total

    def average_batch_norm(self, network: nn.Cell) -> None:
        """Set the batch-norm statistics of ``network`` to their mean over all processes, so that all save the same."""
        if self.size == 1:
            return
        reduce = ops.AllReduce()
        for parameter in network.get_parameters():
            if parameter.name.endswith(("moving_mean", "moving_variance")):
                assign(parameter, reduce(parameter.value()).asnumpy() / self.size)


def join_processes(device: str) -> ProcessGroup:
    """Join the processes that ``msrun``, ``mpirun`` or a rank table started.

    Args:
        device: MindSpore's device target.

    Raises:
        RuntimeUnavailableError: they cannot be joined.
    """
    from mindspore import communication

    if device == "CPU":
        os.environ.setdefault(*_TIMEOUT)
        variables = msrun_variables(os.environ)
        os.environ.update(variables)
        if variables.get("MS_NODE_ID") == "0":
            scheduler = {**os.environ, "MS_ROLE": "MS_SCHED", "MS_NODE_ID": "scheduler"}
            subprocess.Popen([sys.executable, "-c", _SCHEDULER], env=scheduler, stdin=subprocess.DEVNULL)
    try:
        communication.init()
        return ProcessGroup(communication.get_rank(), communication.get_group_size())
    except (RuntimeError, ValueError, TypeError) as error:
        raise RuntimeUnavailableError(
            f"The processes cannot be joined: {first_line(error)}",
            "Start them with `msrun` or `mpirun`, or set train.distributed=false.",
        ) from error


def msrun_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that ``msrun`` would have set for a process of ``mpirun``; empty for any other process.

    The port of the scheduler is derived from the name of the job, so that all of its processes agree on it, unless
    ``MS_SCHED_HOST`` and ``MS_SCHED_PORT`` are set.

    Args:
        environment: of the process.

    Raises:
        RuntimeUnavailableError: there are several machines, and ``MS_SCHED_HOST`` is not set.
    """
    rank, count = environment.get("OMPI_COMM_WORLD_RANK"), environment.get("OMPI_COMM_WORLD_SIZE")
    if rank is None or count is None or "MS_ROLE" in environment:
        return {}
    host = environment.get("MS_SCHED_HOST", "")
    if not host:
        if environment.get("OMPI_COMM_WORLD_LOCAL_SIZE", count) != count:
            raise RuntimeUnavailableError(
                "The processes of mpirun run on several machines, and the address of the scheduler is not known.",
                "Give `mpirun -x MS_SCHED_HOST=ADDRESS` with the address of the machine of the first process.",
            )
        host = "127.0.0.1"
    job = environment.get("PMIX_NAMESPACE") or environment.get("OMPI_MCA_ess_base_jobid", "")
    return {
        "MS_ROLE": "MS_WORKER",
        "MS_WORKER_NUM": count,
        "MS_NODE_ID": rank,
        "MS_SCHED_HOST": host,
        "MS_SCHED_PORT": environment.get("MS_SCHED_PORT") or str(20000 + zlib.crc32(job.encode()) % 10000),
    }
