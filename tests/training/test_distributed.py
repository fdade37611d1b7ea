"""Two processes on a CPU that train together do what one process does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from free_port import find_free_port
from namespaces import two_hosts
from terraspore.engine.errors import RuntimeUnavailableError

pytest.importorskip("mindspore")

from terraspore.training.backend import msrun_variables

SCRIPT = Path(__file__).parent / "trainer" / "tiny_run.py"
MSRUN = Path(sys.executable).with_name("msrun")
MPIRUN = shutil.which("mpirun")

pytestmark = pytest.mark.mindspore

SHARED = ["train.batch=2", "train.distributed=true"]
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
    "PMIX_NAMESPACE": "1475739649",
}

OPTIONS = [
    "--plain",
    "--evaluate",
    "train.steps=6",
    "train.evaluate_every=3",
    "network.num_classes=2",
    "data.classes=[]",
    "loss.name=ce",
    "train.monitor=mean_iou",
    "optimizer.ema=0",
]


def run(command: list[str], folder: Path) -> None:
    # msrun starts what is called python on the path.
    path = os.pathsep.join([str(MSRUN.parent), os.environ.get("PATH", "")])
    env = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1", "PATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=500)
    logs = "".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("logs/worker_*.log"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:] + logs


@pytest.fixture(scope="module")
def one(roads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a single process."""
    folder = tmp_path_factory.mktemp("single") / "one"
    run([sys.executable, str(SCRIPT), str(folder), str(roads), *OPTIONS, "train.batch=4"], folder.parent)
    return folder


def by_msrun(folder: Path) -> list[str]:
    launch = [str(MSRUN), "--worker_num=2", "--local_worker_num=2", f"--master_port={find_free_port()}"]
    return [*launch, f"--log_dir={folder / 'logs'}", "--join=True", "--cluster_time_out=400"]


def by_mpirun(folder: Path) -> list[str]:
    if MPIRUN is None:
        pytest.skip("Open MPI is not installed")
    return [MPIRUN, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2", sys.executable]


@pytest.mark.slow
@pytest.mark.skipif(not MSRUN.exists(), reason="msrun comes with MindSpore")
@pytest.mark.parametrize("launch", [by_msrun, by_mpirun])
def test_two_processes_agree_with_one(
    roads: Path, one: Path, tmp_path: Path, launch: Callable[[Path], list[str]]
) -> None:
    two = tmp_path / "two"
    run([*launch(tmp_path), str(SCRIPT), str(two), str(roads), *OPTIONS, *SHARED], tmp_path)
    check_agreement(one, two)


@pytest.mark.slow
@pytest.mark.skipif(not MSRUN.exists(), reason="msrun comes with MindSpore")
def test_two_hosts_agree_with_one_process(roads: Path, one: Path, tmp_path: Path) -> None:
    """Two network namespaces with a process each, which read the images from folders of their own."""
    two, port = tmp_path / "two", find_free_port()
    with two_hosts() as hosts, ThreadPoolExecutor(2) as executor:
        address, runs = hosts[0][1], []
        for rank, (inside, _) in enumerate(hosts):
            folder = tmp_path / f"host{rank}"
            shutil.copytree(roads, folder / "images")
            launch = [str(MSRUN), "--worker_num=2", "--local_worker_num=1", f"--master_addr={address}"]
            launch += [f"--master_port={port}", f"--node_rank={rank}", f"--log_dir={folder / 'logs'}", "--join=True"]
            script = [str(SCRIPT), str(two), str(folder / "images"), *OPTIONS, *SHARED]
            command = [*inside, *launch, "--cluster_time_out=400", *script]
            runs.append(executor.submit(run, command, folder))
        for each in runs:
            each.result()
    check_agreement(one, two)


def check_agreement(one: Path, two: Path) -> None:
    """Compare the runs of one process with a batch of 4, and of two with a batch of 2."""
    first, second = (np.load(two / f"weights_of_rank_{rank}.npz") for rank in (0, 1))
    alone = np.load(one / "weights_of_rank_0.npz")
    # Each process evaluated its share of the three test images, and both have the sum.
    assert np.array_equal(first["confusion"], second["confusion"])
    assert first["confusion"].sum() == alone["confusion"].sum() == 3 * 40 * 40
    assert np.abs(first["confusion"] - alone["confusion"]).max() <= 20
    for name in set(alone.files) - {"confusion"}:
        assert np.array_equal(first[name], second[name]), name
        assert np.allclose(first[name], alone[name], rtol=1e-4, atol=1e-6), name
    # The confusion matrices of both were summed: the metrics of the validation are those of all images.
    rows = [(folder / "checks.csv").read_text().splitlines() for folder in (one, two)]
    tables = [dict(zip(lines[0].split(","), lines[-1].split(","), strict=True)) for lines in rows]
    assert float(tables[0]["train_loss"]) == pytest.approx(float(tables[1]["train_loss"]), rel=1e-3)
    assert float(tables[0]["overall_acc"]) == pytest.approx(float(tables[1]["overall_acc"]), abs=20 / (3 * 40 * 40))


def test_processes_of_a_job_get_the_same_scheduler() -> None:
    first, second = (msrun_variables({**OPEN_MPI, "OMPI_COMM_WORLD_RANK": rank}) for rank in "01")
    assert (first["MS_NODE_ID"], second["MS_NODE_ID"]) == ("0", "1")
    assert first["MS_WORKER_NUM"] == "4"
    assert first["MS_SCHED_HOST"] == second["MS_SCHED_HOST"] == "127.0.0.1"
    assert first["MS_SCHED_PORT"] == second["MS_SCHED_PORT"]
    assert 1024 < int(first["MS_SCHED_PORT"]) < 65536
    assert msrun_variables({**OPEN_MPI, "PMIX_NAMESPACE": "7"})["MS_SCHED_PORT"] != first["MS_SCHED_PORT"]
    assert msrun_variables({**OPEN_MPI, "MS_SCHED_PORT": "8118"})["MS_SCHED_PORT"] == "8118"


def test_other_processes_get_no_variables() -> None:
    assert msrun_variables({}) == {}
    assert msrun_variables({**OPEN_MPI, "MS_ROLE": "MS_WORKER"}) == {}


def test_several_machines_need_an_address() -> None:
    several = {**OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    with pytest.raises(RuntimeUnavailableError, match="several machines"):
        msrun_variables(several)
    assert msrun_variables({**several, "MS_SCHED_HOST": "10.0.0.7"})["MS_SCHED_HOST"] == "10.0.0.7"
