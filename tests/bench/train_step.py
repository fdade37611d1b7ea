"""Steps of TerraSpore's training, one for each line of stdin: NETWORK CONVOLUTION, see ``step_server.py``."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from step_server import CLASSES, make_batch, serve
from terraspore.training.backend import configure_mindspore
from terraspore.training.config import from_mapping
from terraspore.training.data import Batch
from terraspore.training.losses import make_loss
from terraspore.training.networks import create_network
from terraspore.training.onednn import select_convolutions
from terraspore.training.optim import Optimizer, Plateau
from terraspore.training.trainer.state import LossScale, TrainState
from terraspore.training.trainer.step import TrainStep


def make_step(network: str, convolution: str) -> Callable[[], object]:
    """Return a function that runs a step, as ``terraspore train`` does, always on the same batch."""
    classes = CLASSES[network]
    loss = "bce_dice" if classes == 1 else "ce"
    config = from_mapping({"loss": {"name": loss}, "train": {"convolution": convolution}})
    group = configure_mindspore(config.train, 1)
    replace, _ = select_convolutions(config.train)
    cell = replace(create_network(network, num_classes=classes))
    cell.set_train(True)
    optimizer = Optimizer(cell.trainable_params(), config.optimizer)
    state = TrainState(cell, optimizer, LossScale.from_config(config.train), Plateau(0, 0, 1.0), averaged=False)
    step = TrainStep(state, make_loss(config.loss, classes, 255), config.optimizer, compiled=True, seed=1, group=group)
    images, labels = make_batch(network)
    batch = Batch(images, labels.astype(np.int32))
    numbers = iter(range(1 << 30))
    return lambda: step.run([batch], config.optimizer.lr, next(numbers))


if __name__ == "__main__":
    serve(make_step(*sys.argv[1:3]))
