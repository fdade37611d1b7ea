"""The context of a run."""

from __future__ import annotations

import io
import json

import click
from terraspore.engine.cli.cli_context import CliContext, run_command
from terraspore.engine.context import JsonReporter, RecordingReporter, RunContext
from terraspore.engine.protocol.messages import Message, Result


def test_a_warning_is_reported_and_kept_once() -> None:
    reporter = RecordingReporter()
    context = RunContext(reporter)
    for text in ("No CRS.", "Empty.", "No CRS."):
        context.warn(text)
    assert context.warnings == ["No CRS.", "Empty."]
    assert reporter.events == [Message("No CRS.", "warning"), Message("Empty.", "warning")]


def test_the_result_of_a_command_has_the_warnings_of_its_run() -> None:
    out = io.StringIO()

    def command(context: RunContext) -> Result:
        context.warn("Empty.")
        return Result({}, {}, "Done.")

    cli_context = CliContext(reporter=JsonReporter(out))
    with click.Context(click.Command("test"), obj=cli_context):
        run_command(True, command)
    assert json.loads(out.getvalue().splitlines()[-1])["warnings"] == ["Empty."]
