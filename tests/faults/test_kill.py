"""The engine killed at any step: files with their final name are complete, and a resumed run ends like a whole one.

``TERRASPORE_KILLS`` is the number of kills for each kind of run (``make faults``: 50, so 100 in all).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess

import pytest
from conftest import contents, has_lock, list_names
from hold_point import HELD_COMMAND
from terraspore.engine.fs.journal import JOURNAL, ROWS, find_unfinished_run, journal_folder
from terraspore.engine.pipeline.resume import TILES_WORTH_A_JOURNAL
from waiting import kill_if_late, wait_for

KILLS = int(os.environ.get("TERRASPORE_KILLS", "3"))
SLOW = "--tta"


def kill_at(runner, arguments, hold, step, number, **watched):
    """Start a run and kill it at a step; a resumed run that does not have so many steps ends by itself."""
    engine = runner.start(arguments, hold.set(step, number, **watched))
    engine.wait_until_held(hold)
    engine.kill()


def kill_with_rows(runner, out, hold, **image):
    """Kill a run of roads that has two rows of tiles in its journal."""
    kill_at(runner, runner.arguments("roads", out, SLOW, **image), hold, "row", 2)
    assert find_unfinished_run(out / "r.gpkg") is not None


@pytest.mark.parametrize("kind", ["roads", "classes"])
@pytest.mark.timeout(1800 + 60 * KILLS)
def test_killed_at_random_moments_every_resume_gives_the_identical_result(runner, reference, out, hold, kind):
    whole = reference(kind, SLOW)
    chance = random.Random(kind)
    resumed, main = 0, "r.gpkg" if kind == "roads" else "c.tif"

    def choose_step():
        step = chance.choice(["tile", "row", "file"])
        return step, chance.randint(1, whole.steps[step])

    for number in range(KILLS):
        arguments = runner.arguments(kind, out, SLOW)
        kill_at(runner, arguments, hold, *(choose_step() if number else ("row", 2)), watched=out)
        while True:
            standing = contents(out)
            assert all(standing[name] == whole.contents[name] for name in standing)
            assert not has_lock(out)
            resumed += find_unfinished_run(out / main) is not None
            if chance.random() > 0.25:
                break
            kill_at(runner, [*arguments, "--resume"], hold, *choose_step(), watched=out)
        is_complete = contents(out) == whole.contents and not journal_folder(out / main).exists()
        code, last = runner.run([*arguments, "--resume"])
        # Complete files that a resumed run has not written itself are not replaced without --overwrite.
        assert code == (2 if is_complete else 0), last
        assert contents(out) == whole.contents
        assert [name for name in list_names(out) if not name.startswith(".")] == sorted(whole.contents)
        shutil.rmtree(out)
        out.mkdir()
    assert resumed
    print(f"{KILLS} kills of {kind}, {resumed} resumes from a journal")


def test_a_real_process_killed_at_a_row_resumes_there(runner, reference, out, hold):
    expected = reference("roads", SLOW).contents
    arguments = runner.arguments("roads", out, SLOW)
    environment = {**os.environ, **hold.set("row", 3).environment}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    with subprocess.Popen([*HELD_COMMAND, *arguments], env=environment, **streams) as process, kill_if_late(process):
        wait_for(hold.is_reached)
        process.kill()
    unfinished = find_unfinished_run(out / "r.gpkg")
    assert 0 < unfinished.fraction < 1
    assert unfinished.changed is None
    assert contents(out) == {}
    resumed = runner.start([*arguments, "--resume"])
    assert resumed.wait()[0] == 0
    assert any("goes on at" in event.get("text", "") for event in resumed.events())
    first = next(event for event in resumed.events() if event["type"] == "progress")
    assert first["done"] == round(unfinished.fraction * first["total"])
    assert contents(out) == expected
    assert list_names(out) == sorted(expected)


@pytest.fixture
def killed(runner, out, hold):
    """A folder with a run of roads that was killed in the middle."""
    kill_with_rows(runner, out, hold)
    return out


def test_without_resume_the_unfinished_run_is_removed_with_a_message(runner, reference, killed):
    engine = runner.start(runner.arguments("roads", killed, SLOW))
    assert engine.wait()[0] == 0
    assert any("is removed; with --resume" in event.get("text", "") for event in engine.events())
    assert contents(killed) == reference("roads", SLOW).contents
    assert list_names(killed) == ["p.tif", "r.gpkg"]


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ((SLOW, "--overlap=8"), "the overlap is 8, not 16"),
        ((), "the augmentation is none, not eight symmetries"),
        ((SLOW, "--extent=500000,3999200,500600,4000000"), "the size in pixels is 600 x 800, not 700 x 900"),
    ],
)
def test_another_run_is_not_resumed_and_the_message_says_why(runner, killed, options, change):
    before = list_names(killed)
    code, last = runner.run(runner.arguments("roads", killed, *options, "--resume"))
    assert code == 2
    assert last["code"] == "ResumeError"
    assert change in last["text"]
    assert "leave out --resume" in last["hint"]
    assert [name for name in before if "unfinished" in name] == list_names(killed)


def test_a_changed_image_is_not_resumed(runner, out, hold):
    image = out / "copy.tif"
    shutil.copy(runner.image, image)
    kill_with_rows(runner, out, hold, image=image)
    os.utime(image, (1, 1))
    assert find_unfinished_run(out / "r.gpkg").changed == f"{image} was changed"
    code, last = runner.run(runner.arguments("roads", out, SLOW, "--resume", image=image))
    assert (code, last["code"]) == (2, "ResumeError")
    assert f"{image} was changed" in last["text"]


@pytest.mark.parametrize("damage", ["a flipped byte in the rows", "rows cut short", "a torn line", "no rows"])
def test_rows_of_a_damaged_journal_are_computed_again(runner, reference, killed, damage):
    rows, journal = (journal_folder(killed / "r.gpkg") / name for name in (ROWS, JOURNAL))
    data = bytearray(rows.read_bytes())
    if damage == "a flipped byte in the rows":
        data[len(data) // 2] ^= 1
        rows.write_bytes(data)
    elif damage == "rows cut short":
        rows.write_bytes(data[: len(data) // 3])
    elif damage == "a torn line":
        journal.write_bytes(journal.read_bytes()[:-7])
    else:
        rows.unlink()
    code, last = runner.run(runner.arguments("roads", killed, SLOW, "--resume"))
    assert code == 0, last
    assert contents(killed) == reference("roads", SLOW).contents
    assert list_names(killed) == ["p.tif", "r.gpkg"]


def test_short_runs_keep_no_journal(runner, out):
    engine = runner.start(runner.arguments("roads", out, "--extent=500000,3999700,500250,4000000", "--resume"))
    code, last = engine.wait()
    assert code == 0
    assert last["summary"]["tiles"] < TILES_WORTH_A_JOURNAL
    assert any("nothing to resume" in event.get("text", "") for event in engine.events())
    assert list_names(out) == ["p.tif", "r.gpkg"]


@pytest.mark.parametrize("kind", ["roads", "classes"])
def test_a_cancel_at_the_end_leaves_the_earlier_or_the_new_files(runner, reference, out, hold, kind):
    """Held at its last operations on files, a run is either cancelled as a whole or done as a whole."""
    arguments = [*runner.arguments(kind, out, SLOW), "--overwrite"]
    whole = reference(kind, SLOW)
    earlier = {name: f"earlier {name}".encode() for name in whole.contents if not name.endswith(".gpkg")}
    codes = set()
    for number in range(whole.steps["file"] - 14, whole.steps["file"] + 1, 7):
        for name, data in earlier.items():
            (out / name).write_bytes(data)
        engine = runner.start(arguments, hold.set("file", number, watched=out))
        if engine.wait_until_held(hold):
            os.kill(engine.pid, signal.SIGINT)
            hold.release()
        code, last = engine.wait()
        codes.add(code)
        if code == 3:
            assert {path.name: path.read_bytes() for path in out.iterdir()} == earlier
        else:
            assert code == 0, last
            assert contents(out) == whole.contents
        shutil.rmtree(out)
        out.mkdir()
    assert 0 in codes
