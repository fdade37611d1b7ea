"""The engine killed at any moment: what has its final name is complete, and a resumed run ends like an unbroken one.

``TERRASPORE_KILLS`` says how many kills each kind of run gets (``make faults``: 50, so 100 in all).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time

import pytest
from conftest import COMMAND, contents, names, unlocked
from terraspore.engine.fs.journal import JOURNAL, ROWS, find_unfinished_run, journal_folder, read_journal
from terraspore.engine.pipeline.resume import TILES_WORTH_A_JOURNAL

KILLS = int(os.environ.get("TERRASPORE_KILLS", "3"))
SLOW = "--tta"


def kill_at(started, moment, seconds):
    """Kill at a share ``moment`` of the tiles where that is below 1, else in the time behind the last tile."""
    share = min(moment, 1)
    started.wait_for(lambda event: event.get("stage") == "infer" and event["done"] >= share * event["total"])
    time.sleep(max(0, moment - 1) * seconds)
    started.kill()


def kill_in_the_middle(world, out, **image):
    """Kill a run of roads so that it can be resumed."""
    for _ in range(5):  # on a busy machine the run can be over before this process has its turn
        kill_at(world.start(world.words("roads", out, SLOW, **image)), 0.3, 0)
        if find_unfinished_run(out / "r.gpkg") is not None:
            return
    raise AssertionError("every run was over before it could be killed")


@pytest.mark.parametrize("kind", ["roads", "classes"])
@pytest.mark.timeout(60 + 30 * KILLS)
def test_killed_at_random_moments_every_resume_gives_the_identical_result(world, reference, out, kind):
    expected, seconds = reference(kind, SLOW)
    chance = random.Random(kind)
    resumed = kills = 0
    # On a busy machine a run can be over before this process has its turn; such a kill says nothing.
    while kills < KILLS or (resumed < KILLS / 4 and kills < 10 * KILLS):
        kills += 1
        words = world.words(kind, out, SLOW)
        kill_at(world.start(words), chance.uniform(0.1, 1.3), seconds)
        while True:
            standing = contents(out)
            assert all(standing[name] == expected[name] for name in standing)
            assert unlocked(out)
            unfinished = find_unfinished_run(out / ("r.gpkg" if kind == "roads" else "c.tif"))
            resumed += unfinished is not None
            started = world.start([*words, "--resume"])
            if chance.random() > 0.25:
                break
            kill_at(started, chance.uniform(0.1, 1.3), seconds)
        code, last = started.end()
        assert code == 0, last
        assert contents(out) == expected
        assert names(out) == sorted(expected)
        shutil.rmtree(out)
        out.mkdir()
    assert resumed >= KILLS / 4, "most of the kills came too early for a resume to be tried"
    print(f"{kills} kills of {kind}, {resumed} resumes from a journal")


def test_a_real_process_killed_at_a_tile_goes_on_where_it_was(world, reference, out):
    expected, _ = reference("roads", SLOW)
    words = world.words("roads", out, SLOW)
    output, unfinished = out / "r.gpkg", None
    for _ in range(5):  # on a busy machine the run can be over before this process has its turn
        with subprocess.Popen([*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and ((found := read_journal(output)) is None or not found.records):
                time.sleep(0.001)
            process.kill()
        unfinished = find_unfinished_run(output)
        if unfinished is not None:
            break
    assert 0 < unfinished.fraction <= 1
    assert unfinished.changed is None
    assert contents(out).items() <= expected.items()
    started = world.start([*words, "--resume"])
    assert started.end()[0] == 0
    assert any("goes on at" in event.get("text", "") for event in started.events())
    first = next(event for event in started.events() if event["type"] == "progress")
    assert first["done"] == round(unfinished.fraction * first["total"])
    assert contents(out) == expected
    assert names(out) == sorted(expected)


@pytest.fixture
def killed(world, out):
    """A folder with a run of roads that was killed in the middle."""
    kill_in_the_middle(world, out)
    return out


def test_without_resume_what_is_left_goes_and_a_message_says_so(world, reference, killed):
    started = world.start(world.words("roads", killed, SLOW))
    assert started.end()[0] == 0
    assert any("is removed; with --resume" in event.get("text", "") for event in started.events())
    assert contents(killed) == reference("roads", SLOW)[0]
    assert names(killed) == ["p.tif", "r.gpkg"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((SLOW, "--overlap=8"), "the overlap is 8, not 16"),
        ((), "the augmentation is none, not eight symmetries"),
        ((SLOW, "--extent=500000,3999200,500600,4000000"), "the size in pixels is 600 x 800, not 700 x 900"),
    ],
)
def test_another_run_is_not_resumed_and_the_sentence_says_why(world, killed, more, said):
    before = names(killed)
    code, last = world.run(world.words("roads", killed, *more, "--resume"))
    assert code == 2
    assert last["code"] == "ResumeError"
    assert said in last["text"]
    assert "leave out --resume" in last["hint"]
    assert [name for name in before if "unfinished" in name] == names(killed)


def test_a_changed_image_is_not_resumed(world, out):
    image = out / "copy.tif"
    shutil.copy(world.image, image)
    kill_in_the_middle(world, out, image=image)
    os.utime(image, (1, 1))
    assert find_unfinished_run(out / "r.gpkg").changed == f"{image} was changed"
    code, last = world.run(world.words("roads", out, SLOW, "--resume", image=image))
    assert (code, last["code"]) == (2, "ResumeError")
    assert f"{image} was changed" in last["text"]


@pytest.mark.parametrize("damage", ["a flipped byte in the rows", "rows cut short", "a torn line", "no rows"])
def test_a_damaged_journal_costs_rows_and_not_the_result(world, reference, killed, damage):
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
    code, last = world.run(world.words("roads", killed, SLOW, "--resume"))
    assert code == 0, last
    assert contents(killed) == reference("roads", SLOW)[0]
    assert names(killed) == ["p.tif", "r.gpkg"]


def test_short_runs_keep_no_journal(world, out):
    started = world.start(world.words("roads", out, "--extent=500000,3999700,500250,4000000", "--resume"))
    code, last = started.end()
    assert code == 0
    assert last["summary"]["tiles"] < TILES_WORTH_A_JOURNAL
    assert any("nothing to resume" in event.get("text", "") for event in started.events())
    assert names(out) == ["p.tif", "r.gpkg"]
