"""Workers and schedulers that are killed at known points, full disks and cancellations: the result is the same."""

from __future__ import annotations

import os
import subprocess
from random import Random

import dask
import psutil
import pytest
from dask_cluster import HERE, Cluster, Run, command, finished_blocks, read
from hold_worker import HOLD
from terraspore.engine.cluster import dispatch
from terraspore.engine.fs.journal import journal_folder
from waiting import wait_for

ROADS = "r.gpkg"
KILLS = int(os.environ.get("TERRASPORE_KILLS", "3"))


@pytest.mark.parametrize("kind", ["roads", "classes"])
def test_workers_give_what_one_process_gives(scene, expected, shared_cluster, tmp_path, kind):
    shared_cluster.wait_for_workers(2)
    run = Run(command(scene, kind, tmp_path / "out", "--cluster", shared_cluster.address))
    code, last = run.wait()
    assert code == 0, last
    assert read(tmp_path / "out") == expected(kind)
    progress = [event for event in run.events() if event["type"] == "progress" and event["stage"] == "infer"]
    assert progress[-1]["done"] == progress[-1]["total"] == last["summary"]["tiles"]
    assert last["summary"]["empty_tiles"] > 0
    assert "2 workers with onnxruntime on cpu" in next(e["reason"] for e in run.events() if e["type"] == "plan")
    assert not journal_folder(tmp_path / "out" / ROADS).exists()


@pytest.mark.parametrize(("step", "number"), [("predict", 30), ("array", 25), ("written", 2)])
def test_worker_killed_in_a_block(scene, expected, make_cluster, tmp_path, step, number):
    cluster, out = make_cluster(), tmp_path / "out"
    cluster.hold(step, number)
    run = Run(command(scene, "roads", out, "--cluster", cluster.address))
    cluster.kill_worker(cluster.wait_until_held())
    before = finished_blocks(out / ROADS)
    cluster.hold("written", 1)
    cluster.start_worker()
    cluster.wait_until_held()
    after = finished_blocks(out / ROADS)
    assert len(after) == len(before) + 1
    assert {name: after[name] for name in before} == before
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert read(out) == expected("roads")


def test_workers_and_the_scheduler_killed_at_random_moments(scene, expected, make_cluster, tmp_path):
    cluster = make_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="100")
    out, chance, killed = tmp_path / "out", Random(4), []
    arguments = command(scene, "classes", out, "--cluster", cluster.address)

    def hold_somewhere():
        step = chance.choice(["predict", "array", "written"])
        cluster.hold(step, chance.randint(1, {"predict": 12, "array": 8, "written": 1}[step]))

    hold_somewhere()
    run = Run(arguments)
    for number in range(KILLS + 1):
        wait_for(lambda: cluster.is_held() or not run.is_running())  # noqa: B023 (called at once)
        if not run.is_running():
            break
        pid = cluster.wait_until_held()
        if number == 1:
            cluster.kill_scheduler()
            assert run.wait()[1]["code"] == "ClusterError"
            cluster.start_scheduler()
        cluster.kill_worker(pid)
        killed.append("scheduler" if number == 1 else "worker")
        hold_somewhere()
        cluster.start_worker()
        if number == 1:
            run = Run([*arguments, "--resume"])
    wait_for(lambda: cluster.is_held() or not run.is_running())
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert killed[:3] == ["worker", "scheduler", "worker"]
    print(f"killed: {', '.join(killed)}")
    assert read(out) == expected("classes")


def test_other_workers_take_the_blocks_of_a_slow_one(scene, expected, make_cluster, tmp_path):
    cluster, out = make_cluster(workers=2), tmp_path / "out"
    cluster.wait_for_workers(2)
    cluster.hold("array", 3)
    run = Run(command(scene, "roads", out, "--cluster", cluster.address))
    cluster.wait_until_held()
    blocks = next(int(e["text"].split()[0]) for e in run.events() if " of up to " in e.get("text", ""))
    wait_for(lambda: len(finished_blocks(out / ROADS)) == blocks - 1)
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert read(out) == expected("roads")


def test_scheduler_killed_and_run_resumed(scene, expected, make_cluster, tmp_path):
    cluster, out = make_cluster(), tmp_path / "out"
    arguments = command(scene, "roads", out, "--cluster", cluster.address)
    cluster.hold("array", 30)
    run = Run(arguments)
    pid = cluster.wait_until_held()
    before = finished_blocks(out / ROADS)
    assert before
    cluster.kill_scheduler()
    code, last = run.wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "connection to the scheduler" in last["text"]
    assert f"{len(before)} of " in run.events()[-2]["text"]
    assert "--resume" in run.events()[-2]["text"]
    assert read(out) == {}
    cluster.kill_worker(pid)
    cluster.release()
    cluster.start_scheduler()
    cluster.start_worker()
    cluster.hold("written", 1)
    resumed = Run([*arguments, "--resume"])
    cluster.wait_until_held()
    after = finished_blocks(out / ROADS)
    assert len(after) == len(before) + 1
    assert {name: after[name] for name in before} == before
    cluster.release()
    code, last = resumed.wait()
    assert code == 0, last
    assert read(out) == expected("roads")


def test_block_whose_workers_end_again_and_again(scene, make_cluster, tmp_path):
    cluster = make_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    cluster.hold("array", 3)
    run = Run(command(scene, "roads", tmp_path / "out", "--cluster", cluster.address))
    cluster.kill_worker(cluster.wait_until_held())
    code, last = run.wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "ended 1 times" in last["text"]
    assert "memory" in last["text"]


def test_worker_out_of_memory(scene, tmp_path, monkeypatch):
    """Dask's limit is less than Python and its libraries take, so that every worker is ended by its nanny."""
    monkeypatch.setattr(dispatch, "WAIT_FOR_WORKERS", 5)
    run = Run(command(scene, "roads", tmp_path / "out", "--cluster", "local:1", "--memory", "100"))
    code, last = run.wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "memory" in last["text"] + last["hint"]


def test_paused_workers_are_reported(scene, make_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "WAIT_FOR_WORKERS", 0.5)
    cluster = make_cluster(workers=0)
    cluster.start_worker("--memory-limit", "1GB", DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE="0.01")
    code, last = Run(command(scene, "roads", tmp_path / "out", "--cluster", cluster.address)).wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "All workers are paused" in last["text"]


def test_cancel_ends_the_run_and_the_tasks_and_keeps_finished_blocks(scene, expected, make_cluster, tmp_path):
    cluster, out = make_cluster(), tmp_path / "out"
    arguments = command(scene, "roads", out, "--cluster", cluster.address)
    cluster.hold("array", 30)
    run = Run(arguments)
    cluster.wait_until_held()
    before = finished_blocks(out / ROADS)
    run.cancellation.cancel()
    code, last = run.wait()  # although the worker is held
    assert (code, last["code"]) == (3, "Cancelled"), last
    assert "--resume" in run.events()[-2]["text"]
    cluster.release()
    code, last = Run([*arguments, "--resume"]).wait()  # the worker takes it when the cancelled block has ended
    assert code == 0, last
    assert before
    assert read(out) == expected("roads")


def test_cancel_ends_own_workers_that_are_held(scene, tmp_path, monkeypatch):
    """A worker that does not come back, such as one whose driver hangs, ends with the run that started it."""
    folder, out = tmp_path / "hold", tmp_path / "out"
    folder.mkdir()
    cluster = Cluster(folder)
    cluster.hold("array", 30)
    monkeypatch.setenv(HOLD, str(folder))
    with dask.config.set({"distributed.worker.preload": [str(HERE / "hold_worker.py")]}):
        run = Run(command(scene, "roads", out, "--cluster", "local:1"))
        pid = cluster.wait_until_held()
    before = finished_blocks(out / ROADS)
    assert before
    run.cancellation.cancel()
    code, last = run.wait()
    assert (code, last["code"]) == (3, "Cancelled"), last
    assert cluster.is_held()
    assert not psutil.pid_exists(pid)
    assert finished_blocks(out / ROADS) == before


def test_cancelled_block_stops_between_batches(scene, make_cluster, tmp_path):
    cluster, out = make_cluster(), tmp_path / "out"
    cluster.hold("predict", 25)
    run = Run(command(scene, "roads", out, "--cluster", cluster.address, "--tta"))
    cluster.wait_until_held()
    run.cancellation.cancel()
    run.wait()
    kept = finished_blocks(out / ROADS)
    cluster.release()  # the next run begins when the cancelled block has ended
    code, _ = Run(command(scene, "roads", tmp_path / "other", "--cluster", cluster.address)).wait()
    assert code == 0
    assert finished_blocks(out / ROADS) == kept


def test_full_disk_is_reported_and_the_run_resumes(scene, expected, shared_cluster, small_disk):
    arguments = command(scene, "classes", small_disk, "--cluster", shared_cluster.address)
    code, last = Run(arguments).wait()
    assert (code, last["code"]) == (2, "DiskFullError"), last
    assert read(small_disk) == {}
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    code, last = Run([*arguments, "--resume"]).wait()
    assert code == 0, last
    assert read(small_disk) == expected("classes")
