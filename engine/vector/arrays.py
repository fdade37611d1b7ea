"""Types of the arrays in the vector code, by dtype."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Bits = NDArray[np.uint8]
Labels = NDArray[np.int32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]
Lines = NDArray[np.object_]
