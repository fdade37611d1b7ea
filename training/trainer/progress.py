"""What a person sees of a running training: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Display:
    """Shows progress and lines of text on ``stream``.

    Args:
        total: steps of the run.
        stream: where to; standard error unless given.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, soft_wrap=True, highlight=False)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}"),
                console=self._console,
            )
            self._task = self._bar.add_task("training", total=total, text="")

    def __enter__(self) -> Display:
        """Begin to show."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def step(self, done: int, text: str, line: bool) -> None:
        """Show that ``done`` steps are done; as a line of its own where there is no terminal and ``line`` says so."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, text=text)
        elif line:
            self.say(f"step {done}: {text}")

    def say(self, text: str) -> None:
        """Show a line."""
        self._console.print(text, markup=False)
