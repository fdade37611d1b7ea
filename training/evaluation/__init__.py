"""Whole images through a network, and how good the result is."""

from .evaluator import Judgement
from .predictor import Predictor

__all__ = ["Judgement", "Predictor"]
