"""What Open MPI says of a process, as MindSpore's variables."""

import pytest
from terraspore.engine.errors import RuntimeUnavailableError

pytest.importorskip("mindspore")

from terraspore.training.mpi import cluster_variables

OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
    "PMIX_NAMESPACE": "1475739649",
}


def test_processes_of_a_job_meet_at_one_place() -> None:
    first, second = (cluster_variables({**OPEN_MPI, "OMPI_COMM_WORLD_RANK": rank}) for rank in "01")
    assert (first["MS_NODE_ID"], second["MS_NODE_ID"]) == ("0", "1")
    assert first["MS_WORKER_NUM"] == "4"
    assert first["MS_SCHED_HOST"] == second["MS_SCHED_HOST"] == "127.0.0.1"
    assert first["MS_SCHED_PORT"] == second["MS_SCHED_PORT"]
    assert 1024 < int(first["MS_SCHED_PORT"]) < 65536
    assert cluster_variables({**OPEN_MPI, "PMIX_NAMESPACE": "7"})["MS_SCHED_PORT"] != first["MS_SCHED_PORT"]
    assert cluster_variables({**OPEN_MPI, "MS_SCHED_PORT": "8118"})["MS_SCHED_PORT"] == "8118"


def test_nothing_is_changed_where_mpirun_or_msrun_did_it() -> None:
    assert cluster_variables({}) == {}
    assert cluster_variables({**OPEN_MPI, "MS_ROLE": "MS_WORKER"}) == {}


def test_several_machines_need_an_address() -> None:
    several = {**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    with pytest.raises(RuntimeUnavailableError, match="several machines"):
        cluster_variables(several)
    assert cluster_variables({**several, "MS_SCHED_HOST": "10.0.0.7"})["MS_SCHED_HOST"] == "10.0.0.7"
