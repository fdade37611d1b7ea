"""The errors that a person can meet.

Every error carries one clear sentence: what is wrong, with which file or value, and what to do. The command
line prints that sentence and exits with the class's exit code; the QGIS plugin shows it. Nothing else is
shown, so a sentence has to stand alone.
"""

from __future__ import annotations

import re

#: Characters of a value, and of a whole sentence, that are shown; of a value without a space, which may be a path.
_MAX_VALUE, _MAX_SENTENCE, _MAX_WORD = 60, 1000, 300
_LONG_WORD = re.compile(rf"\S{{{_MAX_WORD + 1},}}")
#: An address whose parameters may be a signature or a key.
_SIGNATURE = re.compile(r"(https?:/[^\s?]+)\?[^\s'\"]+")
#: An address of which a path has kept only one slash.
_SLASH = re.compile(r"\b(https?|s3|gs|az):/(?=[^/])")


def shown(text: str) -> str:
    """``text`` with what is not printable (line ends, a terminal's control characters) as Python writes it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shorten(text: object, most: int = _MAX_VALUE) -> str:
    """``text`` as a sentence shows it: with dots in place of its middle where it is longer than ``most`` characters."""
    whole, end = str(text), most // 3
    return whole if len(whole) <= most else f"{whole[: most - end - 3]}...{whole[-end:]}"


def make_sentence(text: str) -> str:
    """``text`` printable and not too long, whatever the values in it: names from files, options of a command."""
    unsigned = _SIGNATURE.sub(r"\1?...", _SLASH.sub(r"\1://", shown(text)))
    return shorten(_LONG_WORD.sub(lambda word: shorten(word[0], _MAX_WORD), unsigned), _MAX_SENTENCE)


def first_line(error: Exception) -> str:
    """Return the first line of what a library's ``error`` says, without a full stop; its class's name for nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


class TerraSporeError(Exception):
    """Base of all errors with a sentence for the person.

    Args:
        text: one sentence: what is wrong, with which file or value.
        hint: what to do about it, where the sentence does not say so already.
    """

    exit_code = 1

    def __init__(self, text: str, hint: str | None = None) -> None:
        # Names come from files of others: a line end or a terminal's control character in one is shown, not sent.
        self.text = make_sentence(text)
        self.hint = hint if hint is None else make_sentence(hint)
        super().__init__(self.text)

    @property
    def code(self) -> str:
        """The stable name of the error in the machine protocol."""
        return type(self).__name__

    def __str__(self) -> str:
        """The sentence and, behind it, the hint."""
        return f"{self.text} {self.hint}" if self.hint else self.text


class UserError(TerraSporeError):
    """Something the person can put right: a file, a value, a missing package."""

    exit_code = 2


class ParameterError(UserError):
    """An option has a value that cannot be used."""


class SourceError(UserError):
    """The input raster cannot be read, or not as an image."""


class SourceChangedError(UserError):
    """The input raster was changed while it was being read."""


class OutputError(UserError):
    """The output cannot be written."""


class DiskFullError(OutputError):
    """There is not enough free space for the output."""


class StreamError(OutputError):
    """The standard output cannot be written."""


class OutputBusyError(OutputError):
    """Another run is writing the output."""


class ResumeError(UserError):
    """A run cannot be resumed, because something is not as it was when it began."""


class ModelError(UserError):
    """A model cannot be used."""


class CardError(ModelError):
    """A model card is missing, malformed or contradicts its model."""


class CheckpointError(ModelError):
    """A checkpoint is damaged, or is not of the architecture it should be."""


class GraphError(ModelError):
    """A graph (ONNX or MINDIR) is damaged, or uses what is not supported."""


class RuntimeUnavailableError(UserError):
    """The chosen runtime or device is not there, or does not work."""


class ClusterError(UserError):
    """A scheduler or its workers cannot be used for a run."""


class VectorError(UserError):
    """A vector layer cannot be read or used."""


class InferenceError(TerraSporeError):
    """A runtime failed while it was computing."""


class OutOfMemoryError(TerraSporeError):
    """There was not enough memory."""


class Cancelled(TerraSporeError):
    """The person cancelled the run."""

    exit_code = 3
