"""Roads that workers vectorize by partitions are those of one process, also after killed workers and when resumed."""

from __future__ import annotations

import pyogrio
import pytest
from dask_cluster import Run, command, read
from terraspore.engine.cluster import partitions
from terraspore.engine.fs.journal import BLOCKS, journal_folder
from terraspore.engine.pipeline import roads as pipeline_roads

ROADS = "r.gpkg"
#: Rows and columns of partitions of the image.
ROWS, COLUMNS = 3, 3


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION", 130)


def sort_features(content):
    """Return the features without their storage number, in the order of their own, because partitions change that."""
    layers = {layer: sorted((row[2], row[1], *row[3:]) for row in rows) for layer, rows in content[ROADS].items()}
    return {**content, ROADS: layers}


@pytest.fixture
def unpartitioned(expected):
    """What one process gives."""
    content = expected("roads")
    assert len(content[ROADS]["roads"]) > 6
    assert content[ROADS]["road_areas"]
    return sort_features(content)


def finished_partitions(out):
    """The files of finished partitions, with the time of their last change."""
    files = (journal_folder(out / ROADS) / BLOCKS).glob("roads-*/[0-9]*.roads")
    return {f"{path.parent.name}/{path.name}": path.stat().st_mtime_ns for path in files}


def texts(run):
    return [event["text"] for event in run.events() if event["type"] == "message"]


def test_partitions_give_what_one_process_gives(scene, unpartitioned, tmp_path):
    run = Run(command(scene, "roads", tmp_path / "out", "--cluster", "local:2"))
    code, last = run.wait()
    assert code == 0, last
    assert sort_features(read(tmp_path / "out")) == unpartitioned
    layers = unpartitioned[ROADS]
    assert (last["summary"]["edges"], last["summary"]["areas"]) == (len(layers["roads"]), len(layers["road_areas"]))
    assert any(f"the roads in {ROWS * COLUMNS} partitions" in text for text in texts(run))
    progress = [event for event in run.events() if event["type"] == "progress" and event["stage"] == "vectorize"]
    assert (ROWS * COLUMNS, ROWS * COLUMNS) in [(event["done"], event["total"]) for event in progress]
    assert not journal_folder(tmp_path / "out" / ROADS).exists()


def test_roads_without_areas_and_raster(scene, unpartitioned, shared_cluster, tmp_path, monkeypatch):
    """No rows are stored beside the output, so no space for them is needed at the start."""
    needed = []
    monkeypatch.setattr(pipeline_roads, "check_disk_space", lambda *_, spooled_bands: needed.append(spooled_bands))
    arguments = command(scene, "roads", tmp_path / "out", "--cluster", shared_cluster.address, "--no-areas")
    at = arguments.index("--probability")
    code, last = Run([*arguments[:at], *arguments[at + 2 :]]).wait()
    assert code == 0, last
    found = sort_features(read(tmp_path / "out"))
    assert needed == [0]
    assert list(found) == [ROADS]
    assert found[ROADS] == {layer: rows for layer, rows in unpartitioned[ROADS].items() if layer != "road_areas"}


def test_partitions_become_a_folder(scene, unpartitioned, shared_cluster, tmp_path):
    arguments = command(scene, "roads", tmp_path / "out", "--cluster", shared_cluster.address)
    arguments[arguments.index("-o") + 1] = f"{tmp_path / 'network'}/"
    code, last = Run(arguments).wait()
    assert code == 0, last
    assert last["outputs"]["roads"] == str(tmp_path / "network")
    assert [path.name for path in tmp_path.glob("*network*")] == ["network"]  # no journal and no lock are left
    for layer, rows in unpartitioned[ROADS].items():
        _, _, geometry, fields = pyogrio.raw.read(tmp_path / "network" / f"{layer}.vrt")
        assert (len(geometry), sorted(fields[0])) == (len(rows), [row[0] for row in rows])


@pytest.mark.parametrize("step", ["roads", "partition"])
def test_worker_killed_in_a_partition(scene, unpartitioned, make_cluster, tmp_path, step):
    cluster, out = make_cluster(), tmp_path / "out"
    cluster.hold(step, 4)
    run = Run(command(scene, "roads", out, "--cluster", cluster.address))
    cluster.kill_worker(cluster.wait_until_held())
    before = finished_partitions(out)
    assert len(before) == 3 + (step == "partition")
    cluster.hold("partition", ROWS * COLUMNS - len(before))  # the last one
    cluster.start_worker()
    cluster.wait_until_held()
    after = finished_partitions(out)
    assert len(after) == ROWS * COLUMNS
    assert {name: after[name] for name in before} == before
    cluster.release()
    code, last = run.wait()
    assert code == 0, last
    assert sort_features(read(out)) == unpartitioned


def test_cancelled_run_resumes_with_the_partitions_that_are_missing(scene, unpartitioned, make_cluster, tmp_path):
    cluster, out = make_cluster(), tmp_path / "out"
    arguments = command(scene, "roads", out, "--cluster", cluster.address)
    cluster.hold("roads", 6)
    run = Run(arguments)
    pid = cluster.wait_until_held()
    run.cancellation.cancel()
    code, last = run.wait()  # although the worker is held
    assert (code, last["code"]) == (3, "Cancelled"), last
    assert f"and 5 of {ROWS * COLUMNS} partitions of the roads" in texts(run)[-1]
    before = finished_partitions(out)
    assert len(before) == 5
    assert read(out) == {}
    damaged = min(before)
    path = journal_folder(out / ROADS) / BLOCKS / damaged
    path.write_bytes(path.read_bytes()[:-40])
    cluster.kill_worker(pid)
    cluster.hold("partition", ROWS * COLUMNS - 4)  # a file that is there is no step
    cluster.start_worker()
    resumed = Run([*arguments, "--resume"])
    cluster.wait_until_held()
    after = finished_partitions(out)
    assert len(after) == ROWS * COLUMNS
    del before[damaged]
    assert {name: after[name] for name in before} == before
    cluster.release()
    code, last = resumed.wait()
    assert code == 0, last
    assert any(f"5 of {ROWS * COLUMNS} partitions of the roads are finished already" in text for text in texts(resumed))
    assert sort_features(read(out)) == unpartitioned


def test_other_options_do_not_use_the_partitions_that_are_there(scene, make_cluster, tmp_path):
    cluster, out, other = make_cluster(), tmp_path / "out", ("--threshold", "0.9")
    arguments = command(scene, "roads", out, "--cluster", cluster.address)
    cluster.hold("partition", ROWS * COLUMNS)
    run = Run(arguments)
    cluster.wait_until_held()
    run.cancellation.cancel()
    run.wait()
    assert len(finished_partitions(out)) == ROWS * COLUMNS
    cluster.release()
    code, last = Run([*arguments, *other, "--resume"]).wait()
    assert code == 0, last
    found = sort_features(read(out))
    code, last = Run(command(scene, "roads", tmp_path / "plain", *other)).wait()
    assert code == 0, last
    assert found == sort_features(read(tmp_path / "plain"))
