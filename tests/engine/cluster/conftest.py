"""Schedulers and workers, an image and two models."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

if importlib.util.find_spec("distributed") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from dask_cluster import Cluster, Run, command, read
from model_files import write_linear_model
from raster_files import write_raster


@pytest.fixture
def make_cluster(tmp_path):
    """A function that starts a scheduler and workers of its own."""
    started = []

    def make(workers=1, scheme="tcp", **environment):
        folder = tmp_path / f"cluster-{len(started)}"
        folder.mkdir()
        cluster = Cluster(folder, environment, scheme)
        started.append(cluster)
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        return cluster

    yield make
    for cluster in started:
        cluster.close()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    """A scheduler with two workers, for tests that leave them as they are."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.start_scheduler()
    for _ in range(2):
        cluster.start_worker()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A folder with an image in which no two tiles are equal, with a hole, and models of one convolution."""
    folder = tmp_path_factory.mktemp("scene")
    rows, columns = 420, 360
    pixels = np.full((3, rows, columns), 20, np.uint8)
    for offset in range(9):
        pixels[0, 96 + offset :: 200] = 245
        pixels[0, :, 46 + offset :: 180] = 240
    pixels[1] = np.add.outer(np.arange(rows), np.arange(columns)) % 251
    pixels[2] = np.multiply.outer(np.arange(rows), np.arange(columns)) % 241
    pixels[:, 200:330, 250:] = 255
    write_raster(folder / "image.tif", pixels, nodata=255, tiled=True, blockxsize=64, blockysize=64)
    for name, weights, task in (
        ("roads", ((1.0, 0.0, 0.0),), "roads"),
        ("classes", ((0.9, 0.0, 0.0), (0.0, 0.8, 0.1), (0.1, 0.1, 0.6)), "segmentation"),
    ):
        (folder / name).mkdir()
        write_linear_model(folder / name, weights, task=task)
    return folder


@pytest.fixture(scope="session")
def expected(scene, tmp_path_factory):
    """A function that returns what a run in one process gives."""
    known = {}

    def make(kind):
        if kind not in known:
            out = tmp_path_factory.mktemp("expected")
            code, last = Run(command(scene, kind, out)).wait()
            assert code == 0, last
            known[kind] = read(out)
        return known[kind]

    return make


@pytest.fixture
def small_disk(tmp_path):
    """A file system of little memory; skips where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = shutil.which("mount") and os.geteuid() == 0
    done = done and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False)
    if not done or done.returncode:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)
