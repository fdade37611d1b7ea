"""Events on a terminal: a progress bar on stderr, the result on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from ..context import write_line
from ..errors import StreamError, shown
from ..protocol.messages import Event, Failure, ImageOutcome, Message, Plan, Result
from ..protocol.messages import Progress as ProgressEvent

_STAGES = {
    "read": "Reading",
    "infer": "Inference",
    "vectorize": "Vectors",
    "write": "Writing",
    "prepare": "Preparing",
    "images": "Images",
}
#: Images of a batch that are listed one by one; of more, only those that failed.
_MAX_LISTED = 50


class ConsoleReporter(AbstractContextManager["ConsoleReporter"]):
    """Show events on a terminal; a context manager.

    Args:
        stdout: receives the text of the result.
        stderr: receives the progress bar, messages and errors.
    """

    def __init__(self, stdout: IO[str], stderr: IO[str]) -> None:
        self._stdout, self._stderr = stdout, stderr
        self._err = Console(file=stderr, highlight=False, soft_wrap=True, markup=False)
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._err,
            transient=True,
            disable=not self._err.is_terminal,  # a log file gets no bar
        )
        self._tasks: dict[str, TaskID] = {}
        self._started = False

    def __exit__(self, *_: object) -> None:
        """Remove the progress bar."""
        self._stop()

    def emit(self, event: Event) -> None:
        """Show ``event``."""
        if isinstance(event, ProgressEvent):
            self._progress(event)
        elif isinstance(event, Plan):
            self._print_message(describe_plan(event))
        elif isinstance(event, Message):
            self._print_message(shown(f"Warning: {event.text}" if event.level == "warning" else event.text))
        elif isinstance(event, Result):
            self._stop()
            if event.images:
                self._print_images(event.images)
            write_line(self._stdout, "\n".join(map(shown, event.text.split("\n"))))
        elif isinstance(event, Failure):
            self._stop()
            self._print_message(f"Error: {event.sentence}")

    def _print_images(self, images: Sequence[ImageOutcome]) -> None:
        """Print what became of the images of a batch, as a table."""
        listed = [entry for entry in images if len(images) <= _MAX_LISTED or entry.state == "failed"]
        rows = [
            (shown(Path(entry.image).name), entry.state, f"{entry.seconds:.1f}", shown(entry.text)) for entry in listed
        ]
        headings = ("image", "state", "seconds", "result")
        console = Console(file=self._stdout, highlight=False, markup=False)
        if not console.is_terminal:
            write_line(self._stdout, format_table(headings, rows))
            return
        table = Table(*headings)
        for row in rows:
            table.add_row(*row)
        console.print(table)

    def _print_message(self, text: str) -> None:
        if self._err.is_terminal:
            self._err.print(text)  # above the bars
        else:
            with suppress(StreamError):  # nobody reads it
                write_line(self._stderr, text)

    def _progress(self, event: ProgressEvent) -> None:
        if not self._started:
            self._bars.start()
            self._started = True
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(_STAGES[event.stage], total=event.total, note="")
        task = self._tasks[event.stage]
        self._bars.update(task, completed=event.done, total=event.total, note=describe_rate(event))

    def _stop(self) -> None:
        if self._started:
            self._bars.stop()
            self._started = False


def describe_plan(plan: Plan) -> str:
    """Describe a plan in one line."""
    time = f", about {format_duration(plan.seconds)}" if plan.seconds is not None else ""
    tiles = "1 tile" if plan.tiles == 1 else f"{plan.tiles} tiles"
    return (
        f"{plan.width} x {plan.height} pixels at {plan.resolution:.3g} m: {tiles} of {plan.tile} "
        f"with {plan.model}{time}, up to {plan.memory_bytes / 1e6:.0f} MB. {plan.reason}"
    )


def describe_rate(progress: ProgressEvent) -> str:
    """Describe speed and time left, as far as they are known."""
    unit = "tiles/s" if progress.stage == "infer" else "/s"
    parts = []
    if progress.rate is not None:
        parts.append(f"{progress.rate:.1f} {unit}")
    if progress.eta is not None:
        parts.append(f"{format_duration(progress.eta)} left")
    return ", ".join(parts)


def format_duration(seconds: float) -> str:
    """Format seconds: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format columns under headings, as wide as their widest cell, two spaces apart, without trailing spaces."""
    widths = [max(len(row[index]) for row in (headings, *rows)) for index in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (headings, *rows))
    return "\n".join(line.rstrip() for line in lines)
