"""Speed of the steps, and the display of a running training: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass
class StepTimer:
    """Time per step; the first step, which compiles, is counted apart.

    Attributes:
        images: images per step over all processes.
        count: number of steps.
        compile_seconds: time of the first step.
        last: time of the last step, seconds.
        total: time of all steps but the first, seconds.
    """

    images: int
    count: int = 0
    compile_seconds: float = 0.0
    last: float = 0.0
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Add the time of a step."""
        self.count += 1
        self.last = seconds
        if self.count == 1:
            self.compile_seconds = seconds
        else:
            self.total += seconds

    @property
    def mean(self) -> float:
        """Seconds per step."""
        return self.total / (self.count - 1) if self.count > 1 else self.last

    @property
    def images_per_second(self) -> float:
        """Throughput over all processes."""
        return self.images / self.mean if self.mean > 0 else 0.0


class ProgressDisplay:
    """Shows the progress and lines of text on ``stream``.

    Args:
        total: steps of the run.
        stream: standard error unless given.
    """

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=total, text="")

    def __enter__(self) -> ProgressDisplay:
        """Start the progress bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the progress bar and restore the terminal."""
        self._bar.stop()

    def update(self, step: int, text: str, as_line: bool) -> None:
        """Show that ``step`` steps are done; without a terminal as a line of its own, if ``as_line`` is set."""
        self._bar.update(self._task, completed=step, text=text)
        if self._bar.disable and as_line:
            self.print(f"step {step}: {text}")

    def print(self, text: str) -> None:
        """Print a line above the progress bar."""
        self._console.print(text, markup=False)
