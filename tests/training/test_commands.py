"""Commands of the training package, on a small network and tiny data."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run_last
from PIL import Image
from raster_files import write_raster
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.training.config import load_config
from terraspore.training.data import make_loader, open_training_data

pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parent / "weights"))
from parity_cases import make_weights

VALUES = Path(__file__).parent / "weights" / "data" / "parity.npz"

pytestmark = pytest.mark.mindspore


def write_cover(root: Path) -> None:
    """Two classes in the VOC layout: dark is 0, bright is 1, the first row is not labelled."""
    base = root / "VOC2007"
    for folder in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (base / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        label = np.zeros((32, 32), np.uint8)
        label[:, int(rng.integers(8, 24)) :] = 1
        image = np.where(label[:, :, None] > 0, 200, 50) + rng.integers(-10, 10, (32, 32, 3))
        label[0] = 255
        Image.fromarray(image.astype(np.uint8)).save(base / "JPEGImages" / f"{number}.jpg", quality=95)
        Image.fromarray(label).save(base / "SegmentationClass" / f"{number}.png")
    (base / "ImageSets" / "Segmentation" / "train.txt").write_text("0\n1\n2\n3\n")
    (base / "ImageSets" / "Segmentation" / "val.txt").write_text("4\n5\n")


@pytest.mark.slow
def test_train_evaluate_and_visualise(in_tmp: Path) -> None:
    write_cover(in_tmp / "data")
    arguments = [
        "lednet",
        f"data.root={in_tmp / 'data'}",
        "data.classes=[dark, bright]",
        "data.val=val",
        "data.test=val",
        "network.num_classes=2",
        "augment.crop=32",
        "loss={name: ohem, ohem_keep: 100, weights: enet}",
        "train={steps: 3, batch: 2, evaluate_every: 3}",
    ]
    code, result = run_last("train", *arguments, "--out", in_tmp / "run")
    assert (code, result["type"]) == (0, "result")
    assert result["summary"]["steps"] == 3
    assert list((in_tmp / "run").glob("class_histogram_*.json"))
    config, best = in_tmp / "run" / "config.yaml", in_tmp / "run" / "best.ckpt"
    options = ["--checkpoint", best, "--out", in_tmp / "eval", "--save-predictions"]
    code, result = run_last("evaluate", config, "evaluation.flip=true", *options)
    assert code == 0, result["text"]
    report = json.loads((in_tmp / "eval" / "metrics.json").read_text())
    assert report["metrics"]["mean_iou"] == result["summary"]["mean_iou"]
    assert [row["class"] for row in report["classes"]] == ["dark", "bright"]
    matrix = (in_tmp / "eval" / "confusion.csv").read_text().splitlines()
    counted = sum(int(number) for line in matrix[1:] for number in line.split(",")[1:])
    assert counted == 2 * 31 * 32
    predicted = np.asarray(Image.open(in_tmp / "eval" / "predictions" / "4.png"))
    assert predicted.shape == (32, 32)
    assert predicted.max() <= 1
    code, result = run_last("visualise", config, "--checkpoint", best, "--out", in_tmp / "seen", "--alpha", 0)
    assert (code, result["summary"]["images"]) == (0, 2)
    picture = in_tmp / "data" / "VOC2007" / "JPEGImages" / "4.jpg"
    options = ("--checkpoint", best, "--images", picture, "--out", in_tmp / "one", "--alpha", 0)
    code, result = run_last("visualise", config, *options)
    assert (code, result["summary"]["images"]) == (0, 1)
    assert (in_tmp / "one" / "4.png").read_bytes() == (in_tmp / "seen" / "4.png").read_bytes()
    shown = np.asarray(Image.open(in_tmp / "seen" / "4.png")).astype(int)
    source = np.asarray(Image.open(picture)).astype(int)
    assert np.abs(shown - source).max() <= 2


@pytest.mark.slow
def test_published_weights_are_evaluated_shown_and_run(in_tmp: Path) -> None:
    with np.load(VALUES) as file:
        entries = [line.split() for line in file["lednet.shapes"]]
    write_checkpoint(in_tmp / "theirs.ckpt", make_weights((name, tuple(map(int, sizes))) for name, *sizes in entries))
    assert run_last("convert", "theirs.ckpt", "lednet.ckpt", "--arch", "lednet")[0] == 0
    write_cover(in_tmp / "data")
    names = "[dark, bright, c, d, e, f]"
    config = ("lednet", f"data.root={in_tmp / 'data'}", f"data.classes={names}", "data.test=val", "train.compile=false")
    code, result = run_last("evaluate", *config, "--checkpoint", "lednet.ckpt", "--out", in_tmp / "scores")
    assert (code, result["summary"]["images"]) == (0, 2), result["text"]
    code, result = run_last("visualise", *config, "--checkpoint", "lednet.ckpt", "--out", in_tmp / "seen")
    assert (code, result["summary"]["images"]) == (0, 2), result["text"]
    described = (f"data.classes={names}", "--config", "lednet", "--resolution", 1, "--tile", 64, "--format", "onnx")
    assert run_last("export", "lednet.ckpt", *described, "--out", "model")[0] == 0
    write_raster(in_tmp / "image.tif", np.random.default_rng(0).integers(0, 255, (3, 80, 90), np.uint8))
    extract = ("extract", "landcover", "image.tif", "--model", "model", "-o", in_tmp / "cover.gpkg")
    code, result = run_last(*extract)
    assert code == 0, result["text"]
    assert result["summary"]["polygons"] > 0


def test_user_errors_have_exit_code_2_and_a_message(in_tmp: Path) -> None:
    for arguments, text in (
        (("train", "dlinknet"), "Did you mean"),
        (("train", "dlinknet34", "optimizer.lrr=1"), "Did you mean 'lr'"),
        (("train", "dlinknet34"), "data.root"),
        (("evaluate", "dlinknet34"), "--checkpoint"),
        (("labels", "sbd", in_tmp, in_tmp), "holds no files"),
    ):
        code, result = run_last(*arguments)
        assert (code, result["type"]) == (2, "error")
        assert text in f"{result['text']} {result['hint']}"


def test_augmented_samples_are_pictures(roads: Path, in_tmp: Path) -> None:
    arguments = ("dlinknet34", f"data.root={roads}", "augment.crop=32", "train.batch=2")
    code, result = run_last("visualise", *arguments, "--augmented", 5, "--out", in_tmp / "seen")
    assert (code, result["summary"]["images"]) == (0, 5), result["text"]
    config = load_config(arguments[0], arguments[1:])
    loader = make_loader(config, open_training_data(config).train)
    image, label = loader.load_sample(1, 1)
    shown = np.asarray(Image.open(in_tmp / "seen" / "0003.png"))
    assert np.array_equal(shown[label == 0], image[label == 0])
    red = np.rint(image[label == 1] * 0.5 + np.array([228, 0, 43]) * 0.5)
    assert np.array_equal(shown[label == 1], red)
    # They are the crops of the training.
    batch = loader.load(1)
    assert np.array_equal(batch.labels[1], label)


def test_lists_and_records(roads: Path, in_tmp: Path) -> None:
    write_cover(in_tmp / "data")
    base = in_tmp / "data" / "VOC2007"
    code, result = run_last(
        "lists", "folder", base / "JPEGImages", base / "SegmentationClass", "--out", in_tmp / "all.txt"
    )
    assert code == 0, result["text"]
    lines = (in_tmp / "all.txt").read_text().splitlines()
    assert lines[0] == "data/VOC2007/JPEGImages/0.jpg\tdata/VOC2007/SegmentationClass/0.png"
    assert len(lines) == 6
    arguments = (
        "records",
        "dlinknet34",
        f"data.root={roads}",
        "--split",
        "valid",
        "--out",
        in_tmp / "r",
        "--shards",
        1,
    )
    code, result = run_last(*arguments)
    assert (code, result["summary"]) == (0, {"valid": 3})
