"""Prediction of whole images, scores against labels, reports and pictures."""

from .evaluator import evaluate_checkpoint, evaluate_split
from .predictor import Predictor, network_function
from .scores import SegmentationScores, class_names, write_confusion

__all__ = [
    "Predictor",
    "SegmentationScores",
    "class_names",
    "evaluate_checkpoint",
    "evaluate_split",
    "network_function",
    "write_confusion",
]
