"""File locks and processes of Windows. Standard library only, Python 3.9: the QGIS plugin imports it with the journal.

``msvcrt.locking`` has no shared locks, and ``os.kill(pid, 0)`` ends a process on Windows.
"""

from __future__ import annotations

import ctypes
import msvcrt
import sys
from ctypes import wintypes

assert sys.platform == "win32"

_FAIL_IMMEDIATELY, _EXCLUSIVE = 1, 2
_QUERY_LIMITED_INFORMATION = 0x1000
_ACCESS_DENIED = 5
#: Exit code of a process that has not ended.
_STILL_ACTIVE = 259

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.OpenProcess.restype = wintypes.HANDLE


class _Overlapped(ctypes.Structure):
    """Windows' ``OVERLAPPED``, which has the position in a file."""

    _fields_ = (
        ("internal", ctypes.c_void_p),
        ("internal_high", ctypes.c_void_p),
        ("offset", wintypes.DWORD),
        ("offset_high", wintypes.DWORD),
        ("event", wintypes.HANDLE),
    )


def lock_byte(descriptor: int, position: int, *, shared: bool) -> None:
    """Lock the byte at ``position`` of an open file, as ``flock`` does: several shared locks, or an exclusive one.

    Raises:
        OSError: another process holds it.
    """
    flags = _FAIL_IMMEDIATELY | (0 if shared else _EXCLUSIVE)
    handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
    if not _kernel32.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(_Overlapped(offset=position))):
        raise ctypes.WinError(ctypes.get_last_error())


def is_process_running(pid: int) -> bool:
    """Whether a process ``pid`` exists, of whatever user."""
    handle = _kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, False, wintypes.DWORD(pid))
    if not handle:
        return ctypes.get_last_error() == _ACCESS_DENIED
    try:
        code = wintypes.DWORD()
        is_known = _kernel32.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
        return not is_known or code.value == _STILL_ACTIVE
    finally:
        _kernel32.CloseHandle(wintypes.HANDLE(handle))
