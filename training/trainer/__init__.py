"""The training run: steps, states, folder, log, and the loop that holds them together."""

from .train import run_training

__all__ = ["run_training"]
