"""Distributed training: join the processes of ``msrun``, ``mpirun`` or a rank table, and reduce values over them.

MindSpore 2.10 joins the processes of Open MPI's ``mpirun`` by itself on Ascend and GPU. On CPUs it only knows the
environment variables that ``msrun`` sets, and needs a scheduler process; here both are derived from Open MPI's
variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ..engine.errors import RuntimeUnavailableError, first_line
from .checkpoint_io import assign

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
