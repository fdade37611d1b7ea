"""From a trained network to files that run elsewhere: MINDIR, ONNX and model folders."""

from __future__ import annotations
