"""Mistakes on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from raster_files import write_raster
from reports.situation import Situation, each, run_situation


def _image(folder: Path) -> Path:
    return write_raster(folder / "image.tif", np.full((3, 64, 64), 90, np.uint8))


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
)


@each(SITUATIONS)
def test_situation(situation: Situation, tmp_path: Path) -> None:
    run_situation(situation, tmp_path)


def test_a_row_with_another_outcome_fails(tmp_path: Path) -> None:
    wrong = Situation("it is said to succeed", make=SITUATIONS[0].make)
    with pytest.raises(AssertionError, match="does not exist"):
        run_situation(wrong, tmp_path)
