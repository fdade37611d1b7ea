"""A small world for faults: an image, models of one convolution, and the engine as a process that starts at once."""

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
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from terraspore.engine.fs.lock import is_locked

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


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


class Zygote:
    """The process that forks engines; see ``engine_child``."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, HERE / "engine_child.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **message):
        """Send a message and give the answer."""
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@dataclass
class Started:
    """A running engine."""

    zygote: Zygote
    pid: int
    said: Path
    code: int | None = None

    def events(self):
        """What it has said so far."""
        return read_events(self.said)

    def alive(self):
        """Whether it has not ended."""
        if self.code is None:
            self.code = self.zygote.ask(poll=self.pid)
        return self.code is None

    def wait_for(self, condition):
        """Until an event fulfils ``condition``, or the process ends."""
        while self.alive() and not any(condition(event) for event in self.events()):
            time.sleep(0.005)

    def signal(self, number):
        """Send a signal."""
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """End it at once, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait(30)

    def wait(self, seconds=100):
        """Wait for its end."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"the engine did not end; it said {self.events()[-2:]} and {self.errors()}")
            time.sleep(0.005)

    def errors(self):
        """What it wrote to stderr."""
        return Path(f"{self.said}.err").read_text("utf-8", "replace")

    def end(self):
        """Wait for its end; the exit code and the last event."""
        self.wait()
        assert "Traceback" not in self.errors(), self.errors()
        said = self.events()
        return self.code, said[-1] if said else None


@dataclass(frozen=True)
class World:
    """The image, the models, and words for commands."""

    image: Path
    roads: Path
    classes: Path
    zygote: Zygote
    scratch: Path

    def words(self, kind, out, *more, image=None, output=None):
        """The command line of a kind of run into the folder ``out``."""
        image = str(image or self.image)
        if kind == "roads":
            words = [
                "extract",
                "roads",
                image,
                "-o",
                str(output or out / "r.gpkg"),
                "--probability",
                str(out / "p.tif"),
            ]
            return [*words, "--model", str(self.roads), *ONNX, *more]
        words = ["segment", image, "-o", str(output or out / "c.tif"), "--confidence", str(out / "f.tif")]
        return [*words, "--model", str(self.classes), *ONNX, *more]

    def start(self, words, **environment):
        """Start the engine in a process that has everything imported."""
        said = Path(tempfile.mkstemp(dir=self.scratch, suffix=".events")[1])
        number = self.zygote.ask(arguments=list(words), said=str(said), environment=environment)
        return Started(self.zygote, number, said)

    def run(self, words, **environment):
        """Run the engine to its end; exit code and last event."""
        return self.start(words, **environment).end()


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
def world(scratch, make_model):
    """Roads of five levels of brightness, so that no tile is like the other."""
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
    zygote = Zygote()
    yield World(image, *models, zygote, scratch)
    zygote.close()


def features(path):
    """All layers of a GeoPackage as rows, in their order."""
    with closing(sqlite3.connect(path)) as database:
        layers = [row[0] for row in database.execute("SELECT table_name FROM gpkg_contents WHERE data_type='features'")]
        return {layer: database.execute(f'SELECT * FROM "{layer}" ORDER BY fid').fetchall() for layer in layers}


def content(path):
    """What has to be identical: the bytes of a raster, the features of a GeoPackage."""
    return features(path) if path.suffix == ".gpkg" else hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder):
    """What stands under final names in ``folder``."""
    return {path.name: content(path) for path in Path(folder).iterdir() if not path.name.startswith(".")}


@pytest.fixture(scope="session")
def reference(world, scratch):
    """For each kind of run: what an unbroken one gives, and how long it takes."""
    known = {}

    def of(kind, *more):
        if (kind, more) not in known:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            begin = time.perf_counter()
            code, last = world.run(world.words(kind, folder, *more))
            assert code == 0, last
            known[kind, more] = contents(folder), time.perf_counter() - begin
            assert names(folder) == sorted(known[kind, more][0])
        return known[kind, more]

    return of


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


def unlocked(folder):
    """Whether no output in ``folder`` is locked."""
    return not any(is_locked(Path(folder) / name) for name in ("r.gpkg", "p.tif", "c.tif", "f.tif"))
