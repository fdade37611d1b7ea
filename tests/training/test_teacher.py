"""Distillation: what a network learns from a trained one, and how the teacher is found."""

import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from terraspore.engine.errors import ParameterError, SourceError
from terraspore.training.config import Config, LossConfig, NormalisationConfig
from terraspore.training.data import normalise, open_sources, open_training_data
from terraspore.training.losses import (
    convert_normalisation,
    make_teacher_loss,
    read_teacher_config,
    soft_cross_entropy,
)

sys.path.insert(0, str(Path(__file__).parent / "trainer"))
from terraspore.training.trainer import run_training
from tiny_run import Tiny, tiny_config

pytestmark = pytest.mark.mindspore

MODELS = Path(__file__).parents[2] / "resources" / "models"


def make(_: Config) -> Tiny:
    return Tiny()


def test_soft_cross_entropy_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    for classes in (1, 3):
        x, t = rng.normal(0, 3, (2, 2, classes, 4, 5)).astype(np.float32)
        if classes == 1:
            p, q = 1 / (1 + np.exp(-t)), 1 / (1 + np.exp(-x))
            want = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
        else:
            p, q = (np.exp(v) / np.exp(v).sum(1, keepdims=True) for v in (t, x))
            want = -(p * np.log(q)).sum(1).mean()
        assert float(soft_cross_entropy(ms.Tensor(x), ms.Tensor(t)).asnumpy()) == pytest.approx(want, rel=1e-5)


def test_images_are_normalised_as_the_teacher_wants_them() -> None:
    own = NormalisationConfig(1 / 255, (0.5, 0.4, 0.3), (0.3, 0.2, 0.1))
    other = NormalisationConfig(1.0, (120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    factor, offset = convert_normalisation(own, other)
    assert np.allclose(normalise(image, own) * factor[0] + offset[0], normalise(image, other), atol=1e-5)


def test_a_bundled_model_is_a_teacher_by_its_card(tmp_path: Path) -> None:
    config = read_teacher_config(MODELS / "landcover-lednet" / "weights.ckpt")
    assert (config.network.name, config.network.num_classes, len(config.normalisation.mean)) == ("lednet", 6, 3)
    with pytest.raises(ParameterError, match="neither card"):
        read_teacher_config(tmp_path / "a.ckpt")
    for teacher in (str(MODELS / "landcover-lednet" / "weights.ckpt"), "landcover-lednet"):
        with pytest.raises(ParameterError, match="6 classes and 3 bands, but the network has 1 and 3"):
            make_teacher_loss(Config(loss=LossConfig(teacher=teacher)), make)


@pytest.mark.slow
def test_a_network_learns_from_a_teacher_without_labels(roads: Path, in_tmp: Path) -> None:
    teacher = run_training(tiny_config(roads), in_tmp / "teacher", make_network=make)
    lists = {"train": "train", "valid": "valid"}
    for name, folder in lists.items():
        images = sorted((roads / folder).glob("*_sat.jpg"))
        labels = [f"\t{path.with_name(path.name.replace('_sat.jpg', '_mask.png'))}" for path in images]
        columns = zip(images, labels if name == "valid" else [""] * len(images), strict=True)
        (in_tmp / f"{name}.txt").write_text("".join(f"{image}{label}\n" for image, label in columns))
    data = "data={layout: lists, train: train, val: valid, label_map: {0: 0, 255: 1}}"
    config = tiny_config(in_tmp, data, f"data.root={in_tmp}")
    with pytest.raises(SourceError, match="has no label"):
        open_training_data(config)
    best = in_tmp / "teacher" / "best.ckpt"
    config = tiny_config(in_tmp, data, f"data.root={in_tmp}", f"loss.teacher={best}", "loss.teacher_share=1.0")
    student = run_training(config, in_tmp / "student", make_network=make)
    assert teacher.progress.best > 0.8
    assert student.progress.best > 0.6


def test_a_source_without_labels_is_left_out_of_the_validation(roads: Path, tmp_path: Path) -> None:
    images = sorted((roads / "train").glob("*_sat.jpg"))
    (tmp_path / "train.txt").write_text("".join(f"{image}\n" for image in images))
    sources = f"data.sources=[{{root: '{roads}', name: own}}, {{root: '{tmp_path}', name: more, layout: lists}}]"
    with pytest.raises(SourceError, match="has no label"):
        open_training_data(tiny_config(roads, sources))
    teacher = f"loss.teacher={tmp_path / 'best.ckpt'}"
    data = open_training_data(tiny_config(roads, sources, teacher))
    assert [(source.name, len(source.split.samples)) for source in data.train] == [("own", 6), ("more", 8)]
    assert [(source.name, len(source.split.samples)) for source in data.validation] == [("own", 2)]
    assert [source.name for source in open_sources(tiny_config(roads, sources, teacher))] == ["own"]
    alone = f"data.sources=[{{root: '{tmp_path}', name: more, layout: lists}}]"
    with pytest.raises(SourceError, match="No validation image has a label"):
        open_training_data(tiny_config(roads, alone, teacher))
