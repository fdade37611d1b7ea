"""MINDIR, MindSpore's own format of networks: read without MindSpore, and turned into ONNX."""

from __future__ import annotations

from .converter import convert
from .model import Mindir
from .reader import read_mindir

__all__ = ["Mindir", "convert", "read_mindir"]
