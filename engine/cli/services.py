"""What a command gets from its surroundings: streams, and where it was started by a server, reporter and sessions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import click

from ..events import Cancellation, Reporter


@dataclass
class Services:
    """The surroundings of one command; click carries it as ``ctx.obj``.

    Attributes:
        network_factory: makes a MindSpore network by name (``training.networks.create_network``), or None
            where the training package is not there. The engine itself never imports it.
        stdout: where results go.
        stderr: where everything else for people goes.
        reporter: takes the events instead of the streams (set by ``serve``).
        cancellation: cancels the command instead of signals and stdin (set by ``serve``).
        owns_process: whether the process is the command's own, so that it may be ended where nothing else helps.
        sessions: opened model sessions that outlive one command (set by ``serve``), by their parameters.
    """

    network_factory: Callable[..., Any] | None = None
    stdout: IO[str] = field(default_factory=lambda: sys.stdout)
    stderr: IO[str] = field(default_factory=lambda: sys.stderr)
    reporter: Reporter | None = None
    cancellation: Cancellation | None = None
    owns_process: bool = False
    sessions: dict[Any, Any] | None = None


def current_services() -> Services:
    """The surroundings of the click command that is running; defaults where it was called on its own."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Services) if context else None
    return found or Services()
