"""What can go wrong with the engine's process, as sentences for the person."""

from __future__ import annotations


class EngineError(Exception):
    """The engine did not do what it was asked.

    Args:
        text: one sentence: what is wrong.
        hint: what to do about it, or None.
        code: a stable name: the engine's own error code, or one of this package's.
        details: the last lines that the engine wrote for people, for the log.
    """

    def __init__(self, text: str, hint: str | None = None, code: str = "EngineError", details: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.code = code
        self.details = details

    def __str__(self) -> str:
        """The sentence and, behind it, the hint."""
        return f"{self.text} {self.hint}" if self.hint else self.text


class EngineMissingError(EngineError):
    """There is no engine to start: nothing is installed, or what was chosen is not there."""


class EngineCancelledError(EngineError):
    """The person cancelled the run."""


class EngineProtocolError(EngineError):
    """The engine sent something that is not a valid message of the machine protocol."""
