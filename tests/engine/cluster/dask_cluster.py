"""A scheduler and workers as processes, and commands in a thread of the test."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Client
from free_port import find_free_port
from hold_worker import HOLD
from terraspore.__main__ import create_network
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext
from terraspore.engine.context import Cancellation
from terraspore.engine.fs.journal import BLOCKS, journal_folder
from waiting import wait_for

HERE = Path(__file__).parent
ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--json")


@dataclass
class Cluster:
    """A scheduler at one address, which can be started again, and its workers.

    Attributes:
        folder: of the processes' logs, and of the files by which workers are held.
        environment: additional variables of the processes.
        scheme: ``tcp`` or ``tls``.
        port: of the scheduler.
        scheduler: its process.
        workers: by process id.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    scheme: str = "tcp"
    port: int = 0
    scheduler: subprocess.Popen | None = None
    workers: dict[int, subprocess.Popen] = field(default_factory=dict)

    @property
    def address(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self):
        self.port = self.port or find_free_port()
        arguments = (
            "dask_scheduler",
            "--host",
            f"{self.scheme}://127.0.0.1",
            "--port",
            str(self.port),
            "--no-dashboard",
        )
        self.scheduler = self._start("scheduler", arguments)
        wait_for(self._listens)

    def start_worker(self, *arguments, prefix=(), **environment):
        """Start a worker without Dask's nanny, which would start it again."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60", *arguments)
        preload = ("--preload", str(HERE / "hold_worker.py"), "--local-directory", str(self.folder))
        command = ("dask_worker", self.address, *options, *preload)
        worker = self._start(f"worker-{len(self.workers)}", command, prefix, environment)
        self.workers[worker.pid] = worker
        return worker

    def _start(self, name, command, prefix=(), environment=()):
        module, *arguments = command
        variables = {**os.environ, HOLD: str(self.folder), **self.environment, **dict(environment)}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                env=variables, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _listens(self):
        with closing(socket.socket()) as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_for_workers(self, count):
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=300)

    def hold(self, step, number=1):
        """Have a worker held at a step."""
        for path in self.folder.glob(f"{step}-*"):
            path.unlink()
        (self.folder / "reached").unlink(missing_ok=True)
        (self.folder / "hold").write_text(f"{step} {number}")

    def is_held(self):
        return (self.folder / "reached").exists()

    def wait_until_held(self):
        """Wait for the held worker and return its process id."""
        return int(wait_for(lambda: (reached := self.folder / "reached").exists() and reached.read_text()))

    def release(self):
        (self.folder / "hold").unlink()

    def kill_worker(self, pid):
        os.kill(pid, signal.SIGKILL)
        self.workers.pop(pid).wait()

    def kill_scheduler(self):
        self.scheduler.kill()
        self.scheduler.wait()

    def close(self):
        (self.folder / "hold").unlink(missing_ok=True)
        for process in [*self.workers.values(), self.scheduler]:
            if process is not None:
                process.kill()
                process.wait()


def command(scene, kind, out, *options):
    """The arguments of a run that writes to the folder ``out``."""
    out.mkdir(exist_ok=True)
    image, model = str(scene / "image.tif"), ("--model", str(scene / kind))
    if kind == "roads":
        outputs = ("-o", str(out / "r.gpkg"), "--probability", str(out / "p.tif"))
        return ["extract", "roads", image, *outputs, *model, *ONNX, *options]
    outputs = ("-o", str(out / "c.tif"), "--confidence", str(out / "f.tif"), "--probability", str(out / "p.tif"))
    return ["segment", image, *outputs, "--vectors", str(out / "v.gpkg"), *model, *ONNX, *options]


class Run:
    """A command in a thread of this process.

    Args:
        arguments: after ``terraspore``.
    """

    def __init__(self, arguments):
        self.cancellation, self._out = Cancellation(), io.StringIO()
        context = CliContext(
            network_factory=create_network, stdout=self._out, stderr=io.StringIO(), cancellation=self.cancellation
        )
        self._pool = ThreadPoolExecutor(1)
        self._code = self._pool.submit(run, [*map(str, arguments)], cli_context=context)

    def is_running(self):
        return not self._code.done()

    def events(self):
        return [json.loads(line) for line in self._out.getvalue().splitlines()]

    def wait(self):
        """Wait for the end; return the exit code and the last event."""
        code = self._code.result(timeout=800)
        self._pool.shutdown()
        return code, self.events()[-1]


def read(folder):
    """The content of the files in ``folder`` that are not hidden, by name: features of vectors, bytes of others."""
    return {path.name: read_file(path) for path in folder.iterdir() if not path.name.startswith(".")}


def read_file(path):
    if path.suffix != ".gpkg":
        return path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        layers = [row[0] for row in database.execute("SELECT table_name FROM gpkg_contents WHERE data_type='features'")]
        return {layer: database.execute(f'SELECT * FROM "{layer}" ORDER BY fid').fetchall() for layer in layers}


def finished_blocks(output):
    """The files of finished blocks, with the time of their last change."""
    files = (journal_folder(output) / BLOCKS).glob("*/[0-9]*.zip")
    return {f"{path.parent.name}/{path.name}": path.stat().st_mtime_ns for path in files}
