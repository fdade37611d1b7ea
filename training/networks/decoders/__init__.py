"""Decoder blocks: what brings features back to a larger size."""

from __future__ import annotations

from .dilation import DilationBlock
from .link import LinkBlock

__all__ = ["DilationBlock", "LinkBlock"]
