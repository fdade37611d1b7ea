"""Measure a mosaic on one process, on two workers of this machine and on two "hosts", which are network namespaces.

The same roads have to come out of all of them. Processor time is that of all processes, with their start; the memory
of a worker is the peak of its resident pages. The default model is judged by the aim. A model of one convolution, which
takes next to no time, shows what the cluster itself costs.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import rasterio
from degraded import degrade_coverage, draw_coverage, make_difficult_roads
from measure import terraspore_command
from models import bundled_model, trivial_model
from mosaic import write_mosaic
from numpy.typing import NDArray
from rows import Row, show
from terraspore.engine.models.registry import Model

#: Aims: processor time against one process, and peak memory of a worker in MB.
_OVERHEAD_AIM, _MEMORY_AIM, _GROWTH_AIM = 1.15, 1500.0, 1.20
#: From so many pixels workers vectorize partitions. Only from three of them on, one has neighbours on all sides.
_PARTITIONED = 25_000
_FILES = 6
#: The side in pixels that the default model computes, too, or the largest one if that is smaller.
_WITH_NETWORK = 30_000
#: Pixels of the drawn network, which is repeated in mirrored copies: files of twice as much fit together.
_NETWORK, _SEED = 1250, 2
#: Grey values of the picture, so that files are small.
_GREYS = 32
_POLL = 0.1
_SUBNET = "10.201.77"
#: As docs/cluster.md advises for workers that are started by hand.
_DASK_SETTINGS = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "2s",
}


@dataclass
class Usage:
    """What one way to compute a mosaic took.

    Attributes:
        seconds: from the start of the command to its end.
        cpu: seconds of all processors, of all its processes.
        worker_bytes: peak resident memory of the largest worker.
        features: the layers of the result.
    """

    seconds: float
    cpu: float
    worker_bytes: int
    features: dict[str, list[tuple[object, ...]]] = field(repr=False)


def compare_clusters(folder: Path, sizes: Sequence[int], *, judged: bool) -> list[Row]:
    """Compute square mosaics of 36 files, or 4 of a small one, in each way; one also with a network.

    Args:
        folder: for temporary files.
        sizes: pixels of a side, ascending; multiples of 5,000, or of 15,000 for 36 files.
        judged: whether the sizes are large enough for the aims; the start of processes decides over small ones.
    """
    rows, memory = [], {}
    network, trivial = bundled_model("dlinknet_efficientnet_lite2", "roads"), trivial_model(folder)
    assert network is not None, "the default road model is bundled"
    for size in sizes:
        files = 2 if size < 6000 else _FILES
        images = folder / f"images-{size}"
        images.mkdir()
        write_images(images, size, files)
        for model in (trivial, network) if size == min(sizes[-1], _WITH_NETWORK) else (trivial,):
            title = f"{size} x {size} of {files * files} files with {model.card.name}"
            aim = _OVERHEAD_AIM if judged and model is network else None
            run = Comparison(images, folder, model, title, judged, aim)
            rows += run.measure()
            memory.setdefault(size, run.worker_bytes)
        shutil.rmtree(images)
    partitioned = [size for size in sizes if size >= _PARTITIONED]
    if len(partitioned) > 1:
        small, large = partitioned[0], partitioned[-1]
        growth = memory[large] / memory[small]
        name = f"memory of a worker at {large} against {small} pixels"
        rows.append(show(Row(name, "times", growth, _GROWTH_AIM if judged else None, growth)))
    return rows


def write_images(folder: Path, size: int, files: int) -> None:
    """Write ``files`` x ``files`` copies of an image that cover ``size`` x ``size`` pixels of 1 m without gaps.

    Raises:
        ValueError: roads would end at the borders of the files.
    """
    side = size // files
    if side * files != size or side % (2 * _NETWORK):
        raise ValueError(f"{files} x {files} files do not cover {size} pixels in mirrored copies")
    first = folder / "0-0.tif"
    write_mosaic(first, (side, side), draw_picture())
    for row in range(files):
        for column in range(files):
            path = folder / f"{row}-{column}.tif"
            if path != first:
                shutil.copyfile(first, path)
            with rasterio.open(path, "r+") as dataset:
                shift = rasterio.Affine.translation(column * side, row * side)
                dataset.transform = dataset.transform @ shift


def draw_picture() -> NDArray[np.uint8]:
    """Draw a degraded road network as grey values, (3, rows, columns)."""
    roads = make_difficult_roads(_SEED, _NETWORK)
    probability = degrade_coverage(draw_coverage(roads), roads, _SEED)
    grey = np.rint(probability * (_GREYS - 1)).clip(0, _GREYS - 1).astype(np.uint8) * (256 // _GREYS)
    return np.repeat(grey[np.newaxis], 3, axis=0)


@dataclass
class Comparison:
    """Ways to compute the roads of one mosaic.

    Attributes:
        images: folder of the mosaic.
        folder: for the results.
        model: computes the probabilities.
        title: of the mosaic.
        judged: whether it is large enough for aims.
        overhead_aim: processor time against one process, or None.
        worker_bytes: peak memory of a worker of this machine.
    """

    images: Path
    folder: Path
    model: Model
    title: str
    judged: bool
    overhead_aim: float | None
    worker_bytes: int = 0

    def measure(self) -> list[Row]:
        """Measure all ways; the results have to be equal.

        Raises:
            SystemExit: a command failed, or its result is another one.
        """
        if not self.judged:
            self._run([])  # fills the caches of models and kernels, which take longer than a small mosaic
        single = self._run([])
        note = f"{single.seconds:.0f} s, {single.cpu:.0f} s of processor time, {count(single)}"
        rows = [Row(f"{self.title}: one process", "s", single.seconds, note=note)]
        local = self._run(["--cluster", "local:2"])
        self.worker_bytes = local.worker_bytes
        rows += self._rows("two workers", local, single)
        with ExitStack() as stack:
            hosts = stack.enter_context(two_hosts())
            if hosts is not None:
                apart = self._run(["--cluster", hosts.address], hosts.processes)
                rows += self._rows("two hosts", apart, single)
        return [show(row) for row in rows]

    def _rows(self, kind: str, usage: Usage, single: Usage) -> list[Row]:
        if usage.features != single.features:
            sys.exit(f"{self.title}: {kind} give other roads than one process")
        ratio = usage.cpu / single.cpu
        note = f"identical features; {usage.seconds:.0f} s, {usage.cpu:.0f} s of processor time"
        memory_aim = _MEMORY_AIM if self.judged else None
        return [
            Row(
                f"{self.title}: processor time of {kind} / one process", "times", ratio, self.overhead_aim, ratio, note
            ),
            Row(f"{self.title}: memory of a worker of {kind}", "MB", usage.worker_bytes / 1e6, memory_aim),
        ]

    def _run(self, options: Sequence[str], workers: Sequence[psutil.Process] = ()) -> Usage:
        output = self.folder / f"roads-{secrets.token_hex(3)}.gpkg"
        arguments = ("extract", "roads", str(self.images), "-o", output, "--model", self.model.weights.parent)
        before, begin = os.times(), time.perf_counter()
        used = sum_processor_time(workers)
        process = subprocess.Popen(
            [*terraspore_command(*arguments), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        with watch_memory(process.pid, workers) as peak:
            text, _ = process.communicate()
        seconds, after = time.perf_counter() - begin, os.times()
        if process.returncode:
            sys.exit(f"{' '.join(map(str, arguments))} {' '.join(options)} failed:\n{text[-3000:]}")
        own = after.children_user - before.children_user + after.children_system - before.children_system
        features = read_features(output)
        output.unlink()
        return Usage(seconds, own + sum_processor_time(workers) - used, max(peak.values(), default=0), features)


def count(usage: Usage) -> str:
    """Return the number of features of each layer as text."""
    return ", ".join(f"{len(rows)} {layer}" for layer, rows in usage.features.items())


def sum_processor_time(processes: Sequence[psutil.Process]) -> float:
    """Return the processor seconds that ``processes`` have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextmanager
def watch_memory(pid: int, workers: Sequence[psutil.Process]) -> Iterator[dict[int, int]]:
    """Record the peak memory of each worker: of ``workers``, or else of the processes that ``pid`` has spawned."""
    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            try:
                found = [*workers] or [
                    child for child in psutil.Process(pid).children(recursive=True) if is_worker(child)
                ]
                for process in found:
                    peaks[process.pid] = max(peaks.get(process.pid, 0), process.memory_info().rss)
            except psutil.Error:
                continue  # it has just ended

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def is_worker(process: psutil.Process) -> bool:
    """Whether a process was spawned to be a worker."""
    return "spawn_main" in " ".join(process.cmdline())


def read_features(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all layers of a GeoPackage in the order of their numbers, not in that of partitions."""
    with closing(sqlite3.connect(path)) as database:
        layers = [row[0] for row in database.execute("SELECT table_name FROM gpkg_contents WHERE data_type='features'")]
        rows = {layer: database.execute(f'SELECT * FROM "{layer}"').fetchall() for layer in layers}
    return {layer: sorted((row[2], row[1], *row[3:]) for row in found) for layer, found in rows.items()}


@dataclass(frozen=True)
class Hosts:
    """A scheduler and a worker in each of two network namespaces.

    Attributes:
        address: of the scheduler.
        processes: the workers.
    """

    address: str
    processes: list[psutil.Process]


@contextmanager
def two_hosts() -> Iterator[Hosts | None]:
    """Make two network namespaces that reach this one over a bridge, with a worker in each; None without root."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("  two hosts are left out: network namespaces need root and the command ip", flush=True)
        yield None
        return
    mark = secrets.token_hex(2)
    bridge, names = f"tsbr{mark}", [f"ts{mark}{letter}" for letter in "ab"]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ip("link", "add", bridge, "type", "bridge")
        stack.callback(ip, "link", "del", bridge)
        ip("addr", "add", f"{_SUBNET}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, name in enumerate(names, 2):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}v", "master", bridge, "up")
            ip("-n", name, "addr", "add", f"{_SUBNET}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        address = f"tcp://{_SUBNET}.1:8786"
        start_dask(stack, [], "dask_scheduler", "--host", f"{_SUBNET}.1", "--port", "8786", "--no-dashboard")
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", folder)
        inside = [["ip", "netns", "exec", name] for name in names]
        processes = [start_dask(stack, prefix, "dask_worker", address, *options) for prefix in inside]
        yield Hosts(address, [psutil.Process(process.pid) for process in processes])


def ip(*arguments: str) -> None:
    """Run the command ``ip``."""
    subprocess.run(["ip", *arguments], check=True)


def start_dask(stack: ExitStack, prefix: Sequence[str], module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a process of Dask that ends with ``stack``; ``ip netns exec`` becomes the process that it starts."""
    command = [*prefix, sys.executable, "-m", f"distributed.cli.{module}", *arguments]
    process = subprocess.Popen(
        command, env=os.environ | _DASK_SETTINGS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process
