"""Exit codes of a process that ended without its last word, as sentences."""

from __future__ import annotations

from .errors import EngineError

_TOO_MUCH = "Choose a smaller tile, fewer threads or a smaller area."
_REPAIR = "Choose another device or runtime in Settings > Options > TerraSpore, or repair the engine there."

#: Windows' status codes, as unsigned numbers.
_WINDOWS = {
    0xC0000005: ("A library of the engine crashed (access violation); QGIS is not affected.", _REPAIR, "EngineCrashed"),
    0xC0000017: ("The computer ran out of memory during the run.", _TOO_MUCH, "OutOfMemoryError"),
    0xC000001D: ("A library of the engine needs a newer processor (illegal instruction).", _REPAIR, "EngineCrashed"),
    0xC00000FD: ("A library of the engine crashed (stack overflow); QGIS is not affected.", _REPAIR, "EngineCrashed"),
    0xC0000135: ("A library that the engine needs is missing on this computer.", _REPAIR, "EngineCrashed"),
    0xC0000409: ("A library of the engine crashed (buffer overrun); QGIS is not affected.", _REPAIR, "EngineCrashed"),
}
_NO_MEMORY = ("The engine ended because memory ran out.", _TOO_MUCH, "OutOfMemoryError")
#: What libraries and Python say before they give up for lack of memory.
_MEMORY_WORDS = ("cannot allocate memory", "bad_alloc", "memoryerror", "out of memory")
_SIGNALS = {
    4: ("A library of the engine needs a newer processor (illegal instruction).", _REPAIR, "EngineCrashed"),
    6: ("A library of the engine gave up (abort); QGIS is not affected.", _REPAIR, "EngineCrashed"),
    7: ("The engine could not read a file or memory (bus error); the disk may be full.", _TOO_MUCH, "EngineCrashed"),
    9: ("The system ended the engine, most often because memory ran out.", _TOO_MUCH, "OutOfMemoryError"),
    11: ("A library of the engine crashed (segmentation fault); QGIS is not affected.", _REPAIR, "EngineCrashed"),
    15: ("Another program ended the engine.", None, "EngineEnded"),
}


def exit_error(code: int, details: str) -> EngineError:
    """The error for a process that ended with ``code`` before it gave a result.

    Args:
        code: as ``subprocess`` gives it: negative for a signal.
        details: the last lines of its stderr.
    """
    text, hint, name = _describe(code, details)
    return EngineError(text, hint, code=name, details=details)


def _describe(code: int, details: str) -> tuple[str, str | None, str]:
    farewell = "\n".join(details.splitlines()[-3:]).lower()
    if any(word in farewell for word in _MEMORY_WORDS):
        return _NO_MEMORY
    if code < 0 and -code in _SIGNALS:
        return _SIGNALS[-code]
    if code > 128 and code - 128 in _SIGNALS:  # as a shell reports it
        return _SIGNALS[code - 128]
    if code & 0xFFFFFFFF in _WINDOWS:
        return _WINDOWS[code & 0xFFFFFFFF]
    if "ModuleNotFoundError" in details or "ImportError" in details:
        return (f"The engine's environment is incomplete: {_last_line(details)}", _REPAIR, "EngineIncomplete")
    last = _last_line(details)
    said = f" Its last words: {last}" if last else ""
    return (f"The engine ended unexpectedly (exit code {code}).{said}", _REPAIR, "EngineEnded")


def _last_line(details: str) -> str:
    lines = [line.strip() for line in details.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
