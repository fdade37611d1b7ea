"""``terraspore prepare``: compile what the first run would compile."""

from __future__ import annotations

import click

from ..pipeline.prepare import prepare_tasks
from .cli_context import current_cli_context, json_option, run_command


@click.command()
@json_option
def prepare(as_json: bool) -> None:
    """Compile kernels and the default models into their caches, so that the first run does not wait for them."""
    sessions = current_cli_context().session_pool()
    run_command(as_json, lambda context: prepare_tasks(sessions, context))
