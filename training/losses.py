"""Losses for segmentation, on logits and with ignored pixels; each is finite if a whole batch is ignored.

Labels are int32 (N, H, W); logits float (N, classes, H, W) of the same height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ..engine.errors import ParameterError
from ..engine.models.card import CARD_NAME, read_card
from ..engine.models.registry import find_weights
from .checkpoint_io import load_checkpoint
from .config import Config, LossConfig, NetworkConfig, NormalisationConfig, load_config

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


Floats = NDArray[np.float32]
#: (loss of the labels, output or outputs of the network, normalised images) -> loss
MixLoss = Callable[[Tensor, "Tensor | tuple[Tensor, ...]", Tensor], Tensor]


def make_teacher_loss(config: Config, make_network: Callable[[Config], nn.Cell]) -> MixLoss | None:
    """Make the function that adds the loss of ``loss.teacher`` to that of the labels; None if there is no teacher.

    Args:
        config: of the network that learns.
        make_network: creates the teacher.

    Raises:
        ParameterError: the teacher's network is not known, or has other classes or bands.
        ModelError: there is no model of that name.
        CheckpointError: the checkpoint is damaged or of another network.
    """
    if not config.loss.teacher:
        return None
    path, share = find_weights(Path(config.loss.teacher)), config.loss.teacher_share
    described = read_teacher_config(path)
    classes, bands = config.network.num_classes, len(config.normalisation.mean)
    if (described.network.num_classes, len(described.normalisation.mean)) != (classes, bands):
        raise ParameterError(
            f"The teacher {path} has {described.network.num_classes} classes and {len(described.normalisation.mean)} "
            f"bands, but the network has {classes} and {bands}."
        )
    teacher = make_network(described)
    load_checkpoint(teacher, path)
    # Names of parameters must differ within the compiled step.
    teacher.update_parameters_name("teacher.")
    teacher.set_train(False)
    factor, offset = (Tensor(values) for values in convert_normalisation(config.normalisation, described.normalisation))

    def mix(value: Tensor, output: Tensor | tuple[Tensor, ...], images: Tensor) -> Tensor:
        """Weighted mean of the loss of the labels and that of the teacher's probabilities, over all pixels."""
        logits = output[0] if isinstance(output, tuple) else output
        taught = teacher(images * factor + offset)
        target = taught[0] if isinstance(taught, tuple) else taught
        return (1.0 - share) * value + share * soft_cross_entropy(logits, ops.stop_gradient(target))

    return mix


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of ``logits`` against the probabilities of the logits ``target``; both (N, classes, H, W)."""
    x, t = ops.cast(logits, ms.float32), ops.cast(target, ms.float32)
    if x.shape[1] == 1:
        return (ops.relu(x) - x * ops.sigmoid(t) + ops.log1p(ops.exp(-ops.abs(x)))).mean()
    return -(ops.softmax(t, 1) * ops.log_softmax(x, 1)).sum(1).mean()


def convert_normalisation(own: NormalisationConfig, other: NormalisationConfig) -> tuple[Floats, Floats]:
    """Factor and offset, float32 (1, bands, 1, 1), that turn a normalisation of images into another one."""
    mean, std = np.array(own.mean), np.array(own.std)
    factor = std / own.scale * other.scale / np.array(other.std)
    offset = (mean / own.scale * other.scale - np.array(other.mean)) / np.array(other.std)
    return factor.astype(np.float32).reshape(1, -1, 1, 1), offset.astype(np.float32).reshape(1, -1, 1, 1)


def read_teacher_config(checkpoint: Path) -> Config:
    """Network and normalisation of a checkpoint, from the model card or the run's ``config.yaml`` beside it.

    Raises:
        ParameterError: there is neither.
        CardError: the card is damaged.
    """
    card_path, config_path = checkpoint.with_name(CARD_NAME), checkpoint.with_name("config.yaml")
    if config_path.is_file():
        return load_config(config_path)
    if not card_path.is_file():
        raise ParameterError(
            f"There is neither {CARD_NAME} nor config.yaml beside the teacher {checkpoint}; its network is not known.",
            "Give the checkpoint of a run or of a model's folder.",
        )
    card = read_card(card_path)
    if card.architecture is None:
        raise ParameterError(f"The model of the teacher {checkpoint} is no network of this program.")
    options = {**card.options, **({"in_channels": card.bands} if card.bands != 3 else {})}
    norm = card.normalisation
    return replace(
        Config(),
        network=NetworkConfig(card.architecture, len(card.classes), options),
        normalisation=NormalisationConfig(norm.scale, tuple(norm.mean), tuple(norm.std)),
    )
