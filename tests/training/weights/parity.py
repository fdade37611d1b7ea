"""Networks here against the values that ``make_parity.py`` stored.

``python tests/training/weights/parity.py [NETWORK ...]`` prints the table of docs/networks.md.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

import mindspore as ms
import numpy as np
from mindspore import nn
from numpy.typing import NDArray
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.training.backend import ProcessGroup, configure_mindspore
from terraspore.training.checkpoint_io import load_parameters
from terraspore.training.config import LossConfig, OptimizerConfig, TrainConfig
from terraspore.training.data import Batch
from terraspore.training.losses import make_loss
from terraspore.training.networks import create_network
from terraspore.training.networks.layers import SeededDropout
from terraspore.training.onednn import select_convolutions
from terraspore.training.optim import Optimizer, Plateau
from terraspore.training.trainer.state import LossScale, TrainState
from terraspore.training.trainer.step import TrainStep
from terraspore.training.weights import map_weights

sys.path.insert(0, str(Path(__file__).parent))
from parity_cases import (
    AUXILIARY,
    CASES,
    DECAY,
    IGNORE,
    MOMENTUM,
    OHEM_KEEP,
    OHEM_THRESHOLD,
    STEPS,
    Case,
    make_batch,
    make_image,
    make_weights,
)

VALUES = Path(__file__).parent / "data" / "parity.npz"


@dataclass(frozen=True)
class Differences:
    """Largest differences to PyTorch in float64, as shares of PyTorch's largest logit, or of each loss and norm.

    Attributes:
        logits: in evaluation.
        losses: of five steps.
        norms: of the gradients of five steps.
        trained: of the logits in evaluation after the steps, with their moving statistics.
    """

    logits: float
    losses: NDArray[np.float64]
    norms: NDArray[np.float64]
    trained: float


def create_converted(name: str, shapes: list[str], classes: int, **options: object) -> nn.Cell:
    """Create a network with the converted weights of PyTorch's network: lines of a name and a shape."""
    entries = [line.split() for line in shapes]
    weights = make_weights((key, tuple(map(int, sizes))) for key, *sizes in entries)
    wanted = parameter_shapes(load_onnx(graph_path(name, {})))
    arrays, report = map_weights(weights, name, wanted)
    assert not report.has_problems, report.details()
    network = create_network(name, num_classes=classes, **options)
    load_parameters([p for p in network.get_parameters() if p.name in arrays], arrays, name)
    for _, cell in network.cells_and_names():
        if isinstance(cell, SeededDropout):
            cell.probability = 0.0
    return network.set_train(False)


def make_step(case: Case, network: nn.Cell) -> TrainStep:
    """Create the optimizer step of a case, as the trainer does."""
    config = OptimizerConfig(name="sgd", lr=case.rate, momentum=MOMENTUM, weight_decay=DECAY)
    settings = LossConfig(case.loss, ohem_threshold=OHEM_THRESHOLD, ohem_keep=OHEM_KEEP, auxiliary=AUXILIARY)  # type: ignore[arg-type]
    state = TrainState(
        network,
        Optimizer(network.trainable_params(), config),
        LossScale.from_config(TrainConfig()),
        Plateau(patience=0, stop_after=0, factor=0.1),
        averaged=False,
    )
    loss = make_loss(settings, case.classes, IGNORE)
    return TrainStep(state, loss, config, compiled=False, seed=1, group=ProcessGroup())


def compare(name: str) -> Differences:
    """Run a case, with the convolutions of a training, and compare it with the values of the file."""
    case = CASES[name]
    configure_mindspore(TrainConfig(), seed=1)
    with np.load(VALUES) as file:
        wanted = {key.partition(".")[2]: file[key] for key in file.files if key.startswith(f"{name}.")}
    replace_convolutions, _ = select_convolutions(TrainConfig())
    network = replace_convolutions(create_converted(name, list(wanted["shapes"]), case.classes))
    image = ms.Tensor(make_image(case.size))
    before = network(image).asnumpy()[:, :, ::4, ::4]
    step = make_step(case, network)
    network.set_train(True)
    results = [step.run([Batch(*make_batch(case, number))], case.rate, number) for number in range(STEPS)]
    after = network.set_train(False)(image).asnumpy()[:, :, ::4, ::4]
    return Differences(
        _difference(before, wanted["logits"]),
        np.abs(np.array([result.loss for result in results]) / wanted["losses"] - 1),
        np.abs(np.array([result.norm for result in results]) / wanted["norms"] - 1),
        _difference(after, wanted["trained"]),
    )


def _difference(values: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    assert values.shape == wanted.shape
    return float(np.abs(values - wanted).max() / np.abs(wanted).max())


def print_row(name: str) -> None:
    """Print a case's line of the table: this program's differences, then those of PyTorch in float32."""
    found = compare(name)
    with np.load(VALUES) as file:
        single = [
            np.abs(file[f"{name}.{key}_float32"] / file[f"{name}.{key}"] - 1).max() for key in ("losses", "norms")
        ]
    own = f"{found.logits:.0e} | {found.losses.max():.0e} | {found.norms.max():.0e} | {found.trained:.0e}"
    print(f"| `{name}` | {own} | {single[0]:.0e} | {single[1]:.0e} |", flush=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or CASES:
        print_row(chosen)
