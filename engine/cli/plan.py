"""``terraspore plan``: what a run would be, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from ..models.card import Task
from ..pipeline.plan import plan_run
from .cli_context import current_cli_context, json_option, run_command
from .options import image_options, make_image_request


@click.command()
@image_options
@click.option("--task", type=click.Choice(get_args(Task)), help="What the model is to be for; any unless given.")
@json_option
def plan(image: Path, task: Task | None, as_json: bool, **options: Any) -> None:
    """Say how many tiles, how much memory and about how long a run over IMAGE would take; nothing is written."""
    request, sessions = make_image_request(image, options), current_cli_context().session_pool()
    run_command(as_json, lambda context: plan_run(request, task or "segmentation", sessions, context))
