"""The memory allocator of a worker's process."""

from __future__ import annotations

import ctypes
import os
import sys

#: Set by Dask's nanny, so that a worker gives memory back to the system as soon as it is free.
_TRIM_VARIABLE = "MALLOC_TRIM_THRESHOLD_"
#: Parameters of glibc's ``mallopt``: freed bytes that are kept, and bytes of an array that is always given back.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _GIVEN_BACK = (128 << 20, 32 << 20), (64 << 10, 128 << 10)


def keep_freed_memory() -> None:
    """Have glibc use freed memory again where Dask's nanny has it given back at once.

    Otherwise the system clears the pages of each array anew, which takes as long as the computing of a small network.
    """
    _set_thresholds(*_KEPT)


def give_back_freed_memory() -> None:
    """Have glibc give back freed memory again, for work whose arrays are large and of many sizes."""
    library = _set_thresholds(*_GIVEN_BACK)
    if library is not None:
        library.malloc_trim(0)


def _set_thresholds(trim: int, mmap: int) -> ctypes.CDLL | None:
    """Set the thresholds and return the library of C; None where it has none, or Dask has not set them."""
    if not sys.platform.startswith("linux") or _TRIM_VARIABLE not in os.environ:
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return None
    library.mallopt(_MMAP_THRESHOLD, mmap)
    library.mallopt(_TRIM_THRESHOLD, trim)
    return library
