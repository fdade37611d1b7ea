"""The parts of a training run, made from its configuration, and how they are saved and put back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mindspore import amp, nn

from ...engine.errors import ParameterError
from ..backend import Ranks
from ..config import Config, to_mapping
from ..data import Cache, Sampler, Split
from ..data.histogram import class_weights
from ..losses import make_loss
from ..optim import Optimizer, Plateau
from .run_folder import RunFolder
from .state_files import Arrays, arrays_of, load_state, load_weights, put, save_state
from .step import Stepper


@dataclass
class Progress:
    """Where a run is.

    Attributes:
        step: optimizer steps done.
        best: the best score so far, None before the first check.
        best_step: when that was.
        seconds: time spent in steps and checks, over all sittings.
        figures: of the last check.
        loss_sum: sum of the training losses since the last check.
        loss_count: how many they are.
        bests: the best values of the figures in ``train.keep_best``.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    loss_sum: float = 0.0
    loss_count: int = 0
    bests: dict[str, float] = field(default_factory=dict)


@dataclass
class Parts:
    """Everything that a run consists of.

    Attributes:
        config: the run.
        folder: where its files are.
        ranks: this process among those that train together.
        network: what is trained.
        sampler: makes the training samples.
        monitor: the images that steer.
        stepper: runs the steps.
        plateau: watches the score.
        total: steps of the whole run.
        check_every: steps between checks.
        notes: what a person should know.
        progress: where the run is.
    """

    config: Config
    folder: RunFolder
    ranks: Ranks
    network: nn.Cell
    sampler: Sampler
    monitor: Cache
    stepper: Stepper
    plateau: Plateau
    total: int
    check_every: int
    notes: list[str]
    progress: Progress = field(default_factory=Progress)

    def weights(self) -> Arrays:
        """The weights that are judged and kept: the running means where there are any."""
        if not self.stepper.means:
            return arrays_of(self.stepper.parameters)
        pairs = zip(self.stepper.parameters, self.stepper.means, strict=True)
        return {parameter.name: mean.asnumpy().copy() for parameter, mean in pairs}


def make_parts(config: Config, folder: RunFolder, ranks: Ranks, splits: tuple[Split, Split], network: nn.Cell) -> Parts:
    """Put a run together; ``splits`` are those for training and for the checks.

    Raises:
        ParameterError: the parts do not fit each other.
    """
    train, monitor = splits
    budget = config.data.cache_mb * 1_000_000
    sampler = Sampler(
        cache=Cache(train, budget),
        augment=config.augment,
        normalisation=config.normalisation,
        seed=config.seed,
        batch=config.train.batch,
        ignore=config.data.ignore,
        classes=max(2, config.network.num_classes),
        rank=ranks.rank,
        ranks=ranks.count,
    )
    notes = _initialise(network, config)
    if config.train.amp != "O0":
        # The same parameters, which stay float32; only what is computed with them is in half precision.
        network = amp.auto_mixed_precision(network, config.train.amp)
    weights = class_weights(config, train, folder.path if ranks.first else None)
    loss = make_loss(config.loss, config.network.num_classes, config.data.ignore, weights)
    frozen = config.init.freeze
    trained = [p for p in network.trainable_params() if not (frozen and p.name.startswith(frozen))]
    if not trained:
        raise ParameterError("Every parameter is frozen by init.freeze; nothing is left to train.")
    optimizer = Optimizer(trained, config.optimizer)
    epoch = max(1, sampler.steps_per_epoch // config.optimizer.accumulate)
    patience = config.schedule.patience if config.schedule.name == "plateau" else 0
    return Parts(
        config=config,
        folder=folder,
        ranks=ranks,
        network=network,
        sampler=sampler,
        monitor=Cache(monitor, budget),
        stepper=Stepper(
            network, loss, optimizer, config=config.optimizer, train=config.train, seed=config.seed, ranks=ranks
        ),
        plateau=Plateau(patience, config.schedule.stop, config.schedule.factor),
        total=config.train.steps or config.train.epochs * epoch,
        check_every=config.train.evaluate_every or epoch,
        notes=notes,
    )


def _initialise(network: nn.Cell, config: Config) -> list[str]:
    """Put checkpoints into the fresh network; returns what a person should know."""
    notes = []
    for path, partial in ((config.init.encoder, True), (config.init.checkpoint, config.init.partial)):
        if path:
            count, left = load_weights(network, Path(path), partial=partial)
            notes.append(f"{count} parameters set from {path}" + (f", {len(left)} left as they were" if left else ""))
    return notes


def save_run(parts: Parts, path: Path) -> None:
    """Write everything that is needed to go on exactly from here; the first rank writes for all."""
    if not parts.ranks.first:
        return
    stepper = parts.stepper
    groups = {"net": arrays_of(stepper.parameters), "optimizer": arrays_of(stepper.optimizer.state())}
    if stepper.means:
        groups["mean"] = parts.weights()
    scale = stepper.scale
    meta = {
        "progress": vars(parts.progress),
        "plateau": parts.plateau.state(),
        "scale": {"value": scale.value, "good": scale.good, "overflows": scale.overflows},
        "config": to_mapping(parts.config),
    }
    save_state(path, groups, meta)


def put_back(parts: Parts, path: Path) -> dict[str, Any]:
    """Set network, optimizer and running means to a state's values, in their own memory; returns its plain values."""
    groups, meta = load_state(path)
    stepper = parts.stepper
    put(stepper.parameters, groups.get("net", {}), str(path))
    put(stepper.optimizer.state(), groups.get("optimizer", {}), str(path))
    if stepper.means:
        mean = groups.get("mean", {})
        pairs = zip(stepper.parameters, stepper.means, strict=True)
        put(stepper.means, {m.name: mean[p.name] for p, m in pairs if p.name in mean}, str(path))
    return meta


def resume(parts: Parts) -> None:
    """Go on from the folder's state.

    Raises:
        CheckpointError: the state is damaged, or of another network or optimizer.
    """
    meta = put_back(parts, parts.folder.state)
    parts.progress = Progress(**meta["progress"])
    parts.plateau.restore(meta["plateau"])
    for key, value in meta["scale"].items():
        setattr(parts.stepper.scale, key, value)
    now = json.loads(json.dumps(to_mapping(parts.config)))
    changed = [key for key, value in now.items() if meta["config"].get(key) != value]
    if changed:
        parts.notes.append(f"The configuration differs from the one the run began with, in: {', '.join(changed)}.")
