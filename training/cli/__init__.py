"""Commands of the training package."""

from .evaluate import evaluate
from .train import train

__all__ = ["evaluate", "train"]
