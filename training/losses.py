"""Losses for segmentation, on logits and with ignored pixels; each is finite if a whole batch is ignored.

Labels are int32 (N, H, W); logits float (N, classes, H, W) of the same height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from ..engine.errors import ParameterError
from .config import LossConfig

Loss = Callable[[Tensor | tuple[Tensor, ...], Tensor], Tensor]

_TINY = 1e-12


def bce_dice(logits: Tensor, labels: Tensor, ignore: int = 255, smooth: float = 1.0) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice coefficient, as in D-LinkNet (Zhou et al., CVPRW 2018).

    The cross-entropy is the mean over the pixels that are not ignored; Dice is taken over the whole batch,
    ``(2 sum(p t) + s) / (sum p + sum t + s)``. Upstream computes both from probabilities, which overflows in half
    precision, and divides zero by zero where prediction and mask are empty; logits and ``s > 0`` avoid both.

    Args:
        logits: (N, 1, H, W).
        labels: 1 foreground, 0 background, ``ignore`` elsewhere.
        ignore: label that is not counted.
        smooth: s.
    """
    x = ops.cast(logits[:, 0], ms.float32)
    valid = ops.cast(labels != ignore, ms.float32)
    target = ops.cast(labels == 1, ms.float32)
    entropy = ops.relu(x) - x * target + ops.log1p(ops.exp(-ops.abs(x)))
    bce = (entropy * valid).sum() / ops.maximum(valid.sum(), ms.Tensor(1.0, ms.float32))
    p = ops.sigmoid(x) * valid
    dice = (2.0 * (p * target).sum() + smooth) / (p.sum() + target.sum() + smooth)
    return bce + 1.0 - dice


def _true_class(logits: Tensor, labels: Tensor, ignore: int) -> tuple[Tensor, Tensor, Tensor]:
    """Negative log probability of the true class, mask of counted pixels, labels with 0 for ignored ones: (N, H, W)."""
    valid = ops.cast(labels != ignore, ms.float32)
    safe = ops.where(labels != ignore, labels, ops.zeros_like(labels))
    # Not log_softmax, whose gradient MindSpore computes ten times as slowly on a CPU.
    scores = ops.cast(logits, ms.float32)
    scores = scores - ops.stop_gradient(scores.max(1, keepdims=True))
    picked = ops.gather_elements(scores, 1, safe.expand_dims(1)).squeeze(1)
    return ops.log(ops.exp(scores).sum(1)) - picked, valid, safe


def cross_entropy(logits: Tensor, labels: Tensor, ignore: int = 255, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over counted pixels, 0 if there are none; with class ``weights``, sum(w nll) / sum(w)."""
    nll, valid, safe = _true_class(logits, labels, ignore)
    factor = valid if weights is None else valid * weights[safe]
    return (nll * factor).sum() / ops.maximum(factor.sum(), ms.Tensor(_TINY, ms.float32))


def ohem_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore: int = 255,
    threshold: float = 0.7,
    keep: int = 100_000,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy over the hard pixels of a batch (online hard example mining, as in DGCNet).

    A pixel is kept if the probability of its true class is at most max(``threshold``, the ``keep``-th smallest one).
    With fewer than ``keep`` counted pixels, all of them are kept.
    """
    nll, valid, safe = _true_class(logits, labels, ignore)
    p = ops.stop_gradient(ops.where(labels != ignore, ops.exp(-nll), ops.ones_like(nll)))
    flat = p.reshape(-1)
    smallest, _ = ops.sort(flat)
    limit = ops.maximum(smallest[min(keep, flat.shape[0]) - 1], ms.Tensor(threshold, ms.float32))
    limit = ops.where(valid.sum() < keep, ms.Tensor(2.0, ms.float32), limit)
    factor = valid * ops.cast(p <= limit, ms.float32)
    if weights is not None:
        factor = factor * weights[safe]
    return (nll * factor).sum() / ops.maximum(factor.sum(), ms.Tensor(_TINY, ms.float32))


def focal(
    logits: Tensor,
    labels: Tensor,
    *,
    ignore: int = 255,
    gamma: float = 2.0,
    alpha: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Focal loss ``alpha (1 - p)^gamma nll`` (Lin et al., ICCV 2017), mean over counted pixels."""
    nll, valid, safe = _true_class(logits, labels, ignore)
    factor = valid if weights is None else valid * weights[safe]
    # Bounded, because the power of zero has no derivative for gamma < 1.
    rest = ops.clamp(1.0 - ops.exp(-nll), 1e-6, 1.0)
    return alpha * (ops.pow(rest, gamma) * nll * factor).sum() / ops.maximum(valid.sum(), ms.Tensor(1.0, ms.float32))


def make_loss(config: LossConfig, num_classes: int, ignore: int, class_weights: Sequence[float] | None = None) -> Loss:
    """Make the configured loss of a network's output, or outputs with the main one first, and labels.

    Raises:
        ParameterError: the loss and the number of classes do not fit.
    """
    if (config.name == "bce_dice") != (num_classes == 1):
        raise ParameterError(f"The loss {config.name!r} does not fit {num_classes} class(es); bce_dice is for one.")
    weights = None if class_weights is None else Tensor(np.asarray(class_weights, np.float32))
    if weights is not None and weights.shape != (num_classes,):
        raise ParameterError(f"There are {weights.shape[0]} class weights for {num_classes} classes.")

    def plain(logits: Tensor, labels: Tensor) -> Tensor:
        """Loss without mining or focal factor, also of further outputs."""
        if num_classes == 1:
            return bce_dice(logits, labels, ignore, config.dice_smooth)
        return cross_entropy(logits, labels, ignore, weights)

    def main(logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of the main output."""
        if config.name == "ohem":
            return ohem_cross_entropy(
                logits, labels, ignore=ignore, threshold=config.ohem_threshold, keep=config.ohem_keep, weights=weights
            )
        if config.name == "focal":
            return focal(
                logits, labels, ignore=ignore, gamma=config.focal_gamma, alpha=config.focal_alpha, weights=weights
            )
        return plain(logits, labels)

    def loss(output: Tensor | tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Weighted sum over all outputs."""
        if not isinstance(output, tuple):
            return main(output, labels)
        total = main(output[0], labels)
        for extra in output[1:]:
            total = total + config.auxiliary * plain(extra, labels)
        return total

    return loss
