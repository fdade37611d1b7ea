"""Errors of the engine and its environment, and exit codes of an engine that ended, as sentences for the user."""

from __future__ import annotations

from ..i18n import tr


class EngineError(Exception):
    """The engine, or the set-up of its environment, failed.

    Args:
        text: one sentence: what is wrong.
        hint: what to do about it, or None.
        code: stable name: the engine's own error code, or one of this package's.
        details: the last lines of the process's output, for the log.
    """

    def __init__(self, text: str, hint: str | None = None, code: str = "EngineError", details: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.code = code
        self.details = details

    def __str__(self) -> str:
        """The sentence, and the hint after it."""
        return f"{self.text} {self.hint}" if self.hint else self.text


class EngineCancelledError(EngineError):
    """The user cancelled the run.

    Args:
        text: one sentence; empty for the usual one.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text or tr("Cancelled; nothing was written."), code="Cancelled")


_CRASHED, _OUT_OF_MEMORY, _ENDED = "EngineCrashed", "OutOfMemoryError", "EngineEnded"
# The texts are translated when they are used.
_USE_LESS = "Choose a smaller tile, fewer threads or a smaller area."
_REPAIR = "Choose another device or runtime in Settings > Options > TerraSpore, or repair the engine there."
_OLD_PROCESSOR = "A library of the engine needs a newer processor (illegal instruction)."
_NO_MEMORY = "The engine ended because memory ran out."
#: Windows' status codes as unsigned numbers: text, hint, code of the error.
_STATUS_CODES = {
    0xC0000005: ("A library of the engine crashed (access violation); QGIS is not affected.", _REPAIR, _CRASHED),
    0xC0000017: ("The computer ran out of memory during the run.", _USE_LESS, _OUT_OF_MEMORY),
    0xC000001D: (_OLD_PROCESSOR, _REPAIR, _CRASHED),
    0xC00000FD: ("A library of the engine crashed (stack overflow); QGIS is not affected.", _REPAIR, _CRASHED),
    0xC0000135: ("A library that the engine needs is missing on this computer.", _REPAIR, _CRASHED),
    0xC0000409: ("A library of the engine crashed (buffer overrun); QGIS is not affected.", _REPAIR, _CRASHED),
}
_SIGNALS = {
    4: (_OLD_PROCESSOR, _REPAIR, _CRASHED),
    6: ("A library of the engine crashed (abort); QGIS is not affected.", _REPAIR, _CRASHED),
    7: ("The engine could not read a file or memory (bus error); the disk may be full.", _USE_LESS, _CRASHED),
    9: ("The system ended the engine, most often because memory ran out.", _USE_LESS, _OUT_OF_MEMORY),
    11: ("A library of the engine crashed (segmentation fault); QGIS is not affected.", _REPAIR, _CRASHED),
    15: ("Another program ended the engine.", None, _ENDED),
}
#: What libraries and Python print before they give up for lack of memory.
_MEMORY_WORDS = ("cannot allocate memory", "bad_alloc", "memoryerror", "out of memory")


def make_exit_error(exit_code: int, details: str) -> EngineError:
    """Make the error for a process that ended without a result.

    Args:
        exit_code: as ``subprocess`` gives it: negative for a signal.
        details: the last lines of its stderr.
    """
    lines = [line.strip() for line in details.splitlines() if line.strip()]
    last_line = lines[-1][:300] if lines else ""
    known = _STATUS_CODES.get(exit_code & 0xFFFFFFFF)
    for number in (-exit_code, exit_code - 128):  # a shell reports a signal as 128 + its number
        known = _SIGNALS.get(number, known)
    if any(word in "\n".join(details.splitlines()[-3:]).lower() for word in _MEMORY_WORDS):
        known = (_NO_MEMORY, _USE_LESS, _OUT_OF_MEMORY)
    if known is not None:
        text, hint, code = known
        return EngineError(tr(text), hint and tr(hint), code=code, details=details)
    if "No Python at" in details:  # of the launcher in a virtual environment on Windows
        text = tr("The Python from which the engine's environment was made is gone, perhaps by an update of QGIS.")
        return EngineError(text, tr("Create it again in Settings > Options > TerraSpore."), code="EngineMissing")
    if "ModuleNotFoundError" in details or "ImportError" in details:
        text = tr("The engine's environment is incomplete: {line}").format(line=last_line)
        return EngineError(text, tr(_REPAIR), code="EngineIncomplete", details=details)
    text = tr("The engine ended unexpectedly (exit code {code}).").format(code=exit_code)
    if last_line:
        text += " " + tr("Its last message: {line}").format(line=last_line)
    return EngineError(text, tr(_REPAIR), code=_ENDED, details=details)
