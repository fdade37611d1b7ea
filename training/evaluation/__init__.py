"""Prediction of whole images, scores against labels, reports and pictures."""

from .evaluator import evaluate_checkpoint, predict_split
from .predictor import Predictor, mix_precision, network_function
from .scores import SegmentationScores, SourceScores, line_buffer_pixels, write_confusion
