"""Distillation: a network also learns the probabilities of a trained one (Hinton et al., 2015), without labels too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ..engine.errors import ParameterError
from ..engine.models.card import CARD_NAME, read_card
from .checkpoint_io import find_weights, load_checkpoint
from .config import Config, NetworkConfig, NormalisationConfig, load_config

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
