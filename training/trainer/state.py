"""State of a training run: everything that has to be saved for an exact resume, and its file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn

from ...engine.errors import CheckpointError
from ...engine.fs.outputs import atomic_output
from ..checkpoint_io import Arrays, assign, load_parameters, parameter_values
from ..config import Config, TrainConfig, to_mapping
from ..optim import Optimizer, Plateau

_META = "meta"


@dataclass
class LossScale:
    """Factor on the loss that keeps small gradients from vanishing in half precision.

    Attributes:
        value: the factor.
        dynamic: whether it is lowered on overflow and raised after ``window`` steps without one.
        factor: what a dynamic scale is divided or multiplied by.
        window: steps without overflow before a dynamic scale is raised.
        enabled: whether the loss is scaled at all; without, an overflow is an error.
        good: steps without overflow since the last change.
        overflows: steps that were skipped so far.
    """

    value: float
    dynamic: bool
    factor: float
    window: int
    enabled: bool = True
    good: int = 0
    overflows: int = 0

    @classmethod
    def from_config(cls, config: TrainConfig) -> LossScale:
        """Loss scale of a configuration: 1 where it is ``none``."""
        enabled = config.loss_scale != "none"
        value = config.init_scale if enabled else 1.0
        return cls(value, config.loss_scale == "dynamic", config.scale_factor, config.scale_window, enabled)

    def update(self, finite: bool) -> None:
        """Adapt the scale to a step whose gradients were, or were not, finite."""
        self.overflows += not finite
        if not self.dynamic:
            return
        self.good = self.good + 1 if finite else 0
        if not finite:
            self.value = max(1.0, self.value / self.factor)
        elif self.good >= self.window:
            self.value, self.good = self.value * self.factor, 0


@dataclass
class RunProgress:
    """How far a run is.

    Attributes:
        step: optimizer steps done.
        best: best value of the monitored metric, None before the first validation.
        best_step: step of the best value.
        seconds: time spent in steps and validations, including the time before a resume.
        metrics: of the last validation.
        loss_sum: sum of the training losses since the last validation.
        loss_count: number of losses in ``loss_sum``.
        bests: best values of the metrics in ``train.keep_best``.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    loss_sum: float = 0.0
    loss_count: int = 0
    bests: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> RunProgress:
        """Progress from a saved state; entries that only another version knows are ignored."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


class TrainState:
    """What changes during training.

    Args:
        network: the network that is trained.
        optimizer: with the trained parameters and its moments.
        loss_scale: factor on the loss.
        plateau: best score and learning-rate drops.
        averaged: whether a running mean of the weights is kept, which is then evaluated and saved.

    Attributes:
        parameters: all parameters of the network, including batch-norm statistics.
        averages: running means of ``parameters`` in the same order; empty unless ``averaged``.
        progress: how far the run is.
    """

    def __init__(
        self, network: nn.Cell, optimizer: Optimizer, loss_scale: LossScale, plateau: Plateau, *, averaged: bool
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.loss_scale = loss_scale
        self.plateau = plateau
        self.parameters = ms.ParameterTuple(list(network.get_parameters()))
        self.averages: Sequence[Parameter] = self.parameters.clone("mean") if averaged else ()
        self.progress = RunProgress()

    def weights(self) -> Arrays:
        """Weights that are evaluated and saved: the running means if there are any."""
        pairs = zip(self.parameters, self.averages or self.parameters, strict=True)
        return {parameter.name: value.asnumpy().copy() for parameter, value in pairs}

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Evaluate with the running means: they are in the network inside the block, the trained weights after it."""
        if not self.averages:
            yield
            return
        trained = [parameter.asnumpy().copy() for parameter in self.parameters]
        for parameter, mean in zip(self.parameters, self.averages, strict=True):
            assign(parameter, mean.asnumpy())
        try:
            yield
        finally:
            for parameter, value in zip(self.parameters, trained, strict=True):
                assign(parameter, value)

    def save(self, path: Path, config: Config) -> None:
        """Write everything that ``resume`` needs, together with the configuration.

        Raises:
            OutputError: the file cannot be written.
        """
        groups = {"net": parameter_values(self.parameters), "optimizer": parameter_values(self.optimizer.state())}
        if self.averages:
            groups["mean"] = self.weights()
        scale = self.loss_scale
        meta = {
            "progress": vars(self.progress),
            "plateau": self.plateau.state(),
            "scale": {"value": scale.value, "good": scale.good, "overflows": scale.overflows},
            "config": to_mapping(config),
        }
        write_state(path, groups, meta)

    def restore_weights(self, path: Path) -> dict[str, Any]:
        """Set network, optimizer and running means in place to those of a saved state.

        Returns:
            The rest of the saved state: progress, plateau, loss scale and configuration as plain values.

        Raises:
            CheckpointError: the file is damaged, or of another network or optimizer.
        """
        groups, meta = read_state(path)
        load_parameters(self.parameters, groups.get("net", {}), str(path))
        load_parameters(self.optimizer.state(), groups.get("optimizer", {}), str(path))
        if self.averages:
            saved = groups.get("mean", {})
            pairs = zip(self.parameters, self.averages, strict=True)
            load_parameters(self.averages, {m.name: saved[p.name] for p, m in pairs if p.name in saved}, str(path))
        return meta

    def resume(self, path: Path, config: Config) -> list[str]:
        """Continue from a saved state.

        Returns:
            Names of the parts of ``config`` that differ from those the state was saved with.

        Raises:
            CheckpointError: the file is damaged, or of another network or optimizer.
        """
        meta = self.restore_weights(path)
        self.progress = RunProgress.from_mapping(meta["progress"])
        self.plateau.restore(meta["plateau"])
        vars(self.loss_scale).update(meta["scale"])
        now = json.loads(json.dumps(to_mapping(config)))
        return [key for key, value in now.items() if meta["config"].get(key) != value]


def write_state(path: Path, groups: Mapping[str, Arrays], meta: Mapping[str, Any]) -> None:
    """Write groups of arrays and plain values as one NPZ file, which appears complete or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    flat: dict[str, Any] = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    for group, arrays in groups.items():
        flat.update({f"{group}/{name}": value for name, value in arrays.items()})
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **flat)


def read_state(path: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Read what ``write_state`` wrote, without pickle: nothing in the file is executed.

    Raises:
        CheckpointError: the file is damaged.
    """
    groups: dict[str, Arrays] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            meta: dict[str, Any] = json.loads(bytes(file[_META]).decode())
            for key in file.files:
                if key != _META:
                    group, _, name = key.partition("/")
                    groups.setdefault(group, {})[name] = file[key]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"The training state {path} is damaged.", "Start again with another --out folder."
        ) from error
    return groups, meta
