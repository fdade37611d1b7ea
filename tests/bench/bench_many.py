"""Measure a mosaic of 4,000 small images: memory, processor time and files that are open at a time.

One image of the same pixels is measured as well, so that what the number of images costs is seen.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import rasterio
from measure import Measured, run, terraspore_command
from models import trivial_model
from mosaic import write_mosaic
from numpy.typing import NDArray
from rasterio.windows import Window
from rows import Row, show

#: Side of an image in pixels, and images along each side of the mosaic.
_SIDE, _COLUMNS, _ROWS = 64, 80, 50
#: Files that a process may open by default on Linux.
_OPEN_AIM = 256
_POLL = 0.02


def measure_many(folder: Path, picture: NDArray[np.uint8], *, quick: bool) -> list[Row]:
    """Compare the roads of many images with those of one."""
    rows = _ROWS // 10 if quick else _ROWS
    images = folder / "many"
    images.mkdir()
    whole = folder / "whole.tif"
    write_mosaic(whole, (rows * _SIDE, _COLUMNS * _SIDE), picture)
    split(whole, images)
    model, found = trivial_model(folder).weights.parent, []
    pixels = f"{_COLUMNS * _SIDE:,} x {rows * _SIDE:,} pixels"
    for name, source in (("one image", whole), (f"{rows * _COLUMNS:,} images", images)):
        output = ("-o", folder / f"{source.stem}.gpkg")
        for command in (("plan", source), ("extract", "roads", source, *output)):
            with count_open_files() as most:
                measured = run(terraspore_command(*command, "--model", model))
            found += _make_rows(f"{pixels} in {name}, {command[0]}", measured, most[0])
    shutil.rmtree(images)
    return [show(row) for row in found]


def split(whole: Path, folder: Path) -> None:
    """Write the pixels of an image as many small ones."""
    with rasterio.open(whole) as source:
        profile = {**source.profile, "width": _SIDE, "height": _SIDE, "tiled": False}
        for key in ("blockxsize", "blockysize"):
            profile.pop(key)
        for row in range(0, source.height, _SIDE):
            for column in range(0, source.width, _SIDE):
                window = Window(column, row, _SIDE, _SIDE)
                profile["transform"] = source.window_transform(window)
                with rasterio.open(folder / f"{row:06}-{column:06}.tif", "w", **profile) as target:
                    target.write(source.read(window=window))


def _make_rows(name: str, measured: Measured, most: int) -> list[Row]:
    return [
        Row(f"{name}: memory", "MB", measured.peak_bytes / 1e6),
        Row(f"{name}: processor time", "s", measured.cpu),
        Row(f"{name}: files open at a time", "files", most, _OPEN_AIM),
    ]


@contextmanager
def count_open_files() -> Iterator[list[int]]:
    """Record the most files that a child of this process has open at a time."""
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            for child in psutil.Process().children():
                try:
                    most[0] = max(most[0], len(os.listdir(f"/proc/{child.pid}/fd")))  # noqa: PTH208
                except OSError:
                    continue  # it has ended

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()
