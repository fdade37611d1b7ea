"""Polygons that workers vectorize by partitions are those of one process, also after faults and when resumed."""

from __future__ import annotations

import os
import subprocess

import pytest
from dask_cluster import Run, command, read
from terraspore.engine.cluster import partitions
from terraspore.engine.fs.journal import BLOCKS, journal_folder
from terraspore.engine.vector.coverage import extract
from terraspore.engine.vector.coverage.breaks import Breaks

#: Rows and columns of partitions of the image.
ROWS, COLUMNS = 3, 3


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    """Arcs end at the borders of partitions of 128 pixels, in one process, too."""
    monkeypatch.setattr(extract, "BREAKS", Breaks(32, 128))
    monkeypatch.setattr(partitions, "PARTITION", 128)


def sort_features(folder):
    """Return the content of a folder, with features in the order of their numbers and without that of their storage."""
    content = read(folder)
    for name in [name for name in content if name.endswith(".gpkg")]:
        layers = content[name].items()
        content[name] = {layer: sorted((row[2], row[1], *row[3:]) for row in rows) for layer, rows in layers}
    return content


def texts(run):
    return [event["text"] for event in run.events() if event["type"] == "message"]


def traced_partitions(out, suffix=".polygons"):
    """The files of finished partitions, with the time of their last change."""
    files = (journal_folder(out / "c.tif") / BLOCKS).glob(f"polygons-*/[0-9]*{suffix}")
    return {path.name: path.stat().st_mtime_ns for path in files}


@pytest.fixture
def whole(scene, tmp_path):
    """What one process gives."""
    code, last = Run(command(scene, "classes", tmp_path / "whole")).wait()
    assert code == 0, last
    content = sort_features(tmp_path / "whole")
    [features] = content["v.gpkg"].values()
    assert len(features) > 8
    return content


def test_partitions_give_what_one_process_gives(scene, whole, shared_cluster, tmp_path):
    arguments = command(scene, "classes", tmp_path / "out", "--cluster", shared_cluster.address)
    run = Run(arguments)
    code, last = run.wait()
    assert code == 0, last
    assert sort_features(tmp_path / "out") == whole
    assert [last["summary"]["polygons"]] == [len(features) for features in whole["v.gpkg"].values()]
    assert any(f"the polygons in {ROWS * COLUMNS} partitions" in text for text in texts(run))
    assert not journal_folder(tmp_path / "out" / "c.tif").exists()


def test_polygons_without_rasters(scene, whole, shared_cluster, tmp_path):
    arguments = command(scene, "classes", tmp_path / "out", "--cluster", shared_cluster.address)
    first, last = arguments.index("-o"), arguments.index("--vectors")
    code, event = Run(["segment", arguments[1], "-o", str(tmp_path / "out" / "c.tif"), *arguments[last:]]).wait()
    assert code == 0, (event, first)
    assert sort_features(tmp_path / "out")["v.gpkg"] == whole["v.gpkg"]


def test_road_areas(scene, shared_cluster, tmp_path):
    code, last = Run(command(scene, "roads", tmp_path / "whole")).wait()
    assert code == 0, last
    run = Run(command(scene, "roads", tmp_path / "out", "--cluster", shared_cluster.address))
    code, last = run.wait()
    assert code == 0, last
    found = sort_features(tmp_path / "out")
    assert found == sort_features(tmp_path / "whole")
    assert found["r.gpkg"]["road_areas"]
    assert any(f"the road areas in {ROWS * COLUMNS} partitions" in text for text in texts(run))


def test_run_that_ends_between_partitions_is_resumed(scene, whole, shared_cluster, tmp_path, monkeypatch):
    out = tmp_path / "out"
    arguments = command(scene, "classes", out, "--cluster", shared_cluster.address)

    def fail(*_arguments, **_keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(partitions.PartitionedLandcover, "write", fail)
        code, _ = Run(arguments).wait()
    assert code == 3
    before = traced_partitions(out)
    assert len(before) == ROWS * COLUMNS
    resumed = Run([*arguments, "--resume"])
    code, last = resumed.wait()
    assert code == 0, last
    assert any(f"{ROWS * COLUMNS} of {ROWS * COLUMNS} partitions of the polygons" in text for text in texts(resumed))
    assert sort_features(out) == whole


@pytest.mark.parametrize(
    ("step", "number", "suffix", "finished"),
    [
        ("measure", 4, ".regions", 3),
        ("measured", 4, ".regions", 4),
        ("trace", 2, ".polygons", None),
        ("traced", 4, ".polygons", 4),
    ],
)
def test_worker_killed_in_a_partition(scene, whole, make_cluster, tmp_path, step, number, suffix, finished):
    cluster, out = make_cluster(), tmp_path / "out"
    cluster.hold(step, number)
    run = Run(command(scene, "classes", out, "--cluster", cluster.address))
    cluster.kill_worker(cluster.wait_until_held())
    before = traced_partitions(out, suffix)
    assert len(before) == finished or (finished is None and len(before) < ROWS * COLUMNS)
    cluster.hold("traced", ROWS * COLUMNS - len(before) * (suffix == ".polygons"))  # the last one
    cluster.start_worker()
    cluster.wait_until_held()
    after = traced_partitions(out, suffix)
    assert len(after) == len(traced_partitions(out)) == ROWS * COLUMNS
    assert {name: after[name] for name in before} == before
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert sort_features(out) == whole


@pytest.mark.parametrize(("step", "number", "traced"), [("measure", 4, 0), ("traced", 3, 3)])
def test_cancelled_run_is_resumed(scene, whole, make_cluster, tmp_path, step, number, traced):
    cluster, out = make_cluster(), tmp_path / "out"
    arguments = command(scene, "classes", out, "--cluster", cluster.address)
    cluster.hold(step, number)
    run = Run(arguments)
    pid = cluster.wait_until_held()
    run.cancellation.cancel()
    code, last = run.wait()  # although the worker is held
    assert (code, last["code"]) == (3, "Cancelled"), last
    kept = f", and {traced} of {ROWS * COLUMNS} partitions of the polygons"
    assert (kept in texts(run)[-1]) == bool(traced)
    assert read(out) == {}
    before = traced_partitions(out)
    assert len(before) == traced
    cluster.kill_worker(pid)
    for name in sorted(before)[:1]:  # one of them is damaged, one is another partition
        folder = next((journal_folder(out / "c.tif") / BLOCKS).glob("polygons-*"))
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])
        (folder / max(before)).write_bytes((folder / sorted(before)[1]).read_bytes())
    cluster.release()
    cluster.start_worker()
    resumed = Run([*arguments, "--resume"])
    code, last = resumed.wait()
    assert code == 0, last
    assert sort_features(out) == whole


@pytest.mark.parametrize("step", ["measure", "trace"])
def test_full_disk_in_a_partition(scene, whole, make_cluster, small_disk, step):
    cluster = make_cluster()
    arguments = command(scene, "classes", small_disk, "--cluster", cluster.address)
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    cluster.hold(step, 1)
    run = Run(arguments)
    cluster.wait_until_held()
    disk = os.statvfs(small_disk)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    subprocess.run(["mount", "-o", f"remount,size={used}", small_disk], check=True)
    cluster.release()
    code, last = run.wait()
    assert (code, last["code"]) == (2, "DiskFullError"), last
    assert read(small_disk) == {}
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    code, last = Run([*arguments, "--resume"]).wait()
    assert code == 0, last
    assert sort_features(small_disk) == whole
