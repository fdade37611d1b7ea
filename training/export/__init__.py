"""Export of trained networks: model folders with cards, ONNX, MINDIR, and the engine's graphs without weights."""

from __future__ import annotations
