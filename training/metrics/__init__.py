"""Measures of a segmentation, from confusion matrices and counts."""

from .confusion import Confusion, confusion_matrix
from .instances import InstanceCounts
from .relaxed import RelaxedCounts, relaxed_counts

__all__ = ["Confusion", "InstanceCounts", "RelaxedCounts", "confusion_matrix", "relaxed_counts"]
