"""A training run from configuration to best weights; resumed exactly where it was left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from mindspore import nn

from ...engine.context import Cancellation
from ...engine.errors import ParameterError
from ...engine.fs.lock import lock_folder
from ..backend import set_up
from ..config import Config
from ..data import split_train_monitor
from .progress import Display
from .run_folder import RunFolder
from .train_state import make_parts
from .train_state import resume as go_on
from .trainer import Outcome, Runner

NetworkFactory = Callable[[Config], nn.Cell]


def create_configured_network(config: Config) -> nn.Cell:
    """The network that the configuration names."""
    from ..networks import create_network

    return create_network(config.network.name, num_classes=config.network.num_classes, **config.network.options)  # type: ignore[arg-type]


def run_training(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    display: Display | None = None,
    cancellation: Cancellation | None = None,
    arguments: list[str] | None = None,
    make_network: NetworkFactory = create_configured_network,
) -> Outcome:
    """Train as ``config`` says; everything is written into the folder ``out``.

    A resumed run repeats the losses of an unbroken one, figure by figure.

    Args:
        config: the run.
        out: the run's folder.
        resume: go on from the folder's state, if it has one.
        display: shows progress.
        cancellation: is asked after each step; the state is saved before the run ends.
        arguments: the command line, for the record.
        make_network: makes the network.

    Raises:
        OutputBusyError: another run is writing into the folder.
        ParameterError: the folder already has a run and ``resume`` is not set, or the configuration does not fit.
        Cancelled: the person stopped the run; it can be resumed.
    """
    ranks = set_up(config.train, config.seed)
    folder = RunFolder(out)
    # Processes that train together share the folder; one lock stands for all of them.
    with lock_folder(out) if ranks.first else nullcontext():
        if folder.state.exists() and not resume:
            raise ParameterError(f"{out} already has a run.", "Add --resume to go on with it, or choose another --out.")
        parts = make_parts(config, folder, ranks, split_train_monitor(config.data), make_network(config))
        if resume and folder.state.exists():
            go_on(parts)
        if ranks.first:
            folder.write_config(config)
            folder.write_environment(arguments or [])
        with display or Display(parts.total) as shown:
            return Runner(parts, shown).run(cancellation or Cancellation())
