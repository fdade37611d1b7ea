"""The check of a network in training on the monitor split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ..backend import Ranks
from ..evaluation import Judgement, Predictor
from .state_files import assign
from .step import Stepper
from .train_state import Parts

Floats = NDArray[np.float32]


def main_output(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The main logits of a network that may have auxiliary ones."""
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def judged_weights(stepper: Stepper) -> Iterator[None]:
    """Put the running means into the network for a while, where they are kept."""
    if not stepper.means:
        yield
        return
    kept = [parameter.asnumpy().copy() for parameter in stepper.parameters]
    for parameter, mean in zip(stepper.parameters, stepper.means, strict=True):
        assign(parameter, mean.asnumpy())
    try:
        yield
    finally:
        for parameter, value in zip(stepper.parameters, kept, strict=True):
            assign(parameter, value)


def check(parts: Parts) -> Judgement:
    """The network judged on the monitor split, whose images are shared out among the ranks.

    Without the flips, turns and several scales that the final evaluation may average.
    """
    config, network, ranks = parts.config, parts.network, parts.ranks
    judgement = Judgement(max(2, config.network.num_classes), config.data.ignore)

    def logits(x: Floats) -> Floats:
        """Logits (N, classes, H, W) of normalised images (N, bands, H, W)."""
        # Not compiled: a compiled forward pass may keep the weights it saw first.
        return np.asarray(main_output(network(Tensor(x))).asnumpy(), np.float32)

    plain = replace(config.evaluation, flip=False, tta8=False)
    if len(plain.scales) > 1:
        plain = replace(plain, scales=(1.0,))
    predictor = Predictor(logits, plain, config.normalisation)
    count = len(parts.monitor.split.items)
    if config.evaluation.limit:
        count = min(count, config.evaluation.limit)
    share_statistics(network, ranks)
    network.set_train(False)
    try:
        with judged_weights(parts.stepper):
            for index in range(ranks.rank, count, ranks.count):
                image, label = parts.monitor.read(index)
                judgement.add(label, predictor.classes(image))
    finally:
        network.set_train(True)
    judgement.matrix = summed(judgement.matrix, ranks)
    if ranks.count > 1:
        # Figures per image need every image in one place; over several processes only pooled figures are exact.
        judgement.images = []
    return judgement


def share_statistics(network: nn.Cell, ranks: Ranks) -> None:
    """Give every rank the mean of all ranks' batch-norm statistics, so that all judge and save the same network."""
    if ranks.count == 1:
        return
    reduce = ops.AllReduce()
    for parameter in network.get_parameters():
        if parameter.name.endswith(("moving_mean", "moving_variance")):
            assign(parameter, reduce(parameter.value()).asnumpy() / ranks.count)


def summed(matrix: NDArray[np.int64], ranks: Ranks) -> NDArray[np.int64]:
    """The sum of a confusion matrix over all ranks, exactly: in three parts that a float32 holds without rounding."""
    if ranks.count == 1:
        return matrix
    reduce = ops.AllReduce()
    total = np.zeros_like(matrix)
    for shift in (0, 20, 40):
        part = (matrix >> shift) & 0xFFFFF
        whole = reduce(Tensor(part.astype(np.float32))).asnumpy()
        total += whole.astype(np.int64) << shift
    return total


def mean_over_ranks(value: float, ranks: Ranks) -> float:
    """The mean of a number over all ranks, the same on each of them."""
    if ranks.count == 1:
        return value
    total = ops.AllReduce()(Tensor(np.array([value], np.float32)))
    return float(total.asnumpy()[0]) / ranks.count
