"""A training on several data sets: losses, metrics by source, exact resume, MindRecord, evaluation and card."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parent))
from terraspore.training.config import Config
from terraspore.training.data import open_split, source_configs
from terraspore.training.data.mindrecord import write_records
from terraspore.training.evaluation import evaluate_checkpoint
from terraspore.training.trainer import run_training
from tiny_run import Tiny, read_rows, tiny_config, train_whole_and_broken

pytestmark = pytest.mark.mindspore

OVERRIDES = ("resolution=1.0", "train.steps=6", "train.evaluate_every=3", "train.save_every=2", "data.cache_mb=0")


def sources(roads: Path, **changed: str) -> str:
    fine = {"root": str(roads), "name": "fine", "resolution": 0.5, "weight": 2, "licence": "CC0"}
    plain = {"root": str(roads), "name": "plain", "resolution": 1.0, "weight": 1, "licence": "ODbL"}
    return f"data.sources={json.dumps([{**fine, **changed}, plain])}"


def run(config: Config, out: Path, **options: object) -> None:
    run_training(config, out, make_network=lambda chosen: Tiny(chosen.network.num_classes), **options)


@pytest.mark.slow
def test_training_on_sources_resumes_exactly_and_has_metrics_of_each(roads: Path, in_tmp: Path) -> None:
    config = tiny_config(roads, sources(roads), *OVERRIDES, f"data.cache_path={in_tmp / 'cache'}")
    train_whole_and_broken(run, config, in_tmp, 3)
    validations = read_rows(in_tmp / "whole" / "checks.csv")
    assert read_rows(in_tmp / "broken" / "checks.csv") == validations
    last = {key: float(value) for key, value in validations[-1].items()}
    assert last["foreground_iou"] == pytest.approx((last["foreground_iou_fine"] + last["foreground_iou_plain"]) / 2)
    card = json.loads((in_tmp / "whole" / "card.json").read_text())
    assert (card["licence"], card["data"]) == ("CC0; ODbL", "fine, plain")

    # The same from MindRecord files.
    (fine, data), _ = source_configs(config)
    write_records(open_split(data, "train"), in_tmp / "records" / "train", shards=2)
    write_records(open_split(data, "valid"), in_tmp / "records" / "valid", shards=1)
    changed = sources(roads, root=str(in_tmp / "records"), layout="mindrecord")
    assert fine.name == "fine"
    records = tiny_config(roads, changed, *OVERRIDES)
    run(records, in_tmp / "recorded")
    assert read_rows(in_tmp / "recorded" / "steps.csv") == read_rows(in_tmp / "whole" / "steps.csv")

    make = lambda chosen: Tiny(chosen.network.num_classes)  # noqa: E731
    best = in_tmp / "whole" / "best.ckpt"
    report = evaluate_checkpoint(config, best, split="valid", out=in_tmp / "scores", make_network=make)
    assert list(report.by_source) == ["fine", "plain"]
    assert report.images == 6
    assert "fine: foreground_iou" in report.text()
    tables = json.loads((in_tmp / "scores" / "metrics.json").read_text())["sources"]
    assert tables["plain"]["f1"] == report.by_source["plain"]["f1"]
    alone = evaluate_checkpoint(tiny_config(roads), best, split="valid", make_network=make)
    assert alone.metrics["f1"] == pytest.approx(report.by_source["plain"]["f1"])
    assert np.array_equal(alone.matrix.sum(), 3 * 1600)
