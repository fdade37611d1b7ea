"""Training of every network: time of a step, images per second, compile time and peak memory, as `terraspore train`."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import cv2
import numpy as np
from measure import terraspore
from numpy.typing import NDArray
from rows import Row, show
from terraspore.training.networks import NETWORKS

SIZE, BATCH = 256, 4
#: Those of a short run: one for each of the five publications, and the default model's.
QUICK = ("dlinknet34", "dlinknet_efficientnet_lite2", "lednet", "linknet")


def train_networks(folder: Path, picture: NDArray[np.uint8], *, quick: bool) -> list[Row]:
    """Train each network for a few steps of 4 crops of 256 x 256 pixels, compiled, in float32."""
    data = _write_images(folder / "training", picture)
    rows = []
    for network in QUICK if quick else NETWORKS:
        out = folder / f"run-{network}"
        done = terraspore("train", *_overrides(network, data, 4 if quick else 8), "--out", out)
        with (out / "steps.csv").open(newline="") as file:
            seconds = statistics.median(float(row["seconds"]) for row in list(csv.DictReader(file))[1:])
        # The first step compiles and runs.
        compiling = json.loads((out / "summary.json").read_text())["compile_seconds"] - seconds
        rows += [
            show(Row(network, "s per step", seconds)),
            show(Row(network, "images/s", BATCH / seconds)),
            show(Row(network, "s to compile", max(0.0, compiling))),
            show(Row(network, "MB at most", done.peak_bytes / 1e6)),
        ]
    return rows


def _write_images(root: Path, picture: NDArray[np.uint8]) -> Path:
    """Write eight training images and one of validation, bright pixels as road, in the DeepGlobe layout."""
    for number in range(9):
        folder = root / ("train" if number < 8 else "valid")
        folder.mkdir(parents=True, exist_ok=True)
        row, column = divmod(number, 3)
        tile = np.ascontiguousarray(picture[:, row * SIZE :, column * SIZE :][:, :SIZE, :SIZE].transpose(1, 2, 0))
        mask = np.where(tile.mean(2) > tile.mean(), 255, 0).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}_sat.jpg"), tile[:, :, ::-1])
        cv2.imwrite(str(folder / f"{number}_mask.png"), mask)
    return root


def _overrides(network: str, data: Path, steps: int) -> list[str]:
    """Return a configuration's overrides: roads for networks of one class, two classes for the others."""
    roads = network.startswith(("dlinknet", "linknet34")) or NETWORKS[network].max_classes == 1
    return [
        "dlinknet34",
        f"network={{name: {network}, num_classes: {1 if roads else 2}, options: {{}}}}",
        f"loss.name={'bce_dice' if roads else 'ohem' if network.startswith('dgcnet') else 'ce'}",
        f"data.root={data}",
        "data.val=valid",
        f"data.classes={'[road]' if roads else '[ground, road]'}",
        "data.colours=[]",
        f"augment.crop={SIZE}",
        f"train={{batch: {BATCH}, steps: {steps}, evaluate_every: {steps}}}",
        f"train.monitor={'foreground_iou' if roads else 'mean_iou'}",
    ]
