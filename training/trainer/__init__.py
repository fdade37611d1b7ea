"""Training runs: the loop (``Trainer``), the step (``TrainStep``), the state (``TrainState``), the ``RunFolder``."""

from .train import run_training
from .trainer import Trainer
