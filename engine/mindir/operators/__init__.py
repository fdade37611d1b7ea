"""One small function per MINDIR primitive.

A function takes the ``Call`` and returns the result: a ``Ref``, a ``Const`` or a tuple of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..builder import Call
from . import arithmetic, convolution, layout, pooling, resizing

#: primitive -> function
OPERATORS: Mapping[str, Callable[[Call], Any]] = {
    **arithmetic.OPERATORS,
    **convolution.OPERATORS,
    **layout.OPERATORS,
    **pooling.OPERATORS,
    **resizing.OPERATORS,
}

__all__ = ["OPERATORS"]
