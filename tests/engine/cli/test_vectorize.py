"""``terraspore vectorize``, and mistakes in its options and those of ``compare``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
from command_line import run_events

Writer = Callable[..., Path]


def roads() -> np.ndarray:
    mask = np.zeros((300, 300), np.uint8)
    cv2.line(mask, (-10, 100), (310, 120), 255, 7)
    cv2.line(mask, (150, 100), (150, 310), 255, 7)
    return mask


def test_a_raster_is_recognised_without_a_command(tmp_path: Path, make_raster: Writer) -> None:
    code, events = run_events("vectorize", make_raster(roads()[None]), "-o", tmp_path / "a.gpkg")
    assert (code, events[-1]["type"], events[-1]["summary"]["edges"]) == (0, "result", 3)
    classes = np.repeat(np.array([[1, 2, 3]], np.uint8), 30, axis=0).repeat(10, axis=1)
    code, events = run_events("vectorize", "-o", tmp_path / "b.gpkg", make_raster(classes[None], "classes.tif"))
    assert (code, events[-1]["summary"]["polygons"]) == (0, 3)
    assert pyogrio.list_layers(tmp_path / "b.gpkg")[0, 0] == "landcover"


def test_options_reach_the_result(tmp_path: Path, make_raster: Writer) -> None:
    raster = make_raster(roads()[None])
    arguments = ("vectorize", "roads", raster, "--crs", "EPSG:4326", "--no-areas", "--min-length=10", "--gap", 5)
    code, events = run_events(*arguments, "-o", tmp_path / "a.geojson")
    assert code == 0
    assert events[-1]["outputs"].keys() == {"roads", "road_nodes"}
    assert pyogrio.read_info(tmp_path / "a.geojson")["crs"] == "EPSG:4326"
    assert events[-1]["summary"]["length"] == pytest.approx(299 + 190, abs=6)


def test_land_cover_options(tmp_path: Path, make_raster: Writer) -> None:
    classes = np.full((40, 40), 1, np.uint8)
    classes[5:9, 5:9], classes[20:22, 20:22] = 2, 3
    arguments = ("vectorize", "landcover", make_raster(classes[None]), "-o", tmp_path / "a.gpkg", "--no-smooth")
    _, events = run_events(
        *arguments, "--minimum-area", 10, "--class-minimum-area", "2=20", "--protect", 3, "--name", "3=hut"
    )
    assert events[-1]["summary"]["polygons"] == 2
    _, _, _, fields = pyogrio.raw.read(tmp_path / "a.gpkg", layer="landcover")
    assert sorted(fields[2]) == ["1", "hut"]


def test_an_update_writes_changes(tmp_path: Path, make_raster: Writer) -> None:
    raster = make_raster(roads()[None])
    run_events("vectorize", "roads", raster, "-o", tmp_path / "a.gpkg")
    code, events = run_events("vectorize", "roads", raster, "-o", tmp_path / "b.gpkg", "--update", tmp_path / "a.gpkg")
    assert code == 0
    summary = events[-1]["summary"]
    assert summary["kept_m"] == pytest.approx(summary["length"], rel=0.01)
    assert summary["new_m"] == summary["gone_m"] == summary["moved_m"] == 0.0


@pytest.mark.parametrize(
    ("output", "left", "further"),
    [
        ("a.gpkg", "road_areas of an earlier run of a.gpkg stay", ()),
        ("a.gpkg", "paths_areas of an earlier run of a.gpkg stay", ("--layer", "paths")),
        ("a.csv", "a_road_areas.csv of an earlier run of a.csv stay", ()),
    ],
)
def test_layers_of_an_earlier_run_that_stay_are_named(
    tmp_path: Path, make_raster: Writer, output: str, left: str, further: tuple[str, ...]
) -> None:
    arguments = ("vectorize", "roads", make_raster(roads()[None]), "-o", tmp_path / output, *further)
    warnings = []
    for more in ((), ("--no-areas", "--overwrite"), ("--overwrite",)):
        code, events = run_events(*arguments, *more)
        assert code == 0
        warnings.append([text for text in events[-1]["warnings"] if "earlier run" in text])
    assert [len(found) for found in warnings] == [0, 1, 0]
    assert warnings[1][0].startswith(left)
    code, events = run_events("vectorize", "roads", arguments[2], "--no-areas", "-o", tmp_path / "b.gpkg")
    assert (code, events[-1]["warnings"]) == (0, [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("vectorize", "roads", "missing.tif", "-o", "a.gpkg"),
        ("vectorize", "roads", "{raster}", "-o", "a.xyz"),
        ("vectorize", "roads", "{raster}", "-o", "a.gpkg", "--crs", "EPSG:0"),
        ("vectorize", "roads", "{raster}", "-o", "a.gpkg", "--threshold", "1"),
        ("vectorize", "roads", "{raster}", "-o", "a.gpkg", "--update", "missing.gpkg"),
        ("vectorize", "landcover", "{raster}", "-o", "a.gpkg", "--name", "3"),
        ("vectorize", "{raster}"),
        ("compare", "missing.gpkg", "{raster}"),
        ("compare", "{raster}", "missing.gpkg"),
    ],
)
def test_mistakes_give_one_sentence_and_code_two(
    tmp_path: Path, make_raster: Writer, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    raster = make_raster(roads()[None])
    code, events = run_events(*(word.format(raster=raster) for word in arguments))
    assert (code, events[-1]["type"], events[-1]["exit_code"]) == (2, "error", 2)
    assert len(events[-1]["text"]) > 15
    assert [entry.name for entry in tmp_path.iterdir()] == ["image.tif"]
