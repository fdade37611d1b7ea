"""Optimizers, weight decay, and learning-rate schedules."""

from .optimizers import Optimizer
from .schedules import Plateau, learning_rate

__all__ = ["Optimizer", "Plateau", "learning_rate"]
