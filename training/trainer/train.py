"""Entry point of training: assemble a run from its configuration, resume it if asked, and train."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from mindspore import Parameter, nn

from ...engine.context import RunContext
from ...engine.errors import ParameterError
from ...engine.fs.lock import lock_folder
from ..backend import ProcessGroup, configure_mindspore
from ..checkpoint_io import load_checkpoint
from ..config import Config, InitConfig
from ..data import TrainingData, make_caches, make_loader, open_training_data
from ..data.checks import configured_class_weights
from ..evaluation import mix_precision
from ..export.domain import measure_domain
from ..losses import make_loss, make_teacher_loss
from ..networks.registry import create_configured_network
from ..onednn import select_convolutions
from ..optim import Optimizer, Plateau
from .progress import ProgressDisplay
from .run_folder import RunFolder
from .state import LossScale, TrainState
from .step import TrainStep
from .trainer import Trainer, TrainResult


def run_training(
    config: Config,
    out: Path,
    *,
    data: TrainingData | None = None,
    resume: bool = False,
    display: ProgressDisplay | None = None,
    context: RunContext | None = None,
    arguments: list[str] | None = None,
    make_network: Callable[[Config], nn.Cell] = create_configured_network,
) -> TrainResult:
    """Train as ``config`` says; all files are written into the folder ``out``.

    A resumed run has exactly the losses of an uninterrupted one.

    Args:
        config: the run.
        out: the run's folder.
        data: the samples; opened and checked here unless given.
        resume: continue from the folder's state, if it has one.
        display: shows the progress.
        context: its cancellation is checked after each step; the state is saved before the run ends.
        arguments: command line, for the record.
        make_network: creates the network.

    Raises:
        OutputBusyError: another run is writing into the folder.
        OutputError: the folder cannot be written, or was removed meanwhile.
        ParameterError: the folder already has a run and ``resume`` is not set, or the configuration does not fit.
        Cancelled: the run was stopped; it can be resumed.
    """
    context = context or RunContext()
    data = data or open_training_data(config, context)
    group = configure_mindspore(config.train, config.seed)
    folder = RunFolder(out)
    # Processes that train together share the folder; the main process locks it for all of them.
    with folder.explain_removal(), lock_folder(out) if group.is_main else nullcontext():
        if folder.state.exists() and not resume:
            raise ParameterError(f"{out} already has a run.", "Add --resume to go on with it, or choose another --out.")
        if group.is_main:
            folder.check_replaceable()
        replace_convolutions, note = select_convolutions(config.train)

        def make(chosen: Config) -> nn.Cell:
            return replace_convolutions(make_network(chosen))

        trainer, notes = build_trainer(config, data, folder, group, make_network=make, display=display)
        if group.is_main and config.resolution:  # else there is no card
            trainer.domain = measure_domain(config, data.train, context)
        if resume and folder.state.exists():
            changed = trainer.state.resume(folder.state, config)
            if changed:
                notes.append(f"The configuration differs from the one the run began with, in: {', '.join(changed)}.")
        if group.is_main:
            folder.write_environment(arguments or [])
            folder.write_config(config)
        with trainer.display:
            for line in [*context.warnings, *filter(None, [note]), *notes]:
                trainer.report(line)
            return trainer.run(context)


def build_trainer(
    config: Config,
    data: TrainingData,
    folder: RunFolder,
    group: ProcessGroup,
    *,
    make_network: Callable[[Config], nn.Cell],
    display: ProgressDisplay | None = None,
) -> tuple[Trainer, list[str]]:
    """Assemble batches, loss, optimizer and step of a run.

    Returns:
        The trainer, and remarks for the user on the weights it starts from.

    Raises:
        ParameterError: parts of the configuration do not fit each other.
    """
    loader = make_loader(config, data.train, group.rank, group.size)
    network = make_network(config)
    notes = load_initial_weights(network, config.init)
    network = mix_precision(network, config.train)
    table = folder.path if group.is_main else None
    weights = configured_class_weights(config, [source.split for source in data.train], table)
    loss = make_loss(config.loss, config.network.num_classes, config.data.ignore, weights)
    trained = freeze_parameters(network, config.init)
    schedule, optimizer = config.schedule, config.optimizer
    state = TrainState(
        network,
        Optimizer(trained, optimizer),
        LossScale.from_config(config.train),
        Plateau(schedule.patience if schedule.name == "plateau" else 0, schedule.stop, schedule.factor),
        averaged=optimizer.ema > 0,
    )
    caches = make_caches(config.data, data.validation)
    epoch = max(1, loader.batches_per_epoch // optimizer.accumulate)
    total = config.train.steps or config.train.epochs * epoch
    trainer = Trainer(
        config=config,
        folder=folder,
        group=group,
        state=state,
        step=TrainStep(
            state,
            loss,
            optimizer,
            compiled=config.train.compile,
            seed=config.seed,
            group=group,
            mix_loss=make_teacher_loss(config, make_network),
        ),
        loader=loader,
        validation={source.name: cache for source, cache in zip(data.validation, caches, strict=True)},
        display=display or ProgressDisplay(total),
        total=total,
        validate_every=config.train.evaluate_every or epoch,
    )
    return trainer, notes


def freeze_parameters(network: nn.Cell, config: InitConfig) -> list[Parameter]:
    """Fix the statistics of frozen batch norms; return the parameters that are trained.

    Raises:
        ParameterError: a prefix of ``init.freeze`` fits no parameter, or all are frozen.
    """
    names = [parameter.name for parameter in network.get_parameters()]
    for prefix in config.freeze:
        if not any(name.startswith(prefix) for name in names):
            raise ParameterError(f"No parameter's name begins with {prefix!r} (init.freeze).", f"One is {names[0]!r}.")
    every_norm = config.freeze_norm and bool(config.checkpoint)
    for _, cell in network.cells_and_names():
        is_norm = isinstance(cell, (nn.BatchNorm1d, nn.BatchNorm2d))
        if is_norm and (every_norm or cell.moving_mean.name.startswith(config.freeze)):
            cell.use_batch_statistics = False
    trained = [p for p in network.trainable_params() if not p.name.startswith(config.freeze)]
    if not trained:
        raise ParameterError("Every parameter is frozen by init.freeze; nothing is left to train.")
    return trained


def load_initial_weights(network: nn.Cell, config: InitConfig) -> list[str]:
    """Load the checkpoints of the encoder and the whole network, if configured; return remarks for the user."""
    notes = []
    for path, partial in ((config.encoder, True), (config.checkpoint, config.partial)):
        if path:
            count, skipped = load_checkpoint(network, Path(path), partial=partial)
            left = f", {len(skipped)} left as they were" if skipped else ""
            notes.append(f"{count} parameters set from {path}{left}")
    return notes
