"""The memory allocator of a worker's process."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's ``mallopt``: freed bytes that are kept, and bytes of an array that is always given back.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _GIVEN_BACK = (128 << 20, 32 << 20), (64 << 10, 128 << 10)


def keep_freed_memory() -> None:
    """Have glibc use freed memory again, which Dask's nanny has given back at once.

    Otherwise the system clears the pages of each array anew, which takes as long as the computing of a small network.
    """
    _set_thresholds(*_KEPT)


def give_back_freed_memory() -> None:
    """Have glibc give back freed memory at once, for work whose arrays are large and of many sizes.

    Dask's nanny sets the same thresholds for all its workers; without a nanny glibc would raise its own on the way.
    """
    library = _set_thresholds(*_GIVEN_BACK)
    if library is not None:
        library.malloc_trim(0)


def _set_thresholds(trim: int, mmap: int) -> ctypes.CDLL | None:
    """Set the thresholds and return the library of C; None where it has none."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return None
    library.mallopt(_MMAP_THRESHOLD, mmap)
    library.mallopt(_TRIM_THRESHOLD, trim)
    return library
