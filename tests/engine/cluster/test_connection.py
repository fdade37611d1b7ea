"""What a person is told of a scheduler that cannot be used, and the workers that a run starts by itself."""

from __future__ import annotations

import gc
import shutil
import socket
import subprocess
import sys
import threading

import dask
import psutil
import pytest
from dask_cluster import Run, command, read
from distributed import Client
from hold_worker import PRETENDED_VERSION
from terraspore.engine.cluster import computer, connection, dispatch
from terraspore.engine.errors import ClusterError
from terraspore.engine.fs.journal import journal_folder
from waiting import wait_for


def fail(scene, tmp_path, *options, kind="roads"):
    """Run a command that has to fail with the code 2 and leave nothing; return its error."""
    code, last = Run(command(scene, kind, tmp_path / "out", *options)).wait()
    assert (code, last["type"]) == (2, "error"), last
    assert list((tmp_path / "out").iterdir()) == []
    return last


@pytest.mark.parametrize("address", ["machine", "local:0", "local:two", "http://machine:8786", "tcp://", ""])
def test_addresses_that_are_none(scene, tmp_path, address):
    last = fail(scene, tmp_path, "--cluster", address)
    assert last["code"] == "ParameterError"
    assert f"'{address}'" in last["text"]


def test_nobody_listens(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    last = fail(scene, tmp_path, "--cluster", "tcp://127.0.0.1:1")
    assert "No scheduler answers at tcp://127.0.0.1:1" in last["text"]
    assert "local:N" in last["hint"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "sends nothing"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4, "another program"),
        (bytes(4096), "another program"),
        (bytes([64, *bytes(7), 1, *bytes(7), 8, *bytes(47)]), "127.0.0.1"),
    ],
)
def test_another_program_listens(scene, tmp_path, monkeypatch, sent, reason, capfd):
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    accepted = []

    def serve():
        accepted.append(server.accept()[0])
        accepted[0].sendall(sent)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        last = fail(scene, tmp_path, "--cluster", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
        accepted[0].close()
    assert last["code"] == "ClusterError"
    assert "No scheduler answers at tcp://127.0.0.1:" in last["text"]
    assert reason in last["text"]
    assert "Traceback" not in capfd.readouterr().err


def test_scheduler_without_workers(scene, make_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "WAIT_FOR_WORKERS", 0.5)
    cluster = make_cluster(workers=0)
    last = fail(scene, tmp_path, "--cluster", cluster.address)
    assert "has had no worker" in last["text"]
    assert f"dask worker {cluster.address}" in last["hint"]


def test_workers_that_all_end(scene, make_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "WAIT_FOR_WORKERS", 0.5)
    cluster = make_cluster()
    cluster.hold("array", 20)
    run = Run(command(scene, "roads", tmp_path / "out", "--cluster", cluster.address))
    cluster.kill_worker(cluster.wait_until_held())
    code, last = run.wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "has had no worker" in last["text"]


def test_worker_of_another_version(scene, make_cluster, tmp_path):
    cluster = make_cluster(workers=0)
    cluster.start_worker(**{PRETENDED_VERSION: "9.9"})
    last = fail(scene, tmp_path, "--cluster", cluster.address)
    assert "TerraSpore is 9.9 on the worker tcp://127.0.0.1:" in last["text"]


@pytest.mark.parametrize("place", range(4))
def test_every_version_is_compared(place):
    own = connection.read_versions()
    connection._compare_versions(own, own, "the worker")
    other = {**own, list(own)[place]: "0.0"}
    with pytest.raises(ClusterError, match=r"is 0\.0 on the worker, and "):
        connection._compare_versions(own, other, "the worker")
    with pytest.raises(ClusterError, match="cannot be used on the worker: No module named 'terraspore'"):
        connection._compare_versions(own, ModuleNotFoundError("No module named 'terraspore'"), "the worker")


def test_worker_that_does_not_see_the_folder_of_the_output(scene, make_cluster, tmp_path):
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("another view of the file system needs root, outside of a chroot")
    cluster, out = make_cluster(workers=0), tmp_path / "out"
    arguments = command(scene, "roads", out, "--cluster", cluster.address)
    cluster.start_worker(prefix=("unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(out)))
    code, last = Run(arguments).wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "On the worker tcp://127.0.0.1:" in last["text"]
    assert "folder of the output" in last["text"]


def test_only_workers_with_the_device_compute(scene, expected, make_cluster, tmp_path, monkeypatch):
    monkeypatch.setitem(computer._RESOURCES, "cpu", "GPU")  # as if the processor were a graphics card
    cluster, out = make_cluster(), tmp_path / "out"
    card = cluster.start_worker("--resources", "GPU=1")
    cluster.wait_for_workers(2)
    cluster.hold("array", 1)
    run = Run(command(scene, "roads", out, "--cluster", cluster.address))
    assert cluster.wait_until_held() == card.pid
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert "1 worker with" in next(event["reason"] for event in run.events() if event["type"] == "plan")
    assert read(out) == expected("roads")


@pytest.mark.parametrize(
    ("device", "found", "resources"),
    [
        ("cuda:1", ("GPU",), {"GPU": 1}),
        ("ascend", ("GPU", "NPU"), {"NPU": 1}),
        ("ascend", ("GPU",), {}),
        ("cpu", ("GPU",), {}),
        ("auto", (), {}),
    ],
)
def test_resource_of_a_device(device, found, resources):
    workers = {"tcp://a": frozenset(found), "tcp://b": frozenset()}
    assert computer._choose_resources(workers, device) == resources


def test_limit_of_memory_is_for_own_workers(scene, tmp_path):
    last = fail(scene, tmp_path, "--cluster", "tcp://127.0.0.1:1", "--memory", "900")
    assert "--memory-limit" in last["hint"]


def test_dasks_own_encryption(scene, expected, make_cluster, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("certificates are made by openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", key, "-out", certificate)
    subprocess.run(["openssl", "req", "-x509", *options, *files], check=True, capture_output=True)
    settings = {"ca-file": certificate}
    for role in ("client", "scheduler", "worker"):
        settings |= {f"{role}.cert": certificate, f"{role}.key": key}
    settings = {f"distributed.comm.tls.{name}": str(path) for name, path in settings.items()}
    names = {f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": path for name, path in settings.items()}
    cluster = make_cluster(scheme="tls", DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="True", **names)
    arguments = command(scene, "roads", tmp_path / "out", "--cluster", cluster.address)
    code, last = Run(arguments).wait()
    assert (code, last["code"]) == (2, "ClusterError"), last
    assert "TLS" in last["text"]
    with dask.config.set(settings):
        code, last = Run(arguments).wait()
    assert code == 0, last
    assert read(tmp_path / "out") == expected("roads")


def test_no_client_is_left_open_by_a_failed_connection(scene, tmp_path):
    # Where the garbage collector closes it in the thread of the next client's event loop, the next run fails.
    last = fail(scene, tmp_path, "--cluster", "tls://127.0.0.1:1")
    assert "TLS" in last["text"]
    clients = [thing for thing in gc.get_objects() if isinstance(thing, Client)]
    assert {client.status for client in clients} <= {"closed", "newly-created"}


def test_dask_is_not_installed(scene, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("terraspore.engine.cluster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    last = fail(scene, tmp_path, "--cluster", "local:2")
    assert "needs Dask" in last["text"]
    assert "terraspore[cluster]" in last["hint"]


def test_own_workers_give_what_one_process_gives_and_end(scene, expected, tmp_path):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    code, last = Run(command(scene, "roads", tmp_path / "out", "--cluster", "local:2", "--memory", "4000")).wait()
    assert code == 0, last
    assert read(tmp_path / "out") == expected("roads")

    def is_worker(process):
        try:
            return process.pid not in before and "spawn_main" in "".join(process.cmdline())
        except psutil.NoSuchProcess:  # it has just ended
            return False

    wait_for(lambda: not any(map(is_worker, psutil.Process().children(recursive=True))))


def test_run_in_one_process_does_not_take_the_blocks_of_a_cluster(scene, make_cluster, tmp_path):
    cluster, out = make_cluster(), tmp_path / "out"
    cluster.hold("written", 2)
    arguments = command(scene, "roads", out)
    run = Run([*arguments, "--cluster", cluster.address])
    cluster.wait_until_held()
    run.cancellation.cancel()
    run.wait()
    code, last = Run([*arguments, "--resume"]).wait()
    assert (code, last["code"]) == (2, "ResumeError"), last
    assert "--cluster" in last["text"]
    assert journal_folder(out / "r.gpkg").exists()
    run = Run(arguments)
    code, last = run.wait()
    assert code == 0, last
    assert any("ran with --cluster; it is removed" in event.get("text", "") for event in run.events())
    assert not journal_folder(out / "r.gpkg").exists()
