"""The measurement of a checkpoint on a split."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from numpy.typing import NDArray

from ...engine.context import Cancellation
from ...engine.errors import ParameterError
from ..backend import Ranks, set_up
from ..config import Config
from ..data import Cache, Item, open_split, read_label
from ..data.labels import CITYSCAPES_TRAIN_IDS
from ..data.samples import Label
from ..metrics import InstanceCounts
from ..trainer.state_files import load_weights
from ..trainer.train import create_configured_network
from ..trainer.validation import main_output, summed
from .evaluator import Judgement, class_names, write_confusion
from .plots import colour_table, draw_confusion, save_classes
from .predictor import Predictor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        figures: by name; NaN where a figure is undefined.
        classes: rows of the figures per class.
        images: how many images were judged.
        seconds: how long it took.
        matrix: the confusion matrix.
    """

    figures: dict[str, float]
    classes: list[dict[str, float | str]]
    images: int
    seconds: float
    matrix: NDArray[np.int64]

    def plain_figures(self) -> dict[str, float | None]:
        """The figures with None for NaN, as JSON needs it."""
        return {key: None if math.isnan(value) else value for key, value in self.figures.items()}

    def text(self) -> str:
        """One line for a person."""
        listed = ", ".join(f"{key} {value:.4f}" for key, value in self.figures.items())
        return f"{self.images} images in {self.seconds:.1f} s: {listed}"


def weights_path(config: Config, checkpoint: Path | None) -> Path:
    """The weights to use: those given, or the configuration's.

    Raises:
        ParameterError: there are none.
    """
    if checkpoint is None and not config.init.checkpoint:
        raise ParameterError("There are no weights to use.", "Give --checkpoint FILE.")
    return checkpoint or Path(config.init.checkpoint)


def as_function(network: nn.Cell, compiled: bool) -> Callable[[Floats], Floats]:
    """The network as a function of arrays; where it is ``compiled``, its weights must not change afterwards."""
    network.set_train(False)

    def forward(images: Tensor) -> Tensor:
        """The main logits, as a function that can be compiled."""
        return main_output(network(images))

    run = ms.jit(forward) if compiled else forward

    def infer(x: Floats) -> Floats:
        """Logits (N, classes, H, W) of normalised images (N, bands, H, W)."""
        return np.asarray(run(Tensor(x)).asnumpy(), np.float32)

    return infer


def evaluate_checkpoint(
    config: Config,
    checkpoint: Path | None,
    *,
    split: str | None = None,
    out: Path | None = None,
    save_predictions: bool = False,
    cancellation: Cancellation | None = None,
    make_network: Callable[[Config], nn.Cell] = create_configured_network,
) -> Report:
    """Measure weights on a split.

    Args:
        config: data, network, and how images are judged.
        checkpoint: the weights; ``init.checkpoint`` unless given.
        split: name of the split; ``data.test`` unless given.
        out: folder for ``figures.json``, ``confusion.csv``, ``confusion.png`` and ``predictions/``.
        save_predictions: whether to write the predictions.
        cancellation: is asked after each image.
        make_network: makes the network.

    Raises:
        ParameterError: there is no checkpoint to judge.
    """
    path = weights_path(config, checkpoint)
    ranks = set_up(config.train, config.seed)
    network = make_network(config)
    load_weights(network, path)
    images = Cache(open_split(config.data, split or config.data.test), 0)
    predictor = Predictor(as_function(network, config.train.compile), config.evaluation, config.normalisation)
    names = class_names(config)
    judgement = Judgement(len(names), config.data.ignore, config.evaluation.relaxed)
    folder = None if out is None else Path(out)
    observers = [_saver(config, folder)] if save_predictions and folder is not None else []
    instances = InstanceCounts(_INSTANCE_CLASSES, config.data.ignore)
    if config.data.layout == "cityscapes" and ranks.count == 1:
        observers.append(_instance_counter(instances))
    started = time.perf_counter()
    count = _judge_all(
        images,
        predictor,
        judgement,
        config=config,
        ranks=ranks,
        observers=observers,
        cancellation=cancellation or Cancellation(),
    )
    figures = judgement.figures()
    if instances.instances:
        figures.update(instances.summary(names))
    report = Report(
        figures,
        judgement.confusion.per_class(names),
        count,
        time.perf_counter() - started,
        judgement.matrix,
    )
    if folder is not None and ranks.first:
        write_report(report, names, folder)
    return report


#: is told of each image: item, label, predicted class numbers
Observer = Callable[[Item, Label, NDArray[np.uint8]], None]

#: Cityscapes' classes that have instances, from person to bicycle.
_INSTANCE_CLASSES = {label: number for label, number in CITYSCAPES_TRAIN_IDS.items() if number >= 11}


def _instance_counter(counts: InstanceCounts) -> Observer:
    def count(item: Item, label: Label, predicted: NDArray[np.uint8]) -> None:
        """Count the instances of an image."""
        if item.instances is not None:
            counts.add(label, predicted, read_label(item.instances))

    return count


def _judge_all(
    images: Cache,
    predictor: Predictor,
    judgement: Judgement,
    *,
    config: Config,
    ranks: Ranks,
    observers: Sequence[Observer],
    cancellation: Cancellation,
) -> int:
    count = len(images.split.items)
    count = min(count, config.evaluation.limit) if config.evaluation.limit else count
    for index in range(ranks.rank, count, ranks.count):
        cancellation.check()
        image, label = images.read(index)
        predicted = predictor.classes(image)
        judgement.add(label, predicted)
        for observer in observers:
            observer(images.split.items[index], label, predicted)
    if ranks.count > 1:
        judgement.matrix = summed(judgement.matrix, ranks)
        judgement.images = []
        judgement.buffer = 0
    return count


def _saver(config: Config, folder: Path) -> Observer:
    target = folder / "predictions"
    target.mkdir(parents=True, exist_ok=True)
    colours = colour_table(config)

    def save(item: Item, _label: Label, predicted: NDArray[np.uint8]) -> None:
        """Write the prediction of an image in the classes' colours."""
        save_classes(predicted, colours, target / f"{item.id}.png")

    return save


def write_report(report: Report, names: tuple[str, ...], folder: Path) -> None:
    """Write figures, the figures per class, and the confusion matrix as table and picture."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"figures": report.plain_figures(), "images": report.images, "seconds": report.seconds}
    rows = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in report.classes
    ]
    (folder / "figures.json").write_text(json.dumps({**facts, "classes": rows}, indent=2) + "\n", "utf-8")
    write_confusion(report.matrix, names, folder / "confusion.csv")
    draw_confusion(report.matrix, names, folder / "confusion.png")
