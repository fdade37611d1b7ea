"""An image, models of one convolution, and the engine as a forked process, which starts at once."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hold_point import HoldPoint
from terraspore.engine.fs.lock import is_locked
from waiting import kill_if_late, wait_for

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

_spec = importlib.util.spec_from_file_location("engine_fixtures", HERE.parents[0] / "engine" / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
make_model, hanging_model = _fixtures.make_model, _fixtures.hanging_model

COMMAND = (sys.executable, "-m", "terraspore")
ONNX = ("--device=cpu", "--runtime=onnxruntime", "--precision=float32", "--threads=1", "--json")
ROWS, COLUMNS = 900, 700
#: Three classes of a colour each.
WEIGHTS = ((0.9, 0.0, 0.0), (0.0, 0.8, 0.1), (0.1, 0.1, 0.6))


def read_events(path):
    """The events in a file that may still be written to."""
    lines = Path(path).read_text("utf-8").split("\n")[:-1] if Path(path).exists() else []
    return [json.loads(line) for line in lines]


def list_names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


class ForkServer:
    """The process that forks engines; see ``fork_server.py``."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, HERE / "fork_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def request(self, **message):
        """Send a message and return the answer."""
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        with kill_if_late(self._process):
            return json.loads(self._process.stdout.readline())

    def close(self):
        """End the process."""
        self._process.stdin.close()
        with kill_if_late(self._process):
            self._process.wait()
        self._process.stdout.close()


@dataclass
class RunningEngine:
    """A forked engine."""

    server: ForkServer
    pid: int
    output: Path
    code: int | None = None

    def events(self):
        """The events so far."""
        return read_events(self.output)

    def errors(self):
        """The text on stderr so far."""
        return Path(f"{self.output}.err").read_text("utf-8", "replace")

    def is_running(self):
        """Whether the process has not ended."""
        if self.code is None:
            self.code = self.server.request(poll=self.pid)
        return self.code is None

    def wait_until_held(self, hold):
        """Wait until the engine is held at ``hold``, or has ended; return whether it is held."""
        wait_for(lambda: hold.is_reached() or not self.is_running())
        return hold.is_reached()

    def kill(self):
        """End the process with SIGKILL, and wait until it is gone."""
        if self.is_running():
            os.kill(self.pid, signal.SIGKILL)
        wait_for(lambda: not self.is_running())

    def wait(self):
        """Wait for the end; return the exit code and the last event."""
        try:
            wait_for(lambda: not self.is_running())
        except AssertionError:
            self.kill()
            raise AssertionError(f"the engine did not end: {self.events()[-2:]}, {self.errors()}") from None
        assert "Traceback" not in self.errors(), self.errors()
        events = self.events()
        return self.code, events[-1] if events else None


@dataclass(frozen=True)
class EngineRunner:
    """Runs the engine on one image with models of one convolution."""

    image: Path
    roads: Path
    classes: Path
    server: ForkServer
    scratch: Path

    def arguments(self, kind, out, *options, image=None, output=None):
        """The command line of a run of ``kind``, roads or classes, into the folder ``out``."""
        image = str(image or self.image)
        if kind == "roads":
            command = ["extract", "roads", image, "-o", str(output or out / "r.gpkg")]
            return [*command, "--probability", str(out / "p.tif"), "--model", str(self.roads), *ONNX, *options]
        command = ["segment", image, "-o", str(output or out / "c.tif"), "--confidence", str(out / "f.tif")]
        return [*command, "--model", str(self.classes), *ONNX, *options]

    def start(self, arguments, hold=None, **environment):
        """Start the engine in a process that has everything imported, to be held at ``hold``."""
        output = Path(tempfile.mkstemp(dir=self.scratch, suffix=".events")[1])
        if hold is not None:
            environment.update(hold.environment)
        pid = self.server.request(arguments=list(arguments), output=str(output), environment=environment)
        return RunningEngine(self.server, pid, output)

    def run(self, arguments, hold=None, **environment):
        """Run the engine to its end; return the exit code and the last event."""
        return self.start(arguments, hold, **environment).wait()


@pytest.fixture(scope="session")
def scratch():
    """A folder in memory where there is one, so that flushing costs nothing."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="terraspore-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def out(scratch):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def runner(scratch, make_model):
    """An engine with an image in which no two tiles are equal: roads over two gradients."""
    pixels = np.full((3, ROWS, COLUMNS), 20, np.uint8)
    pixels[0, 96::200] = pixels[0, 97::200] = 90
    for offset in range(9):
        pixels[0, 96 + offset :: 200] = 245
        pixels[0, :, 46 + offset :: 180] = 240
    pixels[1] = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)) % 251
    pixels[2] = np.multiply.outer(np.arange(ROWS), np.arange(COLUMNS)) % 241
    image = scratch / "image.tif"
    profile = {"driver": "GTiff", "count": 3, "height": ROWS, "width": COLUMNS, "dtype": "uint8", "crs": "EPSG:32618"}
    profile |= {"transform": rasterio.transform.from_origin(5e5, 4e6, 1, 1), "tiled": True, "blockxsize": 64}
    with rasterio.open(image, "w", **profile, blockysize=64, compress="deflate") as dataset:
        dataset.write(pixels)
    models = make_model(), make_model(WEIGHTS, task="segmentation")
    if not hasattr(os, "fork"):
        pytest.skip("engines are forked, which this system cannot do")
    server = ForkServer()
    yield EngineRunner(image, *models, server, scratch)
    server.close()


def features(path):
    """All layers of a GeoPackage as rows, in their order."""
    with closing(sqlite3.connect(path)) as database:
        layers = [row[0] for row in database.execute("SELECT table_name FROM gpkg_contents WHERE data_type='features'")]
        return {layer: database.execute(f'SELECT * FROM "{layer}" ORDER BY fid').fetchall() for layer in layers}


def content(path):
    """The part of an output that has to be identical: the bytes of a raster, the features of a GeoPackage."""
    return features(path) if path.suffix == ".gpkg" else hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder):
    """The content of the files in ``folder``, except hidden ones, by name."""
    return {path.name: content(path) for path in Path(folder).iterdir() if not path.name.startswith(".")}


@dataclass(frozen=True)
class Reference:
    """What an uninterrupted run gives.

    Attributes:
        contents: of the outputs, by name.
        steps: how many steps of each kind it has, see ``hold_point``.
    """

    contents: dict
    steps: dict


@pytest.fixture(scope="session")
def reference(runner, scratch):
    """A function that returns the ``Reference`` of a kind of run."""
    known = {}

    def make(kind, *options):
        if (kind, options) not in known:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            counted = HoldPoint(Path(tempfile.mkdtemp(dir=scratch))).set(None, watched=folder)
            code, last = runner.run(runner.arguments(kind, folder, *options), counted)
            assert code == 0, last
            known[kind, options] = Reference(contents(folder), counted.counts())
            assert list_names(folder) == sorted(known[kind, options].contents)
        return known[kind, options]

    return make


@pytest.fixture
def hold(scratch):
    """A point at which an engine can be held."""
    return HoldPoint(Path(tempfile.mkdtemp(dir=scratch)))


@pytest.fixture(scope="session")
def small_disk(scratch):
    """A function that mounts a small file system in memory; skips where that is not allowed."""
    mounted = []

    def mount(size):
        folder = Path(tempfile.mkdtemp(dir=scratch))
        done = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
                capture_output=True,
                check=False,
                text=True,
            )
            if shutil.which("mount") and hasattr(os, "geteuid") and os.geteuid() == 0
            else None
        )
        if done is None or done.returncode:
            pytest.skip("mounting a file system needs root" if done is None else done.stderr.strip())
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


def has_lock(folder):
    """Whether an output in ``folder`` is locked."""
    return any(is_locked(Path(folder) / name) for name in ("r.gpkg", "p.tif", "c.tif", "f.tif"))
