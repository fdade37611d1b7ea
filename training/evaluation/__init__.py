"""Whole images through a network, and how good the result is."""

from .judge import Judgement
from .predict import Predictor

__all__ = ["Judgement", "Predictor"]
