"""Conversion of MindSpore's primitives, one function each.

A function takes the ``Call`` and returns the result: a ``Ref``, a ``Const`` or a tuple of these. To add a primitive,
write such a function beside its relatives and name it in the module's ``OPERATORS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..builder import Call
from . import arithmetic, convolution, layout

#: Functions by primitive.
OPERATORS: Mapping[str, Callable[[Call], Any]] = {**arithmetic.OPERATORS, **convolution.OPERATORS, **layout.OPERATORS}
