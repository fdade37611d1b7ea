"""Weights of other programs: read PyTorch files without PyTorch, and map their names to the networks here."""

from __future__ import annotations

from .convert import map_weights
from .torch_file import read_torch
