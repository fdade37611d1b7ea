"""MINDIR, MindSpore's own format of networks, read without MindSpore and converted to ONNX.

``reader`` reads a file, ``converter`` makes the ONNX model with the help of ``builder``; ``operators`` has a function
for each MindSpore primitive.
"""

from __future__ import annotations

from .converter import convert
from .reader import read_mindir
