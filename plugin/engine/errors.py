"""Errors of the engine and its environment, as sentences for the user."""

from __future__ import annotations


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
    """The user cancelled the run."""
