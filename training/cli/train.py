"""``terraspore train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...engine.cli.cli_context import json_option, run_reported
from ...engine.context import RunContext
from ...engine.protocol.messages import Result

#: Seconds for the step that is under way and for saving the state, when the person stops a run.
_GRACE = 600.0


@click.command()
@click.argument("config")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; runs/<name> unless given.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, if there is one.")
@json_option
def train(config: str, overrides: tuple[str, ...], out: Path | None, resume: bool, as_json: bool) -> None:
    """Train a network as CONFIG says (a YAML file, or the name of one that comes with the package).

    KEY=VALUE changes single values, as in optimizer.lr=1e-4.
    """
    from ..config import load_config

    loaded = load_config(config, overrides)
    folder = out or Path("runs") / loaded.name

    def work(context: RunContext) -> Result:
        """Run the training."""
        from ..trainer import run_training

        outcome = run_training(loaded, folder, resume=resume, cancellation=context.cancellation, arguments=sys.argv[1:])
        progress = outcome.progress
        summary: dict[str, float | int | str | None] = {
            "steps": progress.step,
            "best": progress.best,
            "best_step": progress.best_step,
            "images_per_second": outcome.images_per_second,
            "compile_seconds": outcome.compile_seconds,
        }
        return Result(
            outputs={"folder": str(folder), "best": str(outcome.folder.best), "last": str(outcome.folder.last)},
            summary=summary,
            seconds=progress.seconds,
            text=f"Trained {progress.step} steps; best {loaded.train.monitor}: {progress.best}, {outcome.folder.best}.",
        )

    run_reported(as_json, work, grace=_GRACE)
