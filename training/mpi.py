"""Open MPI's ``mpirun`` on processors.

MindSpore 2.10 joins processes of ``mpirun`` by itself on Ascend and GPU; on processors it only knows the variables that
``msrun`` sets, and a scheduler process beside the workers. Here the former are turned into the latter.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Mapping

from ..engine.errors import RuntimeUnavailableError

#: a scheduler does nothing but join; it ends when all workers have left
_SCHEDULER = """
import mindspore
mindspore.set_context(device_target="CPU")
from mindspore import communication
communication.init()
"""


def cluster_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What ``msrun`` would have set for a process that ``mpirun`` started; empty where it did not, or msrun did too.

    The scheduler listens on a port that follows from the name of the job, the same in all of its processes.
    ``MS_SCHED_HOST`` and ``MS_SCHED_PORT`` say otherwise.

    Args:
        environment: of the process.

    Raises:
        RuntimeUnavailableError: there are several machines, and ``MS_SCHED_HOST`` does not say which is the first's.
    """
    rank, count = environment.get("OMPI_COMM_WORLD_RANK"), environment.get("OMPI_COMM_WORLD_SIZE")
    if rank is None or count is None or "MS_ROLE" in environment:
        return {}
    host = environment.get("MS_SCHED_HOST", "")
    if not host:
        if environment.get("OMPI_COMM_WORLD_LOCAL_SIZE", count) != count:
            raise RuntimeUnavailableError(
                "The processes of mpirun run on several machines, and where they meet is not known.",
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


def start_scheduler(environment: Mapping[str, str]) -> None:
    """Start the scheduler that the workers meet at; ``environment`` is that of the first worker."""
    own = {**environment, "MS_ROLE": "MS_SCHED", "MS_NODE_ID": "scheduler"}
    subprocess.Popen([sys.executable, "-c", _SCHEDULER], env=own, stdin=subprocess.DEVNULL)
