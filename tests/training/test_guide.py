"""The walk of the guide from a raster and a vector layer to roads: the very commands of the page."""

import re
import shlex
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from raster_files import NORTH_UP, write_raster
from reports.situation import run_command

pytest.importorskip("mindspore")

pytestmark = pytest.mark.mindspore

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
#: What a test adds to a command of the page, so that it does in seconds what the page does in an hour.
SMALLER = {
    "train": ("train.steps=2", "train.batch=1", "augment.crop=64", "train.compile=false"),
    "evaluate": ("evaluation.limit=1",),
}


def commands() -> list[list[str]]:
    """Command lines of the section on one's own model, without ``terraspore``."""
    section = PAGE.read_text("utf-8").partition("to your own model\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def write_town(path: Path, width: int, height: int) -> None:
    """An image of 0.5 m with bright streets on dark ground."""
    pixels = np.random.default_rng(0).integers(40, 90, (3, height, width), np.uint8)
    for place in range(100, width, 300):
        pixels[:, :, place - 6 : place + 6] += 120
    for place in range(120, height, 260):
        pixels[:, place - 6 : place + 6] += 60
    write_raster(path, pixels, transform=NORTH_UP @ NORTH_UP.scale(0.5))


@pytest.mark.slow
def test_the_walk(in_tmp: Path, recwarn: pytest.WarningsRecorder) -> None:
    width, height = 2200, 1100
    write_town(in_tmp / "town.tif", width, height)
    write_town(in_tmp / "other_town.tif", 300, 300)
    transform = NORTH_UP @ NORTH_UP.scale(0.5)
    lines = [((place, 0), (place, height)) for place in range(100, width, 300)]
    lines += [((0, place), (width, place)) for place in range(120, height, 260)]
    streets = [shapely.LineString([transform @ start, transform @ end]) for start, end in lines]
    pyogrio.raw.write("streets.gpkg", shapely.to_wkb(streets), [], [], geometry_type="LineString", crs="EPSG:32618")
    walk = commands()
    assert [command[0] for command in walk] == ["chips", "train", "evaluate", "export", "extract"]
    for command in walk:
        outcome = run_command([*command, *SMALLER.get(command[0], ())], in_tmp)
        assert outcome.code == 0, outcome.sentences
    assert (in_tmp / "roads.gpkg").is_file()
    # The folder of the run and its checkpoint are models without any question, too.
    for model in ("run", "run/best.ckpt"):
        outcome = run_command([*walk[-1], "--model", model, "--overwrite"], in_tmp)
        assert outcome.code == 0, outcome.sentences
    # Python shows a person these kinds of warnings.
    assert not [entry for entry in recwarn if issubclass(entry.category, (UserWarning, RuntimeWarning, FutureWarning))]
