"""Full or broken disks: an error message, no incomplete output, and a resume once the disk works again."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from conftest import COMMAND, HERE, contents, has_lock, list_names, read_events

#: Sizes of the disk, as shares of what the outputs take; with the first almost nothing fits.
SHARES = (0.15, 0.5, 0.9)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["roads", "classes"])
def test_full_disk_is_reported_with_the_needed_space_and_the_run_resumes(runner, reference, small_disk, kind):
    expected = reference(kind).contents
    disk = small_disk("16m")
    code, last = runner.run(runner.arguments(kind, disk))
    assert code == 0, last
    needed = size_of(disk)
    for path in disk.iterdir():
        path.unlink()
    failed = 0
    for share in SHARES:
        subprocess.run(["mount", "-o", f"remount,size={int(share * needed) // 4096 * 4096}", disk], check=True)
        code, last = runner.run(runner.arguments(kind, disk))
        assert contents(disk).items() <= expected.items()
        assert not has_lock(disk)
        if code == 0:
            assert contents(disk) == expected
        else:
            failed += 1
            print(last)
            assert (code, last["code"]) == (2, "DiskFullError"), last
            assert "disk is full" in last["text"] or "MB free" in last["text"]
            assert " MB" in last["text"]
            assert set(contents(disk)) < set(expected)
            assert not [name for name in list_names(disk) if "partial" in name or "lock" in name]
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        code, last = runner.run([*runner.arguments(kind, disk), "--resume"])
        assert code == 0, last
        assert contents(disk) == expected
        assert list_names(disk) == sorted(expected)
        for path in disk.iterdir():
            path.unlink()
    assert failed >= 2


@pytest.fixture(scope="session")
def shim(scratch):
    """A library that makes writes or reads of chosen files fail, to be loaded before all others."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("making system calls fail needs a C compiler and Linux")
    library = scratch / "fail.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "fail.c", "-ldl"], check=True)
    return library


def run_shimmed(runner, shim, arguments, **settings):
    """A real process in which some calls fail; exit code, last event, and how many calls there were."""
    count = shim.with_name("calls")
    count.unlink(missing_ok=True)
    events_file = shim.with_name("shimmed.events")
    environment = {"LD_PRELOAD": str(shim), "FAIL_COUNT": str(count), **{k: str(v) for k, v in settings.items()}}
    command = ["env", *(f"{key}={value}" for key, value in environment.items()), *COMMAND, *arguments]
    with events_file.open("w") as stream:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=300,
        )
    assert "Traceback" not in done.stderr, done.stderr
    calls = count.read_bytes().count(b".") if count.exists() else 0
    return done.returncode, read_events(events_file)[-1], calls


@pytest.mark.parametrize(("kind", "pattern"), [("classes", "partial-"), ("roads", ".gpkg")])
def test_no_space_in_the_last_writes(runner, reference, shim, out, kind, pattern):
    arguments = runner.arguments(kind, out)
    code, _, calls = run_shimmed(runner, shim, arguments, FAIL_PATH=pattern, FAIL_CALL="write", FAIL_AFTER=10**6)
    assert code == 0
    assert contents(out) == reference(kind).contents
    for path in out.iterdir():
        path.unlink()
    # The number of writes is not the same in all runs: 46 or 47 of rasters.
    code, last, _ = run_shimmed(
        runner, shim, arguments, FAIL_PATH=pattern, FAIL_CALL="write", FAIL_AFTER=int(0.9 * calls), FAIL_ERRNO=28
    )
    print(last)
    assert code == 2, last
    assert last["code"] in ("DiskFullError", "OutputError")
    assert "full" in last["text"] or "cannot be written" in last["text"]
    standing = contents(out)
    assert set(standing) < set(reference(kind).contents)
    assert all(standing[name] == reference(kind).contents[name] for name in standing)
    assert not [name for name in list_names(out) if "partial" in name or "lock" in name]
    code, last = runner.run([*arguments, "--resume"])
    assert code == 0, last
    assert contents(out) == reference(kind).contents


def test_read_error_in_the_middle_names_the_place(runner, reference, shim, out):
    arguments = runner.arguments("classes", out)
    code, _, calls = run_shimmed(runner, shim, arguments, FAIL_PATH="image.tif", FAIL_CALL="read", FAIL_AFTER=10**6)
    assert code == 0
    for path in out.iterdir():
        path.unlink()
    code, last, _ = run_shimmed(
        runner, shim, arguments, FAIL_PATH="image.tif", FAIL_CALL="read", FAIL_AFTER=calls // 2, FAIL_ERRNO=5
    )
    assert (code, last["code"]) == (2, "SourceError"), last
    assert "Rows" in last["text"]
    assert str(runner.image) in last["text"]
    assert contents(out) == {}
    code, last = runner.run([*arguments, "--resume"])
    assert code == 0, last
    assert contents(out) == reference("classes").contents


@pytest.mark.parametrize("damage", ["a damaged block", "cut short"])
def test_damaged_image_names_the_place(runner, out, damage):
    image = out.parent / "damaged.tif"
    data = bytearray(runner.image.read_bytes())
    with rasterio.open(runner.image) as dataset:
        assert dataset.profile["compress"] == "deflate"
    if damage == "cut short":
        del data[len(data) * 2 // 3 :]
    else:
        half = len(data) // 2
        data[half : half + 4000] = np.random.default_rng(1).bytes(4000)
    image.write_bytes(data)
    code, last = runner.run(runner.arguments("roads", out, image=image))
    image.unlink()
    assert (code, last["code"]) == (2, "SourceError"), last
    assert str(image) in last["text"]
    assert contents(out) == {}
    assert not [name for name in list_names(out) if "partial" in name or "lock" in name]


def test_space_for_the_temporary_file_of_roads_is_checked_before_inference(runner, small_disk):
    """It has a byte for each of the 630,000 pixels."""
    disk = small_disk("512k")
    engine = runner.start(runner.arguments("roads", disk))
    code, last = engine.wait()
    assert (code, last["code"]) == (2, "DiskFullError"), last
    assert "needs 0.7 MB or more, but its disk has 0.5 MB free" in last["text"]
    assert "progress" not in [event["type"] for event in engine.events()]
    subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
    assert runner.run(runner.arguments("roads", disk))[0] == 0


def test_target_that_is_read_only_fails_before_inference(runner, small_disk):
    disk = small_disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for kind in ("roads", "classes"):
        engine = runner.start(runner.arguments(kind, disk))
        code, last = engine.wait()
        assert (code, last["code"]) == (2, "OutputError"), last
        assert "Read-only" in last["text"]
        assert [event["type"] for event in engine.events()] == ["error"]


def test_image_that_changes_while_it_is_read_is_noticed(runner, out, hold):
    image = out / "copy.tif"
    shutil.copy(runner.image, image)
    engine = runner.start(runner.arguments("classes", out, "--tta", image=image), hold.set("tile"))
    assert engine.wait_until_held(hold)
    with image.open("r+b") as file:
        file.seek(-100, 2)
        file.write(bytes(100))
    hold.release()
    code, last = engine.wait()
    assert (code, last["code"]) == (2, "SourceChangedError"), last
    assert list_names(out) == ["copy.tif"]


def test_a_file_system_without_locks_is_reported_before_the_work(runner, shim, out):
    """SQLite cannot write there; other formats are written with a warning, because nothing excludes a second run."""
    settings = {"FAIL_PATH": str(out), "FAIL_CALL": "lock", "FAIL_ERRNO": errno.ENOLCK}
    arguments = runner.arguments("roads", out)
    code, last, _ = run_shimmed(runner, shim, arguments, **settings)
    assert (code, last["code"]) == (2, "OutputError"), last
    assert "may have no locks" in last["hint"]
    assert list_names(out) == []
    code, last, _ = run_shimmed(runner, shim, runner.arguments("roads", out, output=out / "r.fgb"), **settings)
    assert code == 0, last
    assert "has no locks" in last["warnings"][0]
