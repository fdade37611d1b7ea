"""Names of any kind and the locale change nothing."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import rasterio
from conftest import content, contents, names

NAMES = {
    "spaces": " two  words .tif",
    "unicode": "Straße – 道路 🛣.tif",
    "combining": "Cafe\u0301 A\u030angstro\u0308m.tif",
    "a leading dash": "-o.tif",
    "two leading dashes": "--json.tif",
    "newline": "two\nlines.tif",
    "quotes": 'it\'s "so".tif',
    "an address": "zip:a.tif",
    "a comma and a question": "a,b?c=1&d#e%20.tif",
    "a backslash and a star": "a\\b*[c].tif",
    "long": "l" * 243 + ".tif",
    "long in bytes": "道" * 81 + ".tif",
    "dots": "..a...tif",
    "a bell": "a\x07b.tif",
}


def pixels(path):
    """Everything about a raster but the image's name, which is among its tags."""
    with rasterio.open(path) as dataset:
        tags = {key: value for key, value in dataset.tags().items() if key != "SOURCE"}
        return dataset.read().tobytes(), dataset.profile, tags, dataset.descriptions


@pytest.fixture(scope="session")
def plain(world, scratch):
    """What a run with plain names writes."""
    folder = scratch / "plain"
    folder.mkdir()
    assert world.run(world.words("classes", folder))[0] == 0
    return folder


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_any_kind_give_the_same_pixels(world, plain, out, name):
    image, target = out / name, out / f"folder of {name[:20]}"
    target.mkdir()
    try:
        shutil.copy(world.image, image)
    except OSError as error:
        pytest.skip(f"the system has no such names: {error}")
    code, last = world.run(world.words("classes", target, image=image, output=target / name))
    assert code == 0, last
    assert last["outputs"]["classes"] == str(target / name)
    assert pixels(target / name) == pixels(plain / "c.tif")
    assert pixels(target / "f.tif") == pixels(plain / "f.tif")
    assert names(target) == sorted([name, f"{name}.aux.xml", "f.tif"])


@pytest.mark.parametrize("name", ["unicode", "long"])
def test_names_of_outputs_do_not_change_their_bytes(world, reference, out, name):
    expected, _ = reference("roads")
    code, last = world.run(world.words("roads", out, output=out / f"{NAMES[name][:-5]}.gpkg"))
    assert code == 0, last
    assert content(out / "p.tif") == expected["p.tif"]
    assert content(out / f"{NAMES[name][:-5]}.gpkg") == expected["r.gpkg"]


def test_images_may_have_the_longest_names(world, plain, out):
    image = out / ("道" * 83 + ".tif")
    shutil.copy(world.image, image)
    code, last = world.run(world.words("classes", out, image=image))
    assert code == 0, last
    assert pixels(out / "c.tif") == pixels(plain / "c.tif")


def test_names_that_are_too_long_are_refused_before_any_work(world, out):
    started = world.start(world.words("classes", out, output=out / ("l" * 250 + ".tif")))
    code, last = started.end()
    assert (code, last["code"]) == (2, "OutputError")
    assert "too long" in last["text"]
    assert [event["type"] for event in started.events()] == ["error"]
    assert names(out) == []


def test_relative_names_that_begin_with_a_dash(world, reference, out, monkeypatch):
    """Behind ``--`` every word is a name."""
    shutil.copy(world.image, out / "-image.tif")
    words = world.words("classes", out, output="-c.tif")
    words.remove(str(world.image))
    code, last = world.run([*words, "--", "-image.tif"], CHANGE_TO=str(out))
    assert code == 0, last
    assert last["outputs"]["classes"] == "-c.tif"
    assert contents(out).keys() == {"-image.tif", "-c.tif", "-c.tif.aux.xml", "f.tif"}


@pytest.fixture(scope="session")
def comma_locale(scratch):
    """A locale with a decimal comma: the system's, or one that is compiled for the test."""
    known = (
        subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
        if shutil.which("locale")
        else None
    )
    if known is not None and "de_DE.utf8" in known.stdout.split():
        return {"LC_ALL": "de_DE.UTF-8"}
    folder = scratch / "locales"
    folder.mkdir()
    if shutil.which("localedef") is None:
        pytest.skip("there is no locale with a decimal comma, and localedef is missing")
    made = folder / "de_DE.UTF-8"
    done = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", made], capture_output=True, text=True, check=False
    )
    if not made.is_dir():
        pytest.skip(f"there is no locale with a decimal comma, and none can be made: {done.stderr.strip()}")
    return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)}


@pytest.mark.parametrize("kind", ["roads", "classes"])
def test_a_comma_locale_gives_the_same_bytes(world, reference, out, comma_locale, kind):
    """Also the libraries' own numbers: the locale is set in the process, as some library could do it."""
    code, last = world.run(world.words(kind, out), **comma_locale, LANGUAGE="de", LC_NUMERIC="de_DE.UTF-8")
    assert code == 0, last
    assert contents(out) == reference(kind)[0]
    assert os.environ.get("LC_ALL") != "de_DE.UTF-8"
