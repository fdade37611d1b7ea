"""Commands that run in the process of a test, with the machine protocol."""

from __future__ import annotations

import io
import json
from typing import Any

from terraspore.__main__ import TRAINING_COMMANDS, create_network
from terraspore.engine.cli import run
from terraspore.engine.cli.cli_context import CliContext


def run_events(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Run a command; return its exit code and its events, the result or the error last."""
    out = io.StringIO()
    cli_context = CliContext(network_factory=create_network, stdout=out, stderr=io.StringIO())
    code = run([*map(str, arguments), "--json"], extra_commands=TRAINING_COMMANDS, cli_context=cli_context)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def run_last(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Run a command; return its exit code, and its result or error."""
    code, events = run_events(*arguments)
    return code, events[-1]


def run_well(*arguments: object) -> dict[str, Any]:
    """Run a command that has to succeed; return its result."""
    code, event = run_last(*arguments)
    assert (code, event["type"]) == (0, "result"), event
    return event
