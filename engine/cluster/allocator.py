"""The memory allocator of a worker's process."""

from __future__ import annotations

import ctypes
import os
import sys

#: Set by Dask's nanny, so that a worker gives memory back to the system as soon as it is free.
_TRIM_VARIABLE = "MALLOC_TRIM_THRESHOLD_"
#: Parameters of glibc's ``mallopt``, and the sizes in bytes up to which freed memory is kept: of one array, and in all.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ARRAY_BYTES, _KEPT_BYTES = 32 << 20, 128 << 20


def keep_freed_memory() -> None:
    """Have glibc use freed memory again where Dask's nanny has it given back at once.

    Otherwise the system clears the pages of each array anew, which takes as long as the computing of a small network.
    """
    if not sys.platform.startswith("linux") or _TRIM_VARIABLE not in os.environ:
        return
    set_parameter = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries of C have none
    if set_parameter is not None:
        set_parameter(_MMAP_THRESHOLD, _ARRAY_BYTES)
        set_parameter(_TRIM_THRESHOLD, _KEPT_BYTES)
