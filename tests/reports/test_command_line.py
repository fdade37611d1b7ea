"""Mistakes on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from raster_files import write_raster
from reports.situation import Situation, each, run_command, run_situation
from reports.vector_files import ROAD, write_layer, write_mask


def _image(folder: Path) -> Path:
    return write_raster(folder / "image.tif", np.full((3, 64, 64), 90, np.uint8))


def _roads_of_mask(folder: Path) -> tuple[object, ...]:
    return ("vectorize", "roads", write_mask(folder / "mask.tif"), "-o", folder / "a.gpkg")


SITUATIONS = (
    Situation(
        "an image that is not there",
        make=lambda folder: ("extract", "roads", folder / "nowhere.tif", "-o", folder / "a.gpkg"),
        code=2,
        says="nowhere.tif",
        check=lambda outcome: not (outcome.folder / "a.gpkg").exists(),
    ),
    Situation(
        "a task that is not there",
        make=lambda folder: ("extract", "rivers", _image(folder), "-o", folder / "a.gpkg"),
        code=2,
        says=("rivers", "landcover"),
    ),
    Situation(
        "a mask whose suffix names no vector format",
        make=lambda folder: ("vectorize", "roads", _image(folder), "-o", folder / "a.xyz"),
        code=2,
        says=("a.xyz", ".gpkg"),
    ),
    Situation(
        "a resolution at which the whole image is one pixel",
        make=lambda folder: ("extract", "roads", _image(folder), "-o", folder / "a.gpkg", "--resolution", 90_000),
        code=2,
        says=("At 90000 m per pixel, image.tif would be a single pixel: it covers 64 x 64 m.", "--resolution"),
    ),
    Situation(
        "a resolution that is far from that of the model",
        make=lambda folder: ("plan", _image(folder), "--resolution", 20),
        says="--resolution 20 is far from the",
        check=lambda outcome: len(outcome.warnings) == 1,
    ),
    Situation(
        "more threads than the machine has cores",
        make=lambda folder: ("plan", _image(folder), "--threads", 1024),
        says="1024 threads are asked for; ",
    ),
    Situation(
        "more threads than the machine has cores, for vectors",
        make=lambda folder: (*_roads_of_mask(folder), "--threads", 1024),
        says="1024 threads are asked for; ",
    ),
    Situation(
        "a distance between roads that is no number",
        make=lambda folder: (*_roads_of_mask(folder), "--update", folder / "b.gpkg", "--update-distance", "nan"),
        code=2,
        says=("--update-distance", "nan"),
    ),
)


#: Longer than any value that means something, with and without spaces.
LONG = ("x" * 5000, "ab c " * 1000)
AREA = ROAD.buffer(10)


def _long_values(folder: Path, value: str) -> list[tuple[object, ...]]:
    """Commands with ``value`` at each place where a person writes a text."""
    image, out = _image(folder), folder / "a.gpkg"
    extract, vectorize = ("extract", "roads", image, "-o", out), ("vectorize", "landcover", image, "-o", out)
    options = ("--model", "--device", "--runtime", "--subdataset", "--bands", "--extent", "--area", "--layer", "--tile")
    return [
        *((*extract, option, value) for option in options),
        (*extract, "--area", write_layer(folder / "b.gpkg", [AREA]), "--area-layer", value),
        *((*vectorize, option, value) for option in ("--crs", "--values", "--only", "--name", "--confidence")),
        (*vectorize, "--name", f"{value}=1"),
        (*vectorize, "--class-minimum-area", f"3={value}"),
        ("extract", "roads", image, "-o", value),
        ("extract", "roads", value, "-o", out),
        ("compare", write_layer(folder / "c.gpkg", [ROAD]), write_layer(folder / "d.gpkg", [ROAD]), "--layer", value),
        ("compare", write_layer(folder / "e.gpkg", [AREA]), image, "--field", value),
        ("install", image, "--to", value),
        ("extract", "roads", image, "-o", out, f"--{value}"),
        (value,),
    ]


@pytest.mark.parametrize("value", LONG, ids=["a word", "words"])
def test_a_value_is_shown_short_however_long_it_is(value: str, tmp_path: Path) -> None:
    for arguments in _long_values(tmp_path, value):
        outcome = run_command(arguments, tmp_path)
        assert outcome.code == 2, outcome.events
        event = outcome.events[-1]
        assert event["code"] != "InternalError", event
        assert len(event["text"]) <= 1001, arguments[:2]
        assert all(len(text) <= 1001 for text in outcome.sentences.splitlines())


@pytest.mark.parametrize("option", ["--resolution", "--pixel-size"])
@pytest.mark.parametrize("value", ["1e300", "1e6", "inf", "nan", "0", "-1"])
def test_a_length_that_is_none_on_the_ground_is_refused(option: str, value: str, tmp_path: Path) -> None:
    arguments = ("extract", "roads", _image(tmp_path), "-o", tmp_path / "a.gpkg", option, value)
    outcome = run_command(arguments, tmp_path)
    assert outcome.code == 2
    assert option in outcome.sentences
    assert not (tmp_path / "a.gpkg").exists()


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)


def test_a_row_with_another_outcome_fails(tmp_path: Path) -> None:
    wrong = Situation("it is said to succeed", make=SITUATIONS[0].make)
    with pytest.raises(AssertionError, match="does not exist"):
        run_situation(wrong, tmp_path)
