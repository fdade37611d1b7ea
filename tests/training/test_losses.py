"""Losses against NumPy and values computed by hand, and the loss of a teacher."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from terraspore.engine.errors import ParameterError, SourceError

ms = pytest.importorskip("mindspore")
sys.path.insert(0, str(Path(__file__).parent / "trainer"))

from terraspore.training.config import Config, LossConfig, NormalisationConfig
from terraspore.training.data import normalise, open_sources, open_training_data
from terraspore.training.losses import (
    bce_dice,
    convert_normalisation,
    cross_entropy,
    focal,
    make_loss,
    make_teacher_loss,
    ohem_cross_entropy,
    read_teacher_config,
    soft_cross_entropy,
)
from terraspore.training.trainer import run_training
from tiny_run import Tiny, tiny_config

pytestmark = pytest.mark.mindspore

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(0, 2, (2, 3, 4, 5)).astype(np.float32)
LABELS = RNG.integers(0, 3, (2, 4, 5)).astype(np.int32)
LABELS[0, 0, :3] = 255


def value(loss: object) -> float:
    return float(loss.asnumpy())  # type: ignore[attr-defined]


def nll(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log probability of the true class of each pixel that counts, in double precision."""
    x = logits.astype(np.float64)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return np.array(
        [-math.log(p[n, labels[n, i, j], i, j]) for n, i, j in np.ndindex(labels.shape) if labels[n, i, j] != 255]
    )


def tensors() -> tuple:
    return ms.Tensor(LOGITS), ms.Tensor(LABELS)


def test_cross_entropy_is_the_mean_over_counted_pixels() -> None:
    assert value(cross_entropy(*tensors())) == pytest.approx(nll(LOGITS, LABELS).mean(), rel=1e-5)


def test_weighted_cross_entropy_divides_by_the_weights() -> None:
    weights = np.array([0.5, 2.0, 1.0], np.float32)
    counted = weights[LABELS[LABELS != 255]]
    want = (nll(LOGITS, LABELS) * counted).sum() / counted.sum()
    assert value(cross_entropy(*tensors(), weights=ms.Tensor(weights))) == pytest.approx(want, rel=1e-5)


def test_focal() -> None:
    logits = np.zeros((1, 2, 1, 2), np.float32)
    logits[0, 0, 0, 0] = math.log(3.0)
    labels = np.array([[[0, 1]]], np.int32)
    # Probabilities of the true classes are 3/4 and 1/2.
    want = (0.25**2 * -math.log(0.75) + 0.5**2 * -math.log(0.5)) / 2
    assert value(focal(ms.Tensor(logits), ms.Tensor(labels))) == pytest.approx(want, rel=1e-5)


def test_weights_and_factors_of_focal_and_ohem() -> None:
    weights = np.array([0.5, 2.0, 1.0], np.float32)
    losses = nll(LOGITS, LABELS)
    counted = weights[LABELS[LABELS != 255]]
    p = np.exp(-losses)
    # The focal loss is a mean over pixels, as RetinaNet's alpha leaves it; cross-entropies divide by their weights.
    want = (0.25 * (1 - p) ** 3 * losses * counted).mean()
    got = focal(*tensors(), gamma=3.0, alpha=0.25, weights=ms.Tensor(weights))
    assert value(got) == pytest.approx(want, rel=1e-4)
    kept = p <= max(0.3, np.sort(p)[9]) + 1e-7
    want = (losses * counted)[kept].sum() / counted[kept].sum()
    got = ohem_cross_entropy(*tensors(), keep=10, threshold=0.3, weights=ms.Tensor(weights))
    assert value(got) == pytest.approx(want, rel=1e-4)


def test_gradients_of_cross_entropy_and_dice() -> None:
    # Of cross-entropy: (softmax - one hot) / pixels, zero where ignored.
    gradient = ms.grad(lambda x: cross_entropy(x, ms.Tensor(LABELS)))(ms.Tensor(LOGITS)).asnumpy()
    p = np.exp(LOGITS.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    hot = (np.arange(3)[None, :, None, None] == LABELS[:, None]).astype(float)
    valid = LABELS != 255
    assert gradient == pytest.approx((p - hot) * valid[:, None] / valid.sum(), abs=1e-6)
    # Of BCE and Dice: by differences of the loss in double precision.
    logits, labels = LOGITS[:1, :1, :2, :2], (LABELS[:1, 2:4, :2] == 1).astype(np.int32)

    def loss(x: np.ndarray) -> float:
        q, t = 1 / (1 + np.exp(-x[:, 0])), labels
        entropy = -(t * np.log(q) + (1 - t) * np.log(1 - q)).mean()
        return float(entropy + 1 - (2 * (q * t).sum() + 1) / (q.sum() + t.sum() + 1))

    gradient = ms.grad(lambda x: bce_dice(x, ms.Tensor(labels)))(ms.Tensor(logits)).asnumpy()
    for place in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[place] = 1e-5
        slope = (loss(logits + step) - loss(logits - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)


def test_ohem_keeps_the_pixels_below_the_larger_of_threshold_and_kth_smallest() -> None:
    losses = np.sort(nll(LOGITS, LABELS))[::-1]
    p = np.exp(-losses)
    for keep, threshold in ((5, 0.05), (5, 0.7), (20, 0.01)):
        limit = max(threshold, p[keep - 1])
        want = losses[p <= limit + 1e-7].mean()
        assert value(ohem_cross_entropy(*tensors(), keep=keep, threshold=threshold)) == pytest.approx(want, rel=1e-4)


def test_ohem_with_too_few_pixels_is_plain_cross_entropy() -> None:
    got = value(ohem_cross_entropy(*tensors(), keep=1000, threshold=0.01))
    assert got == pytest.approx(nll(LOGITS, LABELS).mean(), rel=1e-5)


def test_bce_dice_against_probabilities() -> None:
    logits = RNG.normal(0, 2, (2, 1, 3, 4)).astype(np.float32)
    labels = RNG.integers(0, 2, (2, 3, 4)).astype(np.int32)
    labels[1, 2, 3] = 255
    counted = labels != 255
    p = 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))[counted]
    t = labels[counted]
    bce = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    dice = (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    assert value(bce_dice(ms.Tensor(logits), ms.Tensor(labels))) == pytest.approx(bce + 1 - dice, rel=1e-5)


def test_bce_dice_is_finite_for_huge_logits_and_empty_masks() -> None:
    logits = np.full((1, 1, 2, 2), -1e4, np.float32)
    assert value(bce_dice(ms.Tensor(logits), ms.Tensor(np.zeros((1, 2, 2), np.int32)))) == pytest.approx(0, abs=1e-6)
    assert value(bce_dice(ms.Tensor(-logits), ms.Tensor(np.zeros((1, 2, 2), np.int32)))) == pytest.approx(1e4 + 0.8)


@pytest.mark.parametrize("name", ["ce", "ohem", "focal", "bce_dice"])
def test_a_batch_that_is_all_ignored_is_finite_and_has_no_gradient(name: str) -> None:
    classes = 1 if name == "bce_dice" else 3
    loss = make_loss(LossConfig(name=name, ohem_keep=4), classes, 255)
    labels = ms.Tensor(np.full((2, 4, 5), 255, np.int32))
    gradient_of = ms.value_and_grad(lambda logits: loss(logits, labels))
    found, gradient = gradient_of(ms.Tensor(LOGITS[:, :classes]))
    assert value(found) == 0
    assert np.abs(gradient.asnumpy()).max() == 0


def test_auxiliary_outputs_are_weighed() -> None:
    loss = make_loss(LossConfig(name="ohem", ohem_keep=5, auxiliary=0.4), 3, 255)
    logits, labels = tensors()
    both = value(loss((logits, logits * 0.5), labels))
    main = value(ohem_cross_entropy(logits, labels, keep=5))
    assert both == pytest.approx(main + 0.4 * nll(LOGITS * 0.5, LABELS).mean(), rel=1e-5)


def test_loss_must_fit_the_number_of_classes() -> None:
    with pytest.raises(ParameterError, match="bce_dice"):
        make_loss(LossConfig(name="bce_dice"), 3, 255)


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
