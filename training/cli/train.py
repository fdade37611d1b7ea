"""``terraspore train``: train a network from a configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...engine.cli.cli_context import json_option, run_command
from ...engine.cli.options import PATH
from ...engine.context import RunContext
from ...engine.protocol.messages import Result, SummaryValue

#: Seconds to finish the current step and save the state after the run is stopped.
STOP_GRACE = 600.0


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=PATH, help="Folder of the run; runs/<name> unless given.")
@click.option("--resume", is_flag=True, help="Continue the run in the folder, if there is one.")
@json_option
def train(config: str, overrides: tuple[str, ...], out: Path | None, resume: bool, as_json: bool) -> None:
    """Train a network by CONFIG, a YAML file or the name of one that comes with the package.

    KEY=VALUE overrides single values, as in optimizer.lr=1e-4.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)
    folder = out or Path("runs") / loaded.name

    def run(context: RunContext) -> Result:
        """Run the training."""
        from ..data import open_training_data
        from ..metrics import replace_nan

        # Before MindSpore is loaded, so that a mistake in the data is reported at once.
        data = open_training_data(loaded, context)
        from ..trainer import run_training

        result = run_training(loaded, folder, data=data, resume=resume, context=context, arguments=sys.argv[1:])
        progress = result.progress
        best = "none" if progress.best is None else f"{progress.best:.4f}"
        summary: dict[str, SummaryValue] = {
            "steps": progress.step,
            "best": replace_nan(progress.best),
            "best_step": progress.best_step,
            "images_per_second": result.images_per_second,
            "compile_seconds": result.compile_seconds,
        }
        return Result(
            outputs={"folder": str(folder), "best": str(result.folder.best), "last": str(result.folder.last)},
            summary=summary,
            seconds=progress.seconds,
            text=f"Trained {progress.step} steps; best {loaded.train.monitor}: {best}, in {folder}.",
        )

    run_command(as_json, run, grace=STOP_GRACE)
