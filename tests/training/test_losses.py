"""Losses against NumPy and values computed by hand."""

import math

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from terraspore.engine.errors import ParameterError
from terraspore.training.config import LossConfig
from terraspore.training.losses import bce_dice, cross_entropy, focal, make_loss, ohem_cross_entropy

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
