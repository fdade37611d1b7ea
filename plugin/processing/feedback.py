"""Report the engine's events to a Processing run: progress bar, texts and log."""

from __future__ import annotations

import time
from collections.abc import Mapping

from qgis.core import QgsProcessingFeedback

from ...engine.protocol.messages import Event, Message, Plan, Progress
from ..engine.process import Listener
from ..i18n import tr
from .option_titles import name_options

#: Share of the whole that each stage takes, in the order in which they come.
_STAGES = {"read": (0.0, 0.02), "infer": (0.02, 0.85), "vectorize": (0.85, 0.97), "write": (0.97, 1.0)}
#: The text beside the bar changes no more often than this.
_TEXT_SECONDS = 1.0


def format_plan(plan: Plan) -> str:
    """Format the size, memory and duration of a run in one line."""
    text = tr("{tiles} tiles of {tile} pixels at {resolution} m, about {memory} MB of memory").format(
        tiles=plan.tiles,
        tile=plan.tile,
        resolution=f"{plan.resolution:.3g}",
        memory=round(plan.memory_bytes / 1e6),
    )
    return text if plan.seconds is None else f"{text}, {format_duration(plan.seconds)}"


def format_device(plan: Plan) -> str:
    """Format model, device and runtime of a run, and the reason for the choice."""
    return tr("{model} on {device} with {runtime}: {reason}").format(
        model=plan.model, device=plan.device, runtime=plan.runtime, reason=plan.reason
    )


def format_duration(seconds: float) -> str:
    """Format a duration in the user's language."""
    if seconds < 90:
        return tr("about {n} s").format(n=max(1, round(seconds)))
    return tr("about {n} min").format(n=round(seconds / 60))


def format_stage(stage: str) -> str:
    """Format the name of a stage in the user's language."""
    return {
        "read": tr("Reading"),
        "infer": tr("Computing"),
        "vectorize": tr("Making vectors"),
        "write": tr("Writing"),
        "images": tr("Images"),
    }.get(stage, stage)


class FeedbackReporter:
    """Reports the engine's events to the feedback of a Processing run.

    Args:
        feedback: the run's feedback.
        start: share of the progress bar that was used before the engine, 0..1.

    Attributes:
        plan: the run's plan, once the engine has sent it.
    """

    def __init__(self, feedback: QgsProcessingFeedback, start: float = 0.0) -> None:
        self._feedback = feedback
        self._start = start
        self._stage = ""
        self._text_time = 0.0
        self._share = 0.0
        self._titles: Mapping[str, str] = {}
        self.plan: Plan | None = None

    def make_listener(self, titles: Mapping[str, str]) -> Listener:
        """Make a listener for the engine's process; ``titles`` are those of the options that sentences name."""
        self._titles = titles
        return Listener(self._report_event, self._feedback.pushConsoleInfo)

    def _report_event(self, event: Event) -> None:
        if isinstance(event, Plan):
            self.plan = event
            self._feedback.pushInfo(format_plan(event))
            self._feedback.pushInfo(format_device(event))
        elif isinstance(event, Progress):
            self._report_progress(event)
        elif isinstance(event, Message):
            push = self._feedback.pushWarning if event.level == "warning" else self._feedback.pushInfo
            push(name_options(event.text, self._titles))

    def _report_progress(self, event: Progress) -> None:
        begin, end = _STAGES.get(event.stage, (0.0, 1.0))
        share = begin + (end - begin) * (event.done / event.total if event.total else 1.0)
        self._share = max(self._share, share)  # a raster is written before the vectors are made
        self._feedback.setProgress(100 * (self._start + (1 - self._start) * self._share))
        text = format_stage(event.stage)
        if event.eta is not None and event.done < event.total:
            text += " – " + tr("{time} left").format(time=format_duration(event.eta))
        now = time.monotonic()
        if event.stage != self._stage or now - self._text_time > _TEXT_SECONDS:
            self._stage, self._text_time = event.stage, now
            self._feedback.setProgressText(text)
