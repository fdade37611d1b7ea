"""Evaluations and pictures in which there is nothing say so, and why."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from terraspore.engine.context import RunContext

pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parents[1] / "trainer"))
from terraspore.training.checkpoint_io import parameter_values, save_checkpoint
from terraspore.training.config import Config
from terraspore.training.evaluation import evaluate_checkpoint
from terraspore.training.evaluation.plots import plot_predictions
from tiny_run import Tiny, tiny_config

pytestmark = pytest.mark.mindspore


def make(_: Config) -> Tiny:
    return Tiny()


@pytest.fixture
def checkpoint(in_tmp: Path) -> Path:
    save_checkpoint(in_tmp / "tiny.ckpt", parameter_values(Tiny().get_parameters()))
    return in_tmp / "tiny.ckpt"


def config(root: Path, *overrides: str) -> Config:
    return tiny_config(root, "train.compile=false", *overrides)


def test_labels_without_a_road_and_predictions_without_one(roads: Path, in_tmp: Path, checkpoint: Path) -> None:
    empty = in_tmp / "empty" / "valid"
    empty.mkdir(parents=True)
    for path in (roads / "valid").glob("*_sat.jpg"):
        (empty / path.name).write_bytes(path.read_bytes())
        cv2.imwrite(str(empty / path.name.replace("_sat.jpg", "_mask.png")), np.zeros((40, 40), np.uint8))
    context = RunContext()
    evaluate_checkpoint(config(empty.parent), checkpoint, split="valid", context=context, make_network=make)
    assert ["No pixel of the class road is in the 3 labels" in text for text in context.warnings] == [True]
    context = RunContext()
    chosen = config(roads, "evaluation.threshold=1.1")
    evaluate_checkpoint(chosen, checkpoint, split="valid", context=context, make_network=make)
    assert ["No pixel of 'valid' was predicted as road" in text for text in context.warnings] == [True]


def test_pictures_without_a_road(roads: Path, in_tmp: Path, checkpoint: Path) -> None:
    context = RunContext()
    chosen = config(roads, "evaluation.threshold=1.1")
    options = {"context": context, "make_network": make}
    assert plot_predictions(chosen, checkpoint, in_tmp / "seen", split="valid", **options) == 3
    (text,) = context.warnings
    assert text.startswith("Nothing in the 3 images reached the threshold 1.1 (highest 0.")
