"""``terraspore plan``: what a run would be, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from ..context import RunContext
from ..models.card import Task
from ..pipeline.plan import plan_run
from ..protocol.messages import Result
from .cli_context import current_cli_context, reports_result
from .options import image_options, make_image_request


@click.command()
@image_options
@click.option("--task", type=click.Choice(get_args(Task)), help="What the model is to be for; any unless given.")
@reports_result
def plan(context: RunContext, image: Path, task: Task | None, **options: Any) -> Result:
    """Say how many tiles, how much memory and about how long a run over IMAGE would take; nothing is written."""
    sessions = current_cli_context().session_pool()
    return plan_run(make_image_request(image, options), task or "segmentation", sessions, context)
