"""Unusual file names and the locale do not change the results."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import rasterio
from conftest import content, contents, list_names

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
    """Everything about a raster except the name of the image, which is one of its tags."""
    with rasterio.open(path) as dataset:
        tags = {key: value for key, value in dataset.tags().items() if key != "SOURCE"}
        return dataset.read().tobytes(), dataset.profile, tags, dataset.descriptions


@pytest.fixture(scope="session")
def plain(runner, scratch):
    """The folder of a run with plain names."""
    folder = scratch / "plain"
    folder.mkdir()
    assert runner.run(runner.arguments("classes", folder))[0] == 0
    return folder


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_any_kind_give_the_same_pixels(runner, plain, out, name):
    image, target = out / name, out / f"folder of {name[:20]}"
    target.mkdir()
    try:
        shutil.copy(runner.image, image)
    except OSError as error:
        pytest.skip(f"the system has no such names: {error}")
    code, last = runner.run(runner.arguments("classes", target, image=image, output=target / name))
    assert code == 0, last
    assert last["outputs"]["classes"] == str(target / name)
    assert pixels(target / name) == pixels(plain / "c.tif")
    assert pixels(target / "f.tif") == pixels(plain / "f.tif")
    assert list_names(target) == sorted([name, f"{name}.aux.xml", "f.tif"])


@pytest.mark.parametrize("name", ["unicode", "long"])
def test_names_of_outputs_do_not_change_their_bytes(runner, reference, out, name):
    expected = reference("roads").contents
    code, last = runner.run(runner.arguments("roads", out, output=out / f"{NAMES[name][:-5]}.gpkg"))
    assert code == 0, last
    assert content(out / "p.tif") == expected["p.tif"]
    assert content(out / f"{NAMES[name][:-5]}.gpkg") == expected["r.gpkg"]


def test_images_may_have_the_longest_names(runner, plain, out):
    image = out / ("道" * 83 + ".tif")
    shutil.copy(runner.image, image)
    code, last = runner.run(runner.arguments("classes", out, image=image))
    assert code == 0, last
    assert pixels(out / "c.tif") == pixels(plain / "c.tif")


def test_names_that_are_too_long_are_refused_before_any_work(runner, out):
    engine = runner.start(runner.arguments("classes", out, output=out / ("l" * 250 + ".tif")))
    code, last = engine.wait()
    assert (code, last["code"]) == (2, "OutputError")
    assert "too long" in last["text"]
    assert [event["type"] for event in engine.events()] == ["error"]
    assert list_names(out) == []


def test_relative_names_that_begin_with_a_dash(runner, reference, out, monkeypatch):
    """After ``--`` every argument is a path."""
    shutil.copy(runner.image, out / "-image.tif")
    arguments = runner.arguments("classes", out, output="-c.tif")
    arguments.remove(str(runner.image))
    code, last = runner.run([*arguments, "--", "-image.tif"], CHANGE_TO=str(out))
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
    if not (made / "LC_NUMERIC").is_file():  # without the sources of locales an empty folder is made
        pytest.skip(f"there is no locale with a decimal comma, and none can be made: {done.stderr.strip()}")
    return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)}


@pytest.mark.parametrize("kind", ["roads", "classes"])
def test_a_comma_locale_gives_the_same_bytes(runner, reference, out, comma_locale, kind):
    """The locale is set in the process, as a library could do it, so it concerns the numbers of libraries as well."""
    code, last = runner.run(runner.arguments(kind, out), **comma_locale, LANGUAGE="de", LC_NUMERIC="de_DE.UTF-8")
    assert code == 0, last
    assert contents(out) == reference(kind).contents
    assert os.environ.get("LC_ALL") != "de_DE.UTF-8"
