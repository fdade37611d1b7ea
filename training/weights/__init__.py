"""Weights of others: readers of PyTorch files without PyTorch, and the names that their tensors have here."""

from __future__ import annotations

from .mapping import Report, map_weights
from .torch_file import read_torch

__all__ = ["Report", "map_weights", "read_torch"]
